package handoff

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
)

// Accepts says what a receiver takes beyond TCP.
type Accepts struct {
	Unix bool // connections of unix sockets
}

// errGone says that a connection was one, but its client has reset it since.
var errGone = errors.New("its client has reset it")

// CheckConnection returns nil for the descriptor of a connected TCP (or MPTCP) socket, or unix stream socket where that is
// accepted. Else the error says what the descriptor is instead. It changes nothing.
func CheckConnection(fd int, a Accepts) error {
	if openTCP(fd) {
		return nil
	}
	s, err := describe(fd, platform.Stream)
	if err != nil {
		return err
	}
	if s.Family == platform.Unix && !a.Unix {
		return errors.New("it is a unix socket, which is taken only where accept=unix allows it")
	}
	switch s.State {
	case platform.Connected:
		return nil
	case platform.Listening:
		return fmt.Errorf("it listens on %s: a connection is expected", s.Local)
	}
	// A client that has gone leaves its error behind; a socket that never was connected has none.
	if pending, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); err == nil && pending != 0 {
		return fmt.Errorf("%w: %w", errGone, unix.Errno(pending))
	}
	return fmt.Errorf("it is not connected (%s socket, %s)", s.Protocol, s.State)
}

// CheckListener returns nil for the descriptor of a listening TCP, MPTCP or unix stream socket. Else the error says what
// the descriptor is instead.
func CheckListener(fd int) error {
	s, err := describe(fd, platform.Stream)
	if err != nil {
		return err
	}
	if s.State != platform.Listening {
		return fmt.Errorf("it does not listen (%s socket, %s): a listening socket is expected", s.Protocol, s.State)
	}
	return nil
}

// CheckPacket returns nil for the descriptor of a UDP socket with an address of its own and no peer. Else the error says
// what the descriptor is instead.
func CheckPacket(fd int) error {
	s, err := describe(fd, platform.Datagram)
	if err != nil {
		return err
	}
	if s.Family == platform.Unix {
		return errors.New("it is a unix socket: a UDP socket is expected")
	}
	if s.State != platform.Bound {
		return fmt.Errorf("it is %s: a UDP socket with an address and no peer is expected", s.State)
	}
	return nil
}

// describe tells what the descriptor is, and refuses what is no IPv4, IPv6 or unix socket of that type, or speaks neither
// TCP, MPTCP nor UDP.
func describe(fd int, kind string) (platform.Socket, error) {
	s, err := platform.Describe(fd)
	if err != nil {
		return s, err
	}
	switch s.Family {
	case platform.IPv4, platform.IPv6, platform.Unix:
	default:
		return s, fmt.Errorf("it is a socket of family %s: IPv4 or IPv6 is expected", s.Family)
	}
	if s.Type != kind {
		return s, fmt.Errorf("it is a %s socket (%s): a %s socket is expected", s.Type, s.Protocol, kind)
	}
	switch s.Protocol {
	case "tcp", "mptcp", "udp", "unix":
		return s, nil
	}
	return s, fmt.Errorf("it speaks %s: TCP or UDP is expected", s.Protocol)
}

// addresses returns the addresses of a connected socket, invalid ones where it is no IPv4 or IPv6 socket. IPv4 addresses in
// IPv6 form are as the kernel tells them.
func addresses(fd int) (client, local netip.AddrPort) {
	if sa, err := syscall.Getpeername(fd); err == nil { // unix.Getpeername asks for the protocol too
		client = addrPort(sa)
	}
	if sa, err := syscall.Getsockname(fd); err == nil {
		local = addrPort(sa)
	}
	return client, local
}

func addrPort(sa syscall.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *syscall.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *syscall.SockaddrInet6:
		address := netip.AddrFrom16(sa.Addr)
		if sa.ZoneId != 0 {
			address = address.WithZone(strconv.Itoa(int(sa.ZoneId)))
		}
		return netip.AddrPortFrom(address, uint16(sa.Port))
	}
	return netip.AddrPort{}
}
