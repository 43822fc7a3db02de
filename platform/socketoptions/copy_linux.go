package socketoptions

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Copy sets on the socket to what a program set on its own socket from, and returns the names of these options. What from has
// like any new socket of its kind was left alone by the program, and is by Copy. O_NONBLOCK is not copied. The error is that
// from cannot be compared; options that to refuses are left out.
func Copy(from, to int) (set []string, err error) {
	fresh, err := likeNew(from)
	if err != nil {
		return nil, fmt.Errorf("copy options of a socket: %w", err)
	}
	defer unix.Close(fresh)
	for _, o := range options() {
		usual, known := o.get(fresh)
		want, ok := o.get(from)
		if !known || !ok || want == usual {
			continue
		}
		if is, ok := o.get(to); ok && is != want && o.set(to, want) {
			set = append(set, o.name)
		}
	}
	return set, nil
}

// likeNew opens a socket of the same domain, type and protocol.
func likeNew(fd int) (int, error) {
	domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return -1, err
	}
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return -1, err
	}
	protocol, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil {
		return -1, err
	}
	return unix.Socket(domain, kind|unix.SOCK_CLOEXEC, protocol)
}
