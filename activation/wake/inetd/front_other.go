//go:build !linux

package inetd

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// acceptOne: there is no accept4(2) on macOS, where a connection also does not block if its listener does not.
func acceptOne(listener int) (int, unix.Sockaddr, error) {
	syscall.ForkLock.RLock()
	fd, client, err := unix.Accept(listener)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err == nil {
		err = unix.SetNonblock(fd, false)
	}
	return fd, client, err
}

// pollHalfClosed is the event of poll(2) that tells of a peer that sends no more: here it is POLLHUP, which needs not be asked for.
const pollHalfClosed = 0
