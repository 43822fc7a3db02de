package socketoptions

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// Copy sets on the socket to what a program set on its own socket from, and returns the names of these options. What from has
// like any new socket of its kind was left alone by the program, and is by Copy. O_NONBLOCK is not copied. The error is that
// from cannot be compared; options that to refuses are left out.
func Copy(from, to int) (set []string, err error) {
	fresh, err := LikeNew(from)
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

// Setting is an option and the value that a program gave it.
type Setting struct {
	option option
	value  string
}

// Inherited returns what a program set on its listener, or on a socket that is to be one, as far as the connections that it
// accepts have it too.
func Inherited(listener int) ([]Setting, error) {
	fresh, err := LikeNew(listener)
	if err != nil {
		return nil, fmt.Errorf("options of a listener: %w", err)
	}
	defer unix.Close(fresh)
	var all []Setting
	for _, o := range options() {
		if o.level == unix.IPPROTO_TCP && (o.number == unix.TCP_DEFER_ACCEPT || o.number == unix.TCP_FASTOPEN || o.number == unix.TCP_SYNCNT) {
			continue // these are for accepting and connecting
		}
		usual, known := o.get(fresh)
		if is, ok := o.get(listener); known && ok && is != usual {
			all = append(all, Setting{o, is})
		}
	}
	return all, nil
}

// Set sets the options on a connection. What it refuses is left out.
func Set(connection int, settings []Setting) {
	for _, s := range settings {
		s.option.set(connection, s.value)
	}
}

// Settable tells whether an option is one of those that Copy and Inherited know.
func Settable(level, number int) bool {
	return slices.ContainsFunc(options(), func(o option) bool { return o.level == level && o.number == number })
}

// LikeNew opens a socket of the same domain, type and protocol, close-on-exec.
func LikeNew(fd int) (int, error) {
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
