package server

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// readNow reads once from a descriptor that does not block, so the runtime need not be told of the call.
func readNow(fd uintptr, b []byte) (int, syscall.Errno) {
	n, _, err := syscall.RawSyscall(syscall.SYS_READ, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), err
}

// writeNow writes once to one.
func writeNow(fd uintptr, b []byte) (int, syscall.Errno) {
	n, _, err := syscall.RawSyscall(syscall.SYS_WRITE, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), err
}

// writeMore is writeNow for a socket, where more follows at once.
func writeMore(fd uintptr, b []byte) (int, syscall.Errno) {
	n, _, err := syscall.RawSyscall6(syscall.SYS_SENDTO, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_NOSIGNAL|unix.MSG_MORE, 0, 0)
	return int(n), err
}

// heldBySocket is how many bytes of a socket's were not taken by its peer yet (tcp(7), SIOCOUTQ).
func heldBySocket(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	if err != nil {
		return 0
	}
	return n
}

// acknowledgeNow sends the acknowledgement that the kernel would hold back (tcp(7), TCP_QUICKACK). On others than TCP it does nothing.
func acknowledgeNow(fd int) { unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1) }
