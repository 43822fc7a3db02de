//go:build !linux

package route

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// acceptRaw takes the next client from the queue; EAGAIN when there is none. Here the connection gets the listener's O_NONBLOCK,
// which is taken off it; no option is changed: who gets it decides.
func acceptRaw(fd int) (int, syscall.Sockaddr, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	conn, from, err := syscall.Accept(fd)
	if err != nil {
		return -1, nil, err
	}
	unix.CloseOnExec(conn)
	return conn, from, unix.SetNonblock(conn, false)
}

// localOf is getsockname(2); nil where it fails.
func localOf(fd int) syscall.Sockaddr {
	local, err := syscall.Getsockname(fd)
	if err != nil {
		return nil
	}
	return local
}

// duplicate is dup(2), close-on-exec.
func duplicate(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3) }

// waitingAt is -1: nobody tells how many clients are in the queue of a listening socket.
func waitingAt(int) int { return -1 }

func isTransparent(int) bool { return false }

func clearTransparent(int) {}

// hungUp tells whether a connection is gone. That only the other side has said all is not told here.
func hungUp(fd int) bool {
	polled := []unix.PollFd{{Fd: int32(fd)}}
	unix.Poll(polled, 0)
	return polled[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
}
