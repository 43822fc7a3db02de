package handoff

import "golang.org/x/sys/unix"

// acceptPackets takes a connection from the queue, without waiting.
func acceptPackets(fd int) (int, error) {
	accepted, _, err := unix.Accept4(fd, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	return accepted, err
}

func peerPidfd(fd int) int {
	pidfd, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PEERPIDFD)
	if err != nil {
		return -1
	}
	return pidfd
}
