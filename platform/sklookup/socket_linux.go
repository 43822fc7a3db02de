package sklookup

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
	"github.com/rouse-server/rouse/platform/socketoptions"
)

// FrontOf tells what front a socket is: a TCP listener or a bound UDP socket. It has no slot of its own and no rules, and
// passes all.
func FrontOf(fd int) (Front, error) {
	f := Front{Own: Pass, Otherwise: Pass}
	info, err := platform.Describe(fd)
	if err != nil {
		return f, err
	}
	switch {
	case info.Type == platform.Stream && info.Family != platform.Unix && info.State == platform.Listening:
		f.Protocol = unix.IPPROTO_TCP
	case info.Type == platform.Datagram && info.Family != platform.Unix && info.State == platform.Bound:
		f.Protocol = unix.IPPROTO_UDP
	default:
		return f, fmt.Errorf("descriptor %d is no TCP listener and no bound UDP socket", fd)
	}
	local, err := unix.Getsockname(fd)
	if err != nil {
		return f, err
	}
	switch local := local.(type) {
	case *unix.SockaddrInet4:
		f.Local = netip.AddrPortFrom(netip.AddrFrom4(local.Addr), uint16(local.Port))
	case *unix.SockaddrInet6:
		f.Local = netip.AddrPortFrom(netip.AddrFrom16(local.Addr), uint16(local.Port))
		only, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		f.Dual = err == nil && only == 0 && local.Addr == [16]byte{}
	}
	f.Interface, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX)
	if err != nil && !errors.Is(err, unix.ENOPROTOOPT) {
		return f, err
	}
	return f, nil
}

// Transparent tells whether the socket takes clients of other addresses and ports than its own (IP_TRANSPARENT, ip(7)): then the
// kernel asks by the socket's address (TPROXY), and rules on local addresses are not for it.
func Transparent(fd int) bool {
	for _, option := range [][2]int{{unix.IPPROTO_IP, unix.IP_TRANSPARENT}, {unix.IPPROTO_IPV6, unix.IPV6_TRANSPARENT}} {
		if n, err := unix.GetsockoptInt(fd, option[0], option[1]); err == nil && n != 0 {
			return true
		}
	}
	return false
}

// Shares tells whether other sockets may be bound where this one is (SO_REUSEPORT, socket(7)).
func Shares(fd int) bool {
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT)
	return err == nil && n != 0
}

// NamespaceOf returns the network namespace that a socket is in (SIOCGSKNS, Linux 4.10; it needs CAP_NET_ADMIN there).
func NamespaceOf(fd int) (*os.File, error) {
	n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCGSKNS, 0)
	if errno != 0 {
		return nil, fmt.Errorf("network namespace of descriptor %d: %w", fd, errno)
	}
	unix.CloseOnExec(int(n))
	return os.NewFile(n, "network namespace"), nil
}

// CookieOf returns what the kernel knows a socket by, as long as the machine runs.
func CookieOf(fd int) (uint64, error) {
	return unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
}

// Behind makes a socket that is like the front's and in its network namespace, but that gets only what it is put into a slot for. One of
// TCP listens, on an address that no packet is for; one of UDP has the front's own address, from which it answers, and for
// which the front has to have SO_REUSEPORT. The descriptor is close-on-exec and blocks.
func Behind(front int) (fd int, err error) {
	f, err := FrontOf(front)
	if err != nil {
		return -1, err
	}
	err = inNamespaceOf(front, func() (err error) {
		fd, err = behind(front, f)
		return err
	})
	return fd, err
}

// behind does it in the network namespace of the calling thread.
func behind(front int, f Front) (int, error) {
	family, err := unix.GetsockoptInt(front, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return -1, err
	}
	kind := unix.SOCK_STREAM
	if f.Protocol == unix.IPPROTO_UDP {
		kind = unix.SOCK_DGRAM
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, f.Protocol)
	if err != nil {
		return -1, err
	}
	if err = prepare(fd, front, family, f); err == nil {
		if f.Protocol == unix.IPPROTO_UDP {
			err = bindUDP(fd, front)
		} else {
			err = listen(fd, front, family, f)
		}
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// prepare gives the socket the options of the front.
func prepare(fd, front, family int, f Front) error {
	same := func(level, option int) error {
		n, err := unix.GetsockoptInt(front, level, option)
		if err != nil || n == 0 {
			return nil // most need a privilege only when they are set
		}
		return os.NewSyscallError("setsockopt", unix.SetsockoptInt(fd, level, option, n))
	}
	errs := []error{
		same(unix.SOL_SOCKET, unix.SO_REUSEPORT), same(unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX),
		same(unix.IPPROTO_IP, unix.IP_TRANSPARENT), unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_FREEBIND, 1),
	}
	if family == unix.AF_INET6 {
		only := 0
		if f.families() == IPv6 {
			only = 1
		}
		errs = append(errs, unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only))
	}
	if f.Protocol == unix.IPPROTO_UDP && f.Local.Addr().IsUnspecified() {
		// A server that answers from where it was asked sets this too late for what is queued before (ip(7), IP_PKTINFO).
		errs = append(errs, unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1))
		if family == unix.AF_INET6 {
			errs = append(errs, unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1))
		}
	}
	_, err := socketoptions.Copy(front, fd)
	return errors.Join(append(errs, err)...)
}

// bindUDP binds the socket to the front's address.
func bindUDP(fd, front int) error {
	local, err := unix.Getsockname(front)
	if err != nil {
		return err
	}
	err = unix.Bind(fd, local)
	if errors.Is(err, unix.EADDRINUSE) {
		return fmt.Errorf("bind: the front is another user's, or has no SO_REUSEPORT (ReusePort=yes in systemd, ?reuse-port=yes): %w", err)
	}
	return os.NewSyscallError("bind", err)
}

// listen binds the socket to an address that packets never have, and listens. It has the port of the front, unless nobody
// else can have that: the front has it on all addresses and without SO_REUSEPORT, or it is privileged.
func listen(fd, front, family int, f Front) error {
	port := f.Local.Port()
	if f.Local.Addr().Unmap().IsUnspecified() && !Shares(front) {
		port = 0
	}
	err := bindNowhere(fd, family, f.families(), port)
	if port != 0 && (errors.Is(err, unix.EADDRINUSE) || errors.Is(err, unix.EACCES)) {
		err = bindNowhere(fd, family, f.families(), 0)
	}
	if err != nil {
		return os.NewSyscallError("bind", err)
	}
	// Its connections have the front's port. Without this nobody could bind that again as long as one of them is there
	// (socket(7)); set before the bind it would let two have one address until they listen.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	return os.NewSyscallError("listen", unix.Listen(fd, backlog(front)))
}

// bindNowhere binds the socket to one of the addresses that are free. It begins anywhere: with SO_REUSEPORT all are free.
func bindNowhere(fd, family int, takes Families, port uint16) error {
	cookie, err := CookieOf(fd)
	for n := range uint64(nowhere) {
		err = unix.Bind(fd, nowhereAddress(family, takes, int((cookie+n)%nowhere), port))
		if !errors.Is(err, unix.EADDRINUSE) {
			return err
		}
	}
	return err
}

// nowhere is how many addresses there are for listeners.
const nowhere = 3 * 254

// nowhereAddress is one of the addresses for documentation (RFC 5737), or of those to be discarded (RFC 6666). A socket that
// takes both families has to be bound to one of IPv4: bound to one of IPv6 it would take that alone.
func nowhereAddress(family int, takes Families, n int, port uint16) unix.Sockaddr {
	four := [3][4]byte{{192, 0, 2}, {198, 51, 100}, {203, 0, 113}}[n/254]
	four[3] = byte(1 + n%254)
	if family == unix.AF_INET {
		return &unix.SockaddrInet4{Port: int(port), Addr: four}
	}
	if takes == IPv6 {
		return &unix.SockaddrInet6{Port: int(port), Addr: [16]byte{0: 1, 14: byte((n + 1) >> 8), 15: byte(n + 1)}}
	}
	return &unix.SockaddrInet6{Port: int(port), Addr: netip.AddrFrom4(four).As16()}
}

// backlog is how many clients may wait at a listener (tcp_get_info in net/ipv4/tcp.c of Linux).
func backlog(fd int) int {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil || info.Sacked == 0 {
		return unix.SOMAXCONN
	}
	return int(info.Sacked)
}

// inNamespaceOf runs f in the network namespace of a socket.
func inNamespaceOf(fd int, f func() error) error {
	namespace, err := NamespaceOf(fd)
	if err != nil {
		return err
	}
	defer namespace.Close()
	if isOurs(namespace) {
		return f()
	}
	done := make(chan error)
	platform.OnOwnThread(func() {
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter the network namespace: %w", err)
			return
		}
		done <- f()
	})
	return <-done
}

// isOurs tells whether the calling thread is in the namespace.
func isOurs(namespace *os.File) bool {
	var theirs, ours unix.Stat_t
	return unix.Fstat(int(namespace.Fd()), &theirs) == nil && unix.Stat("/proc/thread-self/ns/net", &ours) == nil &&
		theirs.Ino == ours.Ino && theirs.Dev == ours.Dev
}
