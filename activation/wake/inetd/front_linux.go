package inetd

import "golang.org/x/sys/unix"

// acceptOne: the connection blocks, as programs expect of their standard input.
func acceptOne(listener int) (int, unix.Sockaddr, error) {
	return unix.Accept4(listener, unix.SOCK_CLOEXEC)
}

// pollHalfClosed is the event of poll(2) that tells of a peer that sends no more.
const pollHalfClosed = unix.POLLRDHUP
