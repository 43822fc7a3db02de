package relay

import "golang.org/x/sys/unix"

// sendQueue is the number of bytes that the peer has not acknowledged (tcp(7), SIOCOUTQ).
func sendQueue(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	if err != nil {
		return 0
	}
	return n
}
