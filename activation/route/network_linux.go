package route

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation/handoff"
	"github.com/rouse-server/rouse/platform"
)

// mostTries is how many ports are tried for a backend that wants any of its list.
const mostTries = 4096

// open makes the socket: non-blocking, close-on-exec, and TCP, not MPTCP. Where the error wraps EINPROGRESS, it connects still.
func (n Network) open(ctx context.Context, r handoff.NetworkRequest) (fd int, local netip.AddrPort, err error) {
	if fd, err = newStream(r); err != nil {
		return -1, local, err
	}
	if r.Operation == "listen" {
		err = n.listen(fd, r)
	} else {
		err = connect(ctx, fd, r)
	}
	if err != nil && !errors.Is(err, unix.EINPROGRESS) {
		unix.Close(fd)
		return -1, local, err
	}
	sa, failed := unix.Getsockname(fd)
	if failed != nil {
		unix.Close(fd)
		return -1, local, os.NewSyscallError("getsockname", failed)
	}
	return fd, addressOf(sa), err
}

func newStream(r handoff.NetworkRequest) (int, error) {
	domain := unix.AF_INET
	if r.Family == 6 {
		domain = unix.AF_INET6
	}
	fd, err := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	for _, o := range []struct {
		level, option int
		on, exists    bool
	}{
		{unix.SOL_SOCKET, unix.SO_REUSEADDR, r.ReuseAddress, true},
		{unix.SOL_SOCKET, unix.SO_REUSEPORT, r.ReusePort, true},
		{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, r.Only6, r.Family == 6},
	} {
		value := 0
		if o.on {
			value = 1
		}
		if !o.exists {
			continue
		}
		if err := unix.SetsockoptInt(fd, o.level, o.option, value); err != nil {
			unix.Close(fd)
			return -1, os.NewSyscallError("setsockopt", err)
		}
	}
	return fd, nil
}

// listen binds the socket, and lets it listen where a backlog is given.
func (n Network) listen(fd int, r handoff.NetworkRequest) error {
	if err := n.bind(fd, r); err != nil || r.Backlog <= 0 {
		return err
	}
	return os.NewSyscallError("listen", unix.Listen(fd, r.Backlog))
}

// bind binds the socket. For port 0 it takes one that the list has: the kernel's choice where the list has all, else by trying
// them in turn, beginning anywhere.
func (n Network) bind(fd int, r handoff.NetworkRequest) error {
	a, port := r.Local.Addr(), r.Local.Port()
	if port != 0 {
		return bindTo(fd, a, port)
	}
	tries := 0
	for _, list := range n.choice(&r) {
		if list.First == services && list.Last == 65535 {
			return bindTo(fd, a, 0)
		}
		size := int(list.Last) - int(list.First) + 1
		first := rand.IntN(size)
		for i := 0; i < size && tries < mostTries; i, tries = i+1, tries+1 {
			port := list.First + uint16((first+i)%size)
			if err := bindTo(fd, a, port); !errors.Is(err, unix.EADDRINUSE) && !errors.Is(err, unix.EACCES) {
				return err
			}
		}
	}
	return fmt.Errorf("none of the ports in its list is free: %w", unix.EADDRINUSE)
}

// services is the first port that does not stand for a service.
const services = 1024

// choice returns the ports that a request for any port may have, those of services only where there are no others.
func (n Network) choice(r *handoff.NetworkRequest) []Ports {
	var others []Ports
	all := n.ports(r)
	for _, list := range all {
		if list.Last >= services {
			others = append(others, Ports{max(list.First, services), list.Last})
		}
	}
	if len(others) > 0 {
		return others
	}
	return all
}

func bindTo(fd int, a netip.Addr, port uint16) error {
	if err := unix.Bind(fd, sockaddr(netip.AddrPortFrom(a, port))); err != nil {
		return fmt.Errorf("bind %s: %w", netip.AddrPortFrom(a.Unmap(), port), err)
	}
	return nil
}

// connect binds the socket if asked to, and connects it, which only a request with NoWait does not wait for.
func connect(ctx context.Context, fd int, r handoff.NetworkRequest) error {
	if r.Local.IsValid() {
		if r.Local.Port() == 0 { // the port is chosen for the whole connection, of which there may be more than ports
			_ = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		}
		if err := unix.Bind(fd, sockaddr(r.Local)); err != nil {
			return fmt.Errorf("bind %s: %w", unmapped(r.Local), err)
		}
	}
	err := unix.Connect(fd, sockaddr(r.Remote))
	if errors.Is(err, unix.EINPROGRESS) && !r.NoWait {
		err = platform.WaitConnected(ctx, fd)
	}
	if err != nil {
		return fmt.Errorf("connect to %s: %w", unmapped(r.Remote), err)
	}
	return nil
}

// sockaddr is for a socket of the address's family, IPv4 that is mapped into IPv6 included.
func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
	}
	return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
}

func addressOf(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
	}
	return netip.AddrPort{}
}
