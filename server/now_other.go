//go:build !linux

package server

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// readNow reads once from a descriptor that does not block.
func readNow(fd uintptr, b []byte) (int, syscall.Errno) {
	n, err := syscall.Read(int(fd), b)
	return max(n, 0), errno(err)
}

// writeNow writes once to one.
func writeNow(fd uintptr, b []byte) (int, syscall.Errno) {
	n, err := syscall.Write(int(fd), b)
	return max(n, 0), errno(err)
}

// writeMore is writeNow: there is no way to say that more follows.
func writeMore(fd uintptr, b []byte) (int, syscall.Errno) { return writeNow(fd, b) }

func errno(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number
	}
	return syscall.EIO
}

// heldBySocket is how many bytes of a socket's were not taken by its peer yet (setsockopt(2) of macOS, SO_NWRITE).
func heldBySocket(fd int) int {
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_NWRITE)
	if err != nil {
		return 0
	}
	return n
}

// acknowledgeNow would send the acknowledgement that the kernel holds back: on Linux.
func acknowledgeNow(int) {}
