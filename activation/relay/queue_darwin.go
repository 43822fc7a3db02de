package relay

import "golang.org/x/sys/unix"

// sendQueue is the number of bytes in the send buffer (getsockopt(2), SO_NWRITE).
func sendQueue(fd int) int {
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_NWRITE)
	if err != nil {
		return 0
	}
	return n
}
