package main

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// deferAccept says whether a listening socket keeps connections back until their first bytes have come.
func (s socket) deferAccept(yes bool) error {
	if s.file == nil {
		return nil // whoever binds it says so
	}
	seconds := 0
	if yes {
		seconds = 10
	}
	raw, err := s.file.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, seconds)
	})
	if err = errors.Join(err, failed); err != nil {
		return fmt.Errorf("setting TCP_DEFER_ACCEPT: %w", err)
	}
	return nil
}
