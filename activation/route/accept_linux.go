package route

import (
	"encoding/binary"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// acceptRaw takes the next client from the queue; EAGAIN when there is none. The connection blocks, as accept(2) gives it, and
// no option is changed: who gets it decides. (unix.Accept4 would ask for the protocol too, for each connection.)
func acceptRaw(fd int) (int, syscall.Sockaddr, error) { return syscall.Accept4(fd, unix.SOCK_CLOEXEC) }

// localOf is getsockname(2); nil where it fails. As it never waits, Go's scheduler is not told of the call: a process that was
// idle until now would wake its monitor thread first.
func localOf(fd int) syscall.Sockaddr {
	var local unix.RawSockaddrAny
	size := uint32(unix.SizeofSockaddrAny)
	_, _, errno := unix.RawSyscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&local)), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return nil
	}
	return socketAddress(&local)
}

// socketAddress reads an address of IPv4 or IPv6; nil of others.
func socketAddress(a *unix.RawSockaddrAny) syscall.Sockaddr {
	port := func(p *uint16) int { return int(binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(p))[:])) }
	switch a.Addr.Family {
	case unix.AF_INET:
		a := (*unix.RawSockaddrInet4)(unsafe.Pointer(a))
		return &syscall.SockaddrInet4{Addr: a.Addr, Port: port(&a.Port)}
	case unix.AF_INET6:
		a := (*unix.RawSockaddrInet6)(unsafe.Pointer(a))
		return &syscall.SockaddrInet6{Addr: a.Addr, Port: port(&a.Port), ZoneId: a.Scope_id}
	}
	return nil
}

// duplicate is dup(2), close-on-exec.
func duplicate(fd int) (int, error) { return unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3) }

// waitingAt is how many clients are in the queue of a listening socket (tcpi_unacked of TCP_INFO counts them there, tcp(7)); -1
// where the kernel does not tell, as of unix sockets.
func waitingAt(fd int) int {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return -1
	}
	return int(info.Unacked)
}

// isTransparent tells whether the socket takes connections to addresses that are not this machine's.
func isTransparent(fd int) bool {
	v4, err4 := unix.GetsockoptInt(fd, unix.SOL_IP, unix.IP_TRANSPARENT)
	v6, err6 := unix.GetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_TRANSPARENT)
	return err4 == nil && v4 != 0 || err6 == nil && v6 != 0
}

// clearTransparent takes that from an accepted connection, which needs it no more.
func clearTransparent(fd int) {
	unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_TRANSPARENT, 0) // of IPv6 sockets alone
	unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_TRANSPARENT, 0)
}

// hungUp tells whether the other side of a connection says nothing more.
func hungUp(fd int) bool {
	polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	unix.Poll(polled, 0)
	return polled[0].Revents&(unix.POLLRDHUP|unix.POLLHUP|unix.POLLERR) != 0
}
