package server

import (
	"encoding/binary"
	"net"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// addr returns the address as package net gives it: a *net.TCPAddr or a *net.UnixAddr.
func (p *peer) addr() net.Addr {
	switch p.raw.Addr.Family {
	case unix.AF_INET:
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(&p.raw))
		return &net.TCPAddr{IP: net.IP{a.Addr[0], a.Addr[1], a.Addr[2], a.Addr[3]}, Port: port(&a.Port)}
	case unix.AF_INET6:
		a := (*unix.RawSockaddrInet6)(unsafe.Pointer(&p.raw))
		return &net.TCPAddr{IP: append(net.IP(nil), a.Addr[:]...), Port: port(&a.Port), Zone: zone(a.Scope_id)}
	case unix.AF_UNIX:
		return &net.UnixAddr{Name: p.path(), Net: "unix"}
	}
	return &net.UnixAddr{Net: "unix"}
}

// port is in the network's byte order.
func port(p *uint16) int { return int(binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(p))[:])) }

// zone is the name of a link, of which a link-local address is.
func zone(index uint32) string {
	if index == 0 {
		return ""
	}
	if i, err := net.InterfaceByIndex(int(index)); err == nil {
		return i.Name
	}
	return strconv.Itoa(int(index))
}

// path is a unix socket's name. As in package net a leading NUL, of abstract names, is written @, which is also what a socket
// without name is called.
func (p *peer) path() string {
	a := (*unix.RawSockaddrUnix)(unsafe.Pointer(&p.raw))
	name := []byte{'@'}
	for i := range min(len(a.Path), max(int(p.size)-2, 0)) {
		switch c := byte(a.Path[i]); {
		case c != 0 && i == 0:
			name[0] = c
		case c != 0:
			name = append(name, c)
		case i > 0:
			return string(name)
		}
	}
	return string(name)
}

// localOf returns the address of our end of a connection.
func localOf(fd int) net.Addr {
	var p peer
	p.size = unix.SizeofSockaddrAny
	unix.RawSyscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&p.raw)), uintptr(unsafe.Pointer(&p.size)))
	return p.addr()
}
