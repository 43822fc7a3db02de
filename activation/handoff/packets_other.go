//go:build !linux

package handoff

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// acceptPackets takes a connection from the queue, without waiting.
func acceptPackets(fd int) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	accepted, _, err := unix.Accept(fd)
	if err != nil {
		return -1, err
	}
	unix.CloseOnExec(accepted)
	return accepted, unix.SetNonblock(accepted, true)
}

func peerPidfd(int) int { return -1 }
