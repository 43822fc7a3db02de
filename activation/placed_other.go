//go:build !linux

package activation

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// errLinux is not reached: an address with such an option is refused when it is read.
var errLinux = errors.New("this exists on Linux only")

func (a Address) inside(f func() error) error {
	if a.Options.Has("namespace") {
		return errLinux
	}
	return f()
}

// bindToInterface keeps the socket to what comes by one interface (IP_BOUND_IF, ip(4) of macOS).
func bindToInterface(fd int, name string, six bool) error {
	i, err := net.InterfaceByName(name)
	if err != nil {
		return unix.ENODEV
	}
	if six {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_BOUND_IF, i.Index)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BOUND_IF, i.Index)
}

func setTransparent(int, bool) error { return errLinux }

func setFreebind(int, bool) error { return errLinux }
