package inetd

import (
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
)

// front is a listening socket whose connections are taken as accept(2) gives them: package net would have the runtime watch each
// of them, and change its options.
type front struct {
	file *os.File // a duplicate
	raw  syscall.RawConn
	was  int // the status flags of the socket
	turn sync.Mutex
}

// openFront takes a listening socket, which does not block until close. Somebody else may have it too, and accept.
func openFront(fd int) (*front, error) {
	was, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return nil, err
	}
	number, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(number, true); err != nil {
		unix.Close(number)
		return nil, err
	}
	f := &front{file: os.NewFile(uintptr(number), "listener"), was: was}
	if f.raw, err = f.file.SyscallConn(); err != nil {
		f.file.Close()
		return nil, err
	}
	return f, nil
}

// close leaves the socket as it was.
func (f *front) close() {
	if f.was&unix.O_NONBLOCK == 0 {
		_ = f.raw.Control(func(fd uintptr) { unix.SetNonblock(int(fd), false) })
	}
	f.file.Close()
}

// wake ends readable and accept, from now on.
func (f *front) wake() { f.file.SetReadDeadline(time.Unix(1, 0)) }

// readable waits for a client and takes nothing.
func (f *front) readable() error {
	return f.raw.Read(func(fd uintptr) bool { return platform.Readable(int(fd)) })
}

// accept takes a client, and waits for one or returns EAGAIN.
func (f *front) accept(waits bool) (fd int, client unix.Sockaddr, err error) {
	var failed error
	err = f.raw.Read(func(listener uintptr) bool {
		for {
			fd, client, failed = acceptOne(int(listener))
			if failed != unix.EINTR {
				return !waits || failed != unix.EAGAIN
			}
		}
	})
	if err == nil {
		err = failed
	}
	return fd, client, err
}

// transient tells whether an error of accept(2) is about the one client that it would have been.
func transient(err error) bool {
	switch err {
	case unix.ECONNABORTED, unix.EPERM, unix.EPROTO, unix.ENETDOWN, unix.ENOPROTOOPT, unix.EHOSTDOWN, unix.EHOSTUNREACH,
		unix.EOPNOTSUPP, unix.ENETUNREACH, unix.ETIMEDOUT:
		return true
	}
	return false
}

// addrPort returns an address of IP, one of IPv4 as such also where it came as IPv6 (RFC 4291 §2.5.5.2). Of others it is not valid.
func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		a := netip.AddrFrom16(sa.Addr).Unmap()
		if sa.ZoneId != 0 && a.Is6() {
			a = a.WithZone(zone(int(sa.ZoneId)))
		}
		return netip.AddrPortFrom(a, uint16(sa.Port))
	}
	return netip.AddrPort{}
}

func zone(index int) string {
	if i, err := net.InterfaceByIndex(index); err == nil {
		return i.Name
	}
	return strconv.Itoa(index)
}
