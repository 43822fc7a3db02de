package sklookup

import (
	"context"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// patience bounds every wait of these tests.
const patience = 20 * time.Second

// isolated runs a test in a process with a network and mounts of its own, in which only lo is up and a bpf file system lies
// at the returned folder. In the parent it returns false when that has been done.
func isolated(t *testing.T) (bpf string, inside bool) {
	t.Helper()
	const variable = "ROUSE_TEST_ISOLATED"
	if os.Getenv(variable) == t.Name() {
		bpf = filepath.Join(t.TempDir(), "bpf")
		if err := prepareNamespaces(bpf); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Unmount(bpf, unix.MNT_DETACH) })
		if err := Probe(); err != nil {
			t.Skip("no sk_lookup here: ", err)
		}
		return bpf, true
	}
	if os.Getuid() != 0 {
		t.Skip("needs root, for a network namespace of its own")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=100s")
	c.Env = append(os.Environ(), variable+"="+t.Name(), "GORACE=atexit_sleep_ms=0")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	return "", false
}

func prepareNamespaces(bpf string) error {
	if err := os.Mkdir(bpf, 0o700); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return err
	}
	if err := unix.Mount("bpf", bpf, "bpf", 0, ""); err != nil {
		return err
	}
	return loopbackUp()
}

// loopbackUp sets lo up in the calling thread's network namespace.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
}

// socket opens a front: a TCP listener or a bound UDP socket.
func socket(t *testing.T, kind int, address string, options ...[3]int) int {
	t.Helper()
	at := netip.MustParseAddrPort(address)
	family, sa := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Port: int(at.Port()), Addr: [4]byte{}})
	if at.Addr().Is4() {
		sa.(*unix.SockaddrInet4).Addr = at.Addr().As4()
	} else {
		family, sa = unix.AF_INET6, &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, o[0], o[1], o[2]); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Bind(fd, sa); err != nil {
		t.Fatal(address, err)
	}
	if kind == unix.SOCK_STREAM {
		if err := unix.Listen(fd, 100); err != nil {
			t.Fatal(address, err)
		}
	}
	return fd
}

var (
	reusePort = [3]int{unix.SOL_SOCKET, unix.SO_REUSEPORT, 1}
	onlyIPv6  = [3]int{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1}
)

// frontOf is FrontOf with rules.
func frontOf(t *testing.T, fd int, rules ...Rule) Front {
	t.Helper()
	f, err := FrontOf(fd)
	if err != nil {
		t.Fatal(err)
	}
	if len(rules) > 0 {
		f.Rules, f.Otherwise = rules, Drop
	}
	return f
}

// behindOf is Behind.
func behindOf(t *testing.T, front int) int {
	t.Helper()
	fd, err := Behind(front)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// open opens a Lookup of this process's network namespace.
func open(t *testing.T, folder string) *Lookup {
	t.Helper()
	namespace, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	l, err := Open(namespace, folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// load compiles and loads.
func (l *Lookup) load(t *testing.T, fronts ...Front) {
	t.Helper()
	plans, counters := make([]Plan, len(fronts)), 0
	for i, f := range fronts {
		var err error
		if plans[i], err = Compile(f); err != nil {
			t.Fatal(err)
		}
		for _, r := range f.Rules {
			counters = max(counters, r.Counter+1)
		}
	}
	if err := l.Load(plans, counters); err != nil {
		t.Fatalf("%+v", err)
	}
}

func (l *Lookup) put(t *testing.T, slot, fd int) {
	t.Helper()
	if err := l.Put(slot, fd, Owner{1}); err != nil {
		t.Fatal(err)
	}
}

// rule is one for clients of a prefix, at a local prefix; empty texts match all.
func rule(to int, client, local string) Rule {
	r := Rule{Families: Both, Last: 65535, To: to}
	for _, side := range []struct {
		text string
		bits *Bits
	}{{client, &r.Client}, {local, &r.Local}} {
		if side.text == "" {
			continue
		}
		p := netip.MustParsePrefix(side.text)
		n := p.Bits()
		if p.Addr().Is4() {
			n += 96
			r.Families &= IPv4
		} else {
			r.Families &= IPv6
		}
		side.bits.Address = p.Masked().Addr().As16()
		for i := range n {
			side.bits.Mask[i/8] |= 0x80 >> (i % 8)
		}
	}
	return r
}

// dialFrom connects; an address of its own may be left out. Closing resets, so that the port is free at once.
func dialFrom(from, to netip.AddrPort) (*net.TCPConn, error) {
	d := net.Dialer{Timeout: patience}
	d.SetMultipathTCP(false)
	if from.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(from)
		d.Control = func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) })
		}
	}
	conn, err := d.Dial("tcp", to.String())
	if err != nil {
		return nil, err
	}
	conn.(*net.TCPConn).SetLinger(0)
	return conn.(*net.TCPConn), nil
}

// addressOf is the address of a socket, IPv4 as such.
func addressOf(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// addAddress gives lo an IPv6 address (netdevice(7); struct in6_ifreq of linux/ipv6.h).
func addAddress(t *testing.T, a netip.Addr) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	request := struct {
		address [16]byte
		prefix  uint32
		index   int32
	}{a.As16(), 128, 1}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFADDR, uintptr(unsafe.Pointer(&request))); errno != 0 {
		t.Fatal(a, errno)
	}
}

// answer sends a datagram.
func answer(t *testing.T, fd int, to unix.Sockaddr) {
	t.Helper()
	if err := unix.Sendto(fd, []byte("answer"), 0, to); err != nil {
		t.Fatal(err)
	}
}

// readable returns which of the packet sockets has datagrams, and takes them.
func readable(t *testing.T, sockets ...int) int {
	t.Helper()
	which := pollOne(t, sockets)
	for {
		if _, _, err := unix.Recvfrom(sockets[which], make([]byte, 100), unix.MSG_DONTWAIT); err != nil {
			return which
		}
	}
}

// pollOne returns the one of the sockets that has something.
func pollOne(t *testing.T, sockets []int) int {
	t.Helper()
	polled := make([]unix.PollFd, len(sockets))
	for i, fd := range sockets {
		polled[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	}
	for {
		n, err := unix.Poll(polled, int(patience.Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		if n != 1 || err != nil {
			t.Fatal("of one client:", n, err)
		}
		for i, p := range polled {
			if p.Revents != 0 {
				return i
			}
		}
	}
}

// waiting returns which of the listeners has a client, and takes it.
func waiting(t *testing.T, listeners ...int) (which int, local, remote unix.Sockaddr) {
	t.Helper()
	which = pollOne(t, listeners)
	fd, remote, err := unix.Accept4(listeners[which], unix.SOCK_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	local, err = unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return which, local, remote
}
