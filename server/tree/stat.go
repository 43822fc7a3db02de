package tree

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// statAt is fstatat(2) of what a name leads to below an open folder.
func statAt(folder int, name string, stat *syscall.Stat_t) error {
	return unix.Fstatat(folder, name, (*unix.Stat_t)(unsafe.Pointer(stat)), 0) // both are the kernel's
}
