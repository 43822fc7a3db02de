package platform

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
)

// address returns the family of a socket's address and its text, as net's functions read it.
func address(fd int, sa unix.Sockaddr) (Family, string) {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return IPv4, netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)).String()
	case *unix.SockaddrInet6:
		host := netip.AddrFrom16(sa.Addr).String()
		if sa.ZoneId != 0 {
			host += "%" + zone(int(sa.ZoneId))
		}
		return IPv6, net.JoinHostPort(host, strconv.Itoa(sa.Port))
	case *unix.SockaddrUnix:
		if sa.Name == "@" { // what x/sys makes of no name at all: it takes the zero bytes for an abstract one
			return Unix, ""
		}
		return Unix, sa.Name
	}
	return familyOf(fd), ""
}

// hasName tells whether the address is one that somebody bound: for a unix socket, any; for the others, one with a port.
func hasName(sa unix.Sockaddr) bool {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return sa.Port != 0
	case *unix.SockaddrInet6:
		return sa.Port != 0
	case *unix.SockaddrUnix:
		return sa.Name != "" && sa.Name != "@"
	}
	return false
}

func zone(index int) string {
	if i, err := net.InterfaceByIndex(index); err == nil {
		return i.Name
	}
	return strconv.Itoa(index)
}

func family(domain int) Family {
	switch domain {
	case unix.AF_INET:
		return IPv4
	case unix.AF_INET6:
		return IPv6
	case unix.AF_UNIX:
		return Unix
	}
	return Family(fmt.Sprintf("family %d", domain))
}

// usualProtocol is the protocol of a socket whose number the kernel does not tell.
func usualProtocol(s Socket) string {
	switch {
	case s.Family == Unix:
		return "unix"
	case s.Type == Stream:
		return "tcp"
	case s.Type == Datagram:
		return "udp"
	}
	return "unknown"
}
