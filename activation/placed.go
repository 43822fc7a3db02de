package activation

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// listen binds a tcp address with its options.
func (a Address) listen(hostPort string) (l net.Listener, err error) {
	config := net.ListenConfig{Control: a.control}
	// Go listens with MPTCP by default; a socket that may be handed on has to be what other programs expect.
	config.SetMultipathTCP(false)
	err = a.inside(func() (err error) {
		l, err = config.Listen(context.Background(), a.network(hostPort), hostPort)
		return err
	})
	if err == nil && a.Options.Has("backlog") {
		if err = a.setBacklog(l.(*net.TCPListener)); err != nil {
			l.Close()
		}
	}
	return l, err
}

// listenPacket binds a udp address with its options.
func (a Address) listenPacket(hostPort string) (c net.PacketConn, err error) {
	config := net.ListenConfig{Control: a.control}
	err = a.inside(func() (err error) {
		c, err = config.ListenPacket(context.Background(), a.network(hostPort), hostPort)
		return err
	})
	return c, err
}

// setBacklog listens again: on a listening socket that sets the length of its queue (listen(2)).
func (a Address) setBacklog(l *net.TCPListener) error {
	n, _ := strconv.Atoi(a.Options.Get("backlog"))
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.Listen(int(fd), n) }); err != nil {
		return err
	}
	return failed
}

// control sets the options of a socket before it is bound.
func (a Address) control(network, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) {
		for _, option := range []struct {
			name string
			set  func(fd int, six bool) error
		}{
			{"interface", func(fd int, six bool) error { return bindToInterface(fd, a.Options.Get("interface"), six) }},
			{"transparent", setTransparent},
			{"freebind", setFreebind},
			{"reuse-port", func(fd int, _ bool) error {
				return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
			}},
		} {
			value := a.Options.Get(option.name)
			if value == "" || value == "no" || failed != nil {
				continue
			}
			if err := option.set(int(fd), network[3:] == "6"); err != nil {
				failed = optionError(option.name, value, err)
			}
		}
	})
	if err != nil {
		return err
	}
	return failed
}

// optionError says what an option cannot have, and what to do.
func optionError(name, value string, err error) error {
	switch err {
	case unix.EPERM:
		return fmt.Errorf("%s=%s is not allowed to this user: give Rouse CAP_NET_ADMIN (AmbientCapabilities= in a unit), or leave it out: %w", name, value, err)
	case unix.ENODEV, unix.ENXIO:
		return fmt.Errorf("%s=%s: there is no such network interface here: %w", name, value, err)
	}
	return fmt.Errorf("%s=%s: %w", name, value, err)
}
