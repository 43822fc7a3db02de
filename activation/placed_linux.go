package activation

import (
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
)

// inside runs f in the network namespace of the address: what is opened there stays there (network_namespaces(7)).
func (a Address) inside(f func() error) error {
	name := a.Options.Get("namespace")
	if name == "" {
		return f()
	}
	path := name
	if !strings.Contains(name, "/") {
		path = filepath.Join("/run/netns", name) // where ip-netns(8) keeps them
	}
	done := make(chan error, 1)
	platform.OnOwnThread(func() { done <- enter(path, f) })
	return <-done
}

func enter(path string, f func() error) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("namespace %s: %w: name one of ip netns, or the path of one", path, err)
	}
	defer unix.Close(fd)
	switch err := unix.Setns(fd, unix.CLONE_NEWNET); err {
	case nil:
		return f()
	case unix.EPERM:
		return fmt.Errorf("namespace %s: this user may not enter it: give Rouse CAP_SYS_ADMIN: %w", path, err)
	case unix.EINVAL:
		return fmt.Errorf("namespace %s is no network namespace: %w", path, err)
	default:
		return fmt.Errorf("namespace %s: %w", path, err)
	}
}

func bindToInterface(fd int, name string, _ bool) error { return unix.BindToDevice(fd, name) }

// setTransparent lets a socket have addresses that are not this machine's, on both ends (ip(7)).
func setTransparent(fd int, six bool) error {
	if six {
		return unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_TRANSPARENT, 1)
	}
	return unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_TRANSPARENT, 1)
}

// setFreebind lets a socket be bound to an address that this machine does not have, or not yet.
func setFreebind(fd int, six bool) error {
	if six {
		return unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_FREEBIND, 1)
	}
	return unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_FREEBIND, 1)
}
