package wake

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestNetworkProgram is the program that the tests of the dispatcher's sockets start: it has a network namespace of its own, in
// which nothing but the loopback interface is up.
func TestNetworkProgram(t *testing.T) {
	name := os.Getenv("WAKE_NETWORK_PROGRAM")
	if name == "" {
		return // runs in a process that other tests start
	}
	time.AfterFunc(2*patient, func() { unix.Exit(99) })
	if os.Getenv("WAKE_NETWORK_INSIDE") == "" {
		runtime.LockOSThread()
		must(unix.Unshare(unix.CLONE_NEWNET))
		must(interfaceUp("lo", [4]byte{127, 0, 0, 1}))
		must(syscall.Exec("/proc/self/exe", os.Args, append(os.Environ(), "WAKE_NETWORK_INSIDE=1"))) // all threads are there then
	}
	way, ok := networkProgram{netip.MustParseAddrPort(os.Getenv("WAKE_NETWORK_PEER"))}.ways()[name]
	if !ok {
		unix.Exit(97)
	}
	way()
	unix.Exit(0)
}

// interfaceUp gives an interface an address.
func interfaceUp(name string, a [4]byte) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := r.SetInet4Addr(a[:]); err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFADDR, r); err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
}

// networkProgram makes plain system calls, as C programs do. peer listens in the other network.
type networkProgram struct{ peer netip.AddrPort }

func (p networkProgram) ways() map[string]func() {
	return map[string]func(){
		"passive": p.passive, "passive mapped": p.passiveMapped, "active": p.active, "any source": p.anySource,
		"blocking": p.blocking, "nonblocking": p.nonblocking, "refused": p.refused, "full": p.full, "again": p.again,
		"list": p.list, "inside": p.inside, "go": p.goProgram, "away": p.away, "udp": p.packets,
	}
}

// expect ends the program when two values are not the same.
func expect(what string, got, want any) {
	if got != want {
		fmt.Fprintf(os.Stderr, "program: %s: %v, want %v\n", what, got, want)
		unix.Exit(96)
	}
}

func to4(a netip.AddrPort) unix.Sockaddr {
	return &unix.SockaddrInet4{Addr: a.Addr().As4(), Port: int(a.Port())}
}

func to6(a netip.AddrPort) unix.Sockaddr {
	return &unix.SockaddrInet6{Addr: a.Addr().As16(), Port: int(a.Port())}
}

// own is the socket's own address.
func ownAddress(fd int) netip.AddrPort {
	sa, err := unix.Getsockname(fd)
	must(err)
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// says writes to a connection, and wants the echo.
func says(fd int, text string) {
	must(unix.SetNonblock(fd, false))
	_, err := unix.Write(fd, []byte(text))
	must(err)
	b := make([]byte, 64)
	n, err := unix.Read(fd, b)
	must(err)
	expect("the echo", string(b[:n]), text)
	unix.Close(fd)
}

// passive waits for a connection at any port, and asks the peer for it, as an FTP server does in passive mode.
func (p networkProgram) passive() {
	p.await(unix.AF_INET, &unix.SockaddrInet4{})
}

// passiveMapped does so at an IPv4 address that is written as an IPv6 one.
func (p networkProgram) passiveMapped() {
	p.await(unix.AF_INET6, to6(netip.MustParseAddrPort("[::ffff:192.0.2.1]:0")))
}

func (p networkProgram) await(domain int, at unix.Sockaddr) {
	fd := socketOf(domain, unix.SOCK_STREAM)
	must(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1))
	must(unix.Bind(fd, at))
	bound := ownAddress(fd) // before it listens
	expect("a port", bound.Port() != 0, true)
	expect("a second bind", unix.Bind(fd, v4(1)), error(unix.EINVAL))
	must(unix.Listen(fd, 1))
	expect("the address when it listens", ownAddress(fd), bound)
	control := socketOf(unix.AF_INET, unix.SOCK_STREAM)
	must(unix.Connect(control, to4(p.peer)))
	_, err := fmt.Fprintf(fdWriter(control), "connect to %d\n", bound.Port())
	must(err)
	conn, from, err := unix.Accept(fd)
	must(err)
	switch from := from.(type) {
	case *unix.SockaddrInet4:
		expect("the client", netip.AddrFrom4(from.Addr).String(), "192.0.2.1")
	case *unix.SockaddrInet6:
		expect("the client", netip.AddrFrom16(from.Addr).String(), "::ffff:192.0.2.1")
	}
	keep, err := unix.GetsockoptInt(conn, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
	must(err)
	expect("SO_KEEPALIVE", keep, 1)
	says(conn, "passive")
}

type fdWriter int

func (w fdWriter) Write(b []byte) (int, error) { return unix.Write(int(w), b) }

// active connects from a port of its choice, as an FTP server does in active mode.
func (p networkProgram) active() {
	for range 2 {
		fd := socketOf(unix.AF_INET, unix.SOCK_STREAM)
		must(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
		must(unix.Bind(fd, to4(netip.MustParseAddrPort("192.0.2.1:20"))))
		must(unix.Connect(fd, to4(p.peer)))
		expect("the source", ownAddress(fd).String(), "192.0.2.1:20")
		_, err := unix.Write(fd, []byte("active\n"))
		must(err)
		b := make([]byte, 64)
		n, err := unix.Read(fd, b)
		must(err)
		expect("the peer sees", string(b[:n]), "active\n")
		must(unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})) // no TIME_WAIT
		unix.Close(fd)
	}
}

// anySource connects from an address, and any port, as mail servers do.
func (p networkProgram) anySource() {
	fd := socketOf(unix.AF_INET, unix.SOCK_STREAM)
	must(unix.Bind(fd, to4(netip.MustParseAddrPort("192.0.2.1:0"))))
	must(unix.Connect(fd, to4(p.peer)))
	says(fd, "any source")
}

func (p networkProgram) blocking() {
	fd := socketOf(unix.AF_INET, unix.SOCK_STREAM)
	second, err := unix.Dup(fd)
	must(err)
	must(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
	must(unix.Connect(fd, to4(p.peer)))
	expect("a second connect", unix.Connect(fd, to4(netip.MustParseAddrPort("192.0.2.1:25"))), error(unix.EISCONN))
	expect("the same again", unix.Connect(fd, to4(p.peer)), error(unix.EISCONN))
	expect("the source", ownAddress(second).Addr().String(), "192.0.2.1")
	nodelay, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY)
	must(err)
	expect("TCP_NODELAY", nodelay, 1)
	unix.Close(fd)
	says(second, "blocking")
}

// nonblocking waits by epoll, with which it registered before.
func (p networkProgram) nonblocking() {
	for _, domain := range []int{unix.AF_INET, unix.AF_INET6} {
		fd := socketOf(domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK)
		set, err := unix.EpollCreate1(0)
		must(err)
		must(unix.EpollCtl(set, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLOUT | unix.EPOLLET, Fd: 7}))
		to := to4(p.peer)
		if domain == unix.AF_INET6 {
			to = to6(netip.AddrPortFrom(netip.AddrFrom16(p.peer.Addr().As16()), p.peer.Port()))
		}
		expect("connect", unix.Connect(fd, to), error(unix.EINPROGRESS))
		awaitEvent(set, unix.EPOLLOUT)
		number, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		must(err)
		expect("SO_ERROR", number, 0)
		expect("the call again", unix.Connect(fd, to), nil)
		expect("and again", unix.Connect(fd, to), error(unix.EISCONN))
		says(fd, "nonblocking")
	}
}

// awaitEvent waits until the set has these events; a socket that did not connect yet has others.
func awaitEvent(set int, want uint32) {
	for events := make([]unix.EpollEvent, 1); ; {
		n, err := unix.EpollWait(set, events, -1)
		if err == unix.EINTR {
			continue
		}
		must(err)
		expect("the data", events[0].Fd, int32(7))
		if n == 1 && events[0].Events&want != 0 && events[0].Events&unix.EPOLLHUP == 0 || want == unix.EPOLLERR {
			return
		}
	}
}

// refused connects to where nobody listens.
func (p networkProgram) refused() {
	nobody := to4(netip.MustParseAddrPort("192.0.2.1:9"))
	fd := socketOf(unix.AF_INET, unix.SOCK_STREAM)
	expect("blocking", unix.Connect(fd, nobody), error(unix.ECONNREFUSED))
	must(unix.Connect(fd, to4(p.peer))) // the socket is as good as new
	says(fd, "after a refusal")
	expect("no way there", unix.Connect(socketOf(unix.AF_INET, unix.SOCK_STREAM), to4(netip.MustParseAddrPort("203.0.113.1:9"))), error(unix.ENETUNREACH))
	expect("another family", unix.Connect(socketOf(unix.AF_INET, unix.SOCK_STREAM), to6(netip.MustParseAddrPort("[2001:db8::1]:9"))), error(unix.EAFNOSUPPORT))
}

// full connects to a listener whose queue is full, at the port after the peer's.
func (p networkProgram) full() {
	to := to4(netip.AddrPortFrom(p.peer.Addr(), 26))
	fd := socketOf(unix.AF_INET, unix.SOCK_STREAM)
	must(unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Usec: 100000}))
	expect("with a limit", unix.Connect(fd, to), error(unix.EINPROGRESS))
	nonblocking := socketOf(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK)
	expect("without waiting", unix.Connect(nonblocking, to), error(unix.EINPROGRESS))
	expect("the call again", unix.Connect(nonblocking, to), error(unix.EALREADY))
	expect("to somebody else", unix.Connect(nonblocking, to4(p.peer)), error(unix.EALREADY))
	apart(nonblocking)
	expect("after it was called off", unix.Connect(nonblocking, to4(p.peer)), error(unix.EINPROGRESS))
}

// apart dissolves the connection of a socket (connect(2) with AF_UNSPEC).
func apart(fd int) {
	must(disconnect(fd))
}

// again uses a socket that was connected for another connection.
func (p networkProgram) again() {
	fd := socketOf(unix.AF_INET, unix.SOCK_STREAM)
	must(unix.Connect(fd, to4(p.peer)))
	apart(fd)
	expect("where the list has nothing", unix.Connect(fd, to4(netip.MustParseAddrPort("192.0.2.1:666"))), error(unix.EACCES))
	expect("the loopback of the other network", unix.Connect(fd, v4(25)), error(unix.EACCES))
	must(unix.Connect(fd, to4(p.peer)))
	says(fd, "again")
}

// list asks for what the list does not have.
func (p networkProgram) list() {
	fd := socketOf(unix.AF_INET, unix.SOCK_STREAM)
	expect("connect", unix.Connect(fd, to4(netip.MustParseAddrPort("192.0.2.1:666"))), error(unix.EACCES))
	expect("bind", unix.Bind(fd, to4(netip.MustParseAddrPort("0.0.0.0:666"))), error(unix.EACCES))
	expect("an address of nobody", unix.Bind(fd, to4(netip.MustParseAddrPort("203.0.113.1:0"))), error(unix.EADDRNOTAVAIL))
}

// inside does what the program's own network is for.
func (p networkProgram) inside() {
	l := listenOn(unix.AF_INET, v4(0))
	fd := socketOf(unix.AF_INET, unix.SOCK_STREAM)
	sa, err := unix.Getsockname(l)
	must(err)
	must(unix.Connect(fd, sa))
	wildcard := socketOf(unix.AF_INET, unix.SOCK_STREAM)
	must(unix.Connect(wildcard, &unix.SockaddrInet4{Port: sa.(*unix.SockaddrInet4).Port}))
	must(disconnect(wildcard))
	must(unix.Connect(wildcard, sa))
	bound := socketOf(unix.AF_INET, unix.SOCK_STREAM)
	must(unix.Bind(bound, v4(0)))
	expect("from loopback", unix.Connect(bound, to4(p.peer)) != nil, true)
	name := &unix.SockaddrUnix{Name: fmt.Sprintf("@wake-network-%d", os.Getpid())}
	must(unix.Bind(socketOf(unix.AF_UNIX, unix.SOCK_DGRAM), name))
	must(unix.Connect(socketOf(unix.AF_UNIX, unix.SOCK_DGRAM), name))
	expect("no descriptor", unix.Connect(999, to4(p.peer)), error(unix.EBADF))
	expect("no socket", unix.Connect(0, to4(p.peer)), error(unix.ENOTSOCK))
}

// packets finds that UDP is not asked for.
func (p networkProgram) packets() {
	fd := socketOf(unix.AF_INET, unix.SOCK_DGRAM)
	must(unix.Bind(fd, &unix.SockaddrInet4{}))
	expect("connect", unix.Connect(fd, to4(p.peer)), error(unix.ENETUNREACH))
	must(unix.Connect(fd, v4(9)))
}

// goProgram listens and dials as Go does.
func (p networkProgram) goProgram() {
	l, err := net.Listen("tcp", "192.0.2.1:0")
	must(err)
	control, err := net.Dial("tcp", p.peer.String())
	must(err)
	fmt.Fprintf(control, "connect to %d\n", l.Addr().(*net.TCPAddr).Port)
	conn, err := l.Accept()
	must(err)
	io.WriteString(conn, "go")
	b := make([]byte, 64)
	n, err := conn.Read(b)
	must(err)
	expect("the echo", string(b[:n]), "go")
	_, err = net.Dial("tcp", "192.0.2.1:9")
	expect("refused", err != nil, true)
}

// away finds nobody at first, and then somebody.
func (p networkProgram) away() {
	expect("connect", unix.Connect(socketOf(unix.AF_INET, unix.SOCK_STREAM), to4(p.peer)), error(unix.ENETUNREACH))
	expect("bind", unix.Bind(socketOf(unix.AF_INET, unix.SOCK_STREAM), &unix.SockaddrInet4{}), error(unix.EADDRNOTAVAIL))
	fmt.Fprintln(os.Stderr, "nobody was there")
	for unix.Connect(socketOf(unix.AF_INET, unix.SOCK_STREAM), to4(p.peer)) != nil {
		time.Sleep(10 * time.Millisecond)
	}
}
