//go:build !linux

package handoff

import "golang.org/x/sys/unix"

// newReceiver makes the datagram socket to be bound to the path. Its queue is as long as the system has it.
func newReceiver(string) (int, error) { return newSocket(unix.SOCK_DGRAM) }
