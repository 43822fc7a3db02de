package socketoptions

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// option is one that getsockopt(2) gives and setsockopt(2) takes in the same form.
type option struct {
	name   string
	level  int
	number int
	size   int // in bytes, at most
}

// options are those that a program may set on a socket before bind or after it, and that its connections inherit or that
// change what it receives. Those that matter to bind only are left out: SO_REUSEADDR, SO_REUSEPORT, IPV6_V6ONLY, IP_FREEBIND,
// IP_TRANSPARENT, SO_BINDTODEVICE. The order counts: a type of service sets the priority as well, and a low-water mark or a
// size of a buffer the locks of buffers.
func options() []option {
	const sol, ip, ip6, tcp = unix.SOL_SOCKET, unix.IPPROTO_IP, unix.IPPROTO_IPV6, unix.IPPROTO_TCP
	return []option{
		{"IP_TOS", ip, unix.IP_TOS, 4}, {"IP_TTL", ip, unix.IP_TTL, 4}, {"IP_PKTINFO", ip, unix.IP_PKTINFO, 4},
		{"IP_RECVTTL", ip, unix.IP_RECVTTL, 4}, {"IP_RECVTOS", ip, unix.IP_RECVTOS, 4}, {"IP_RECVERR", ip, unix.IP_RECVERR, 4},
		{"IP_RECVORIGDSTADDR", ip, unix.IP_RECVORIGDSTADDR, 4}, {"IP_MTU_DISCOVER", ip, unix.IP_MTU_DISCOVER, 4},
		{"IP_MULTICAST_TTL", ip, unix.IP_MULTICAST_TTL, 4}, {"IP_MULTICAST_LOOP", ip, unix.IP_MULTICAST_LOOP, 4},
		{"IPV6_RECVPKTINFO", ip6, unix.IPV6_RECVPKTINFO, 4}, {"IPV6_RECVHOPLIMIT", ip6, unix.IPV6_RECVHOPLIMIT, 4},
		{"IPV6_TCLASS", ip6, unix.IPV6_TCLASS, 4}, {"IPV6_RECVTCLASS", ip6, unix.IPV6_RECVTCLASS, 4},
		{"IPV6_RECVERR", ip6, unix.IPV6_RECVERR, 4}, {"IPV6_MTU_DISCOVER", ip6, unix.IPV6_MTU_DISCOVER, 4},
		{"SO_KEEPALIVE", sol, unix.SO_KEEPALIVE, 4}, {"SO_OOBINLINE", sol, unix.SO_OOBINLINE, 4}, {"SO_LINGER", sol, unix.SO_LINGER, 8},
		{"SO_RCVLOWAT", sol, unix.SO_RCVLOWAT, 4}, {"SO_RCVTIMEO", sol, unix.SO_RCVTIMEO, 16}, {"SO_SNDTIMEO", sol, unix.SO_SNDTIMEO, 16},
		{"SO_BROADCAST", sol, unix.SO_BROADCAST, 4}, {"SO_PASSCRED", sol, unix.SO_PASSCRED, 4},
		{"SO_TIMESTAMP", sol, unix.SO_TIMESTAMP, 4}, {"SO_TIMESTAMPNS", sol, unix.SO_TIMESTAMPNS, 4},
		{"SO_PRIORITY", sol, unix.SO_PRIORITY, 4}, {"SO_MARK", sol, unix.SO_MARK, 4}, {"SO_BUSY_POLL", sol, unix.SO_BUSY_POLL, 4},
		{"SO_RXQ_OVFL", sol, unix.SO_RXQ_OVFL, 4}, {"SO_ZEROCOPY", sol, unix.SO_ZEROCOPY, 4},
		{"SO_RCVBUF", sol, unix.SO_RCVBUF, 4}, {"SO_SNDBUF", sol, unix.SO_SNDBUF, 4}, {"SO_BUF_LOCK", sol, unix.SO_BUF_LOCK, 4},
		{"TCP_NODELAY", tcp, unix.TCP_NODELAY, 4}, {"TCP_DEFER_ACCEPT", tcp, unix.TCP_DEFER_ACCEPT, 4},
		{"TCP_KEEPIDLE", tcp, unix.TCP_KEEPIDLE, 4}, {"TCP_KEEPINTVL", tcp, unix.TCP_KEEPINTVL, 4}, {"TCP_KEEPCNT", tcp, unix.TCP_KEEPCNT, 4},
		{"TCP_USER_TIMEOUT", tcp, unix.TCP_USER_TIMEOUT, 4}, {"TCP_FASTOPEN", tcp, unix.TCP_FASTOPEN, 4},
		{"TCP_LINGER2", tcp, unix.TCP_LINGER2, 4}, {"TCP_SYNCNT", tcp, unix.TCP_SYNCNT, 4}, {"TCP_CORK", tcp, unix.TCP_CORK, 4},
		{"TCP_CONGESTION", tcp, unix.TCP_CONGESTION, 16},
	}
}

// get returns the value as bytes, and not ok where the socket has no such option.
func (o option) get(fd int) (value string, ok bool) {
	var b [16]byte
	size := uint32(o.size)
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(o.level), uintptr(o.number),
		uintptr(unsafe.Pointer(&b)), uintptr(unsafe.Pointer(&size)), 0)
	if o.level == unix.SOL_SOCKET && o.number == unix.SO_LINGER && [4]byte(b[:4]) == [4]byte{} {
		clear(b[4:]) // the kernel keeps the seconds of one that is off
	}
	return string(b[:min(size, uint32(o.size))]), errno == 0
}

// set returns whether the value was taken.
func (o option) set(fd int, value string) bool {
	if o.level == unix.SOL_SOCKET && (o.number == unix.SO_RCVBUF || o.number == unix.SO_SNDBUF) {
		return o.setBuffer(fd, value)
	}
	return o.setBytes(fd, []byte(value)) == nil
}

// setBuffer sets half, since the kernel takes twice what it is told (socket(7)). Above the limit of the system it needs
// CAP_NET_ADMIN.
func (o option) setBuffer(fd int, value string) bool {
	forced := o
	forced.number = unix.SO_RCVBUFFORCE
	if o.number == unix.SO_SNDBUF {
		forced.number = unix.SO_SNDBUFFORCE
	}
	half := []byte(value)
	if len(half) != 4 {
		return false
	}
	*(*int32)(unsafe.Pointer(&half[0])) /= 2
	return forced.setBytes(fd, half) == nil || o.setBytes(fd, half) == nil
}

func (o option) setBytes(fd int, b []byte) error {
	if len(b) == 0 {
		return unix.EINVAL
	}
	return unix.SetsockoptString(fd, o.level, o.number, string(b))
}
