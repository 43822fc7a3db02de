package launchd

import (
	"runtime"
	"syscall"
	"unsafe"
)

// This is how golang.org/x/sys/unix reaches libSystem without cgo: the linker imports the C function, a trampoline in
// launchd_darwin.s jumps to it, and syscall.syscall calls the trampoline on a system stack. The linker keeps
// syscall.syscall open to linkname for such packages (golang/go#67401).

//go:cgo_import_dynamic libc_launch_activate_socket launch_activate_socket "/usr/lib/libSystem.B.dylib"
//go:cgo_import_dynamic libc_free free "/usr/lib/libSystem.B.dylib"

// The trampolines' addresses, set by the linker from launchd_darwin.s.
var (
	launch_activate_socket_trampoline_addr uintptr
	free_trampoline_addr                   uintptr
)

//go:linkname syscall_syscall syscall.syscall
func syscall_syscall(fn, a1, a2, a3 uintptr) (r1, r2 uintptr, err syscall.Errno)

func sockets(name string) ([]int, error) { return take(libSystem(), name) }

// libSystem gives the real functions.
func libSystem() calls { return calls{activate: launchActivateSocket, free: free} }

func launchActivateSocket(name *byte, array **int32, count *uintptr) syscall.Errno {
	// C gets plain addresses. Pinned, the three objects are on the heap, cannot move when the stack grows, and live
	// until Unpin.
	var pinner runtime.Pinner
	defer pinner.Unpin()
	pinner.Pin(name)
	pinner.Pin(array)
	pinner.Pin(count)
	result, _, _ := syscall_syscall(launch_activate_socket_trampoline_addr,
		uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(array)), uintptr(unsafe.Pointer(count)))
	return syscall.Errno(int32(result)) // a C int: only the lower half of the register counts
}

// free gives back memory of malloc(3), which Go neither moves nor collects.
func free(array *int32) { syscall_syscall(free_trampoline_addr, uintptr(unsafe.Pointer(array)), 0, 0) }
