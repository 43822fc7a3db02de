package route

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation/handoff"
	"github.com/rouse-server/rouse/platform"
	"github.com/rouse-server/rouse/platform/sklookup"
)

// kernelPatience bounds every wait of these tests.
const kernelPatience = 20 * time.Second

// ownNetwork runs a test in a process with a network and mounts of its own, in which only lo is up and a folder of a bpf file
// system is returned. In the parent it returns false when that has been done.
func ownNetwork(t *testing.T) (bpf string, inside bool) {
	t.Helper()
	const variable = "ROUSE_TEST_OWN_NETWORK"
	if os.Getenv(variable) == t.Name() {
		bpf = filepath.Join(t.TempDir(), "bpf")
		err := errors.Join(os.Mkdir(bpf, 0o700), unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""), unix.Mount("bpf", bpf, "bpf", 0, ""), setLoopbackUp())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Unmount(bpf, unix.MNT_DETACH) })
		if err := sklookup.Probe(); err != nil {
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

// setLoopbackUp sets lo up in the calling thread's network namespace.
func setLoopbackUp() error {
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

// giveLoopback gives lo an IPv6 address (struct in6_ifreq of linux/ipv6.h).
func giveLoopback(t *testing.T, a netip.Addr) {
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

// kernelFront opens a front, with options of SOL_SOCKET and IPPROTO_IP.
func kernelFront(t *testing.T, listener, protocol, address string, options ...[3]int) *front {
	t.Helper()
	fd, err := openFront(protocol, address, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	f := &front{fd: fd, kind: handoff.Listener, listener: listener, protocol: protocol, local: netip.MustParseAddrPort(address), address: protocol + ":" + address}
	if protocol == "udp" {
		f.kind = handoff.Packet
	}
	return f
}

func openFront(protocol, address string, options ...[3]int) (int, error) {
	at := netip.MustParseAddrPort(address)
	family, sa := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()})
	if at.Addr().Is4() {
		family, sa = unix.AF_INET, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	}
	kind := unix.SOCK_STREAM
	if protocol == "udp" {
		kind = unix.SOCK_DGRAM
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	errs := []error{unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)}
	for _, o := range options {
		errs = append(errs, unix.SetsockoptInt(fd, o[0], o[1], o[2]))
	}
	errs = append(errs, unix.Bind(fd, sa))
	if protocol == "tcp" {
		errs = append(errs, unix.Listen(fd, 100))
	}
	return fd, errors.Join(errs...)
}

// testKernel is an engine that ends with the test.
func testKernel(t *testing.T, pin string) *kernel {
	t.Helper()
	k, err := newKernel(Options{Pin: pin})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.close)
	return k
}

// put arranges rules, and returns the fronts of backends as "listener backend".
func (k *kernel) put(t *testing.T, c Config, fronts ...*front) map[string]*front {
	t.Helper()
	table, err := Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	own, err := k.arrange(table, c, fronts)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	by := map[string]*front{}
	for _, f := range own {
		by[f.listener+" "+f.backend] = f
	}
	if len(by) != len(own) {
		t.Fatal("two fronts of one backend")
	}
	return by
}

// comes connects, and returns who gets the client; "" is nobody, as it is refused.
func comes(t *testing.T, from, to netip.AddrPort, fronts map[string]*front) string {
	t.Helper()
	conn, err := connectFrom(from, to)
	if errors.Is(err, unix.ECONNREFUSED) {
		return ""
	}
	if err != nil {
		t.Fatal(from, to, err)
	}
	defer conn.Close()
	return takes(t, fronts)
}

// takes accepts the one client that waits somewhere, and returns where.
func takes(t *testing.T, fronts map[string]*front) string {
	t.Helper()
	name := arrives(t, fronts)
	fd, _, err := unix.Accept(fronts[name].fd)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	return name
}

// arrives returns at which of the fronts something has arrived.
func arrives(t *testing.T, fronts map[string]*front) string {
	t.Helper()
	var names []string
	var polled []unix.PollFd
	for name, f := range fronts {
		names = append(names, name)
		polled = append(polled, unix.PollFd{Fd: int32(f.fd), Events: unix.POLLIN})
	}
	for {
		n, err := unix.Poll(polled, int(kernelPatience.Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		if n != 1 || err != nil {
			t.Fatal("of one client:", n, err)
		}
		return names[slices.IndexFunc(polled, func(p unix.PollFd) bool { return p.Revents != 0 })]
	}
}

// connectFrom connects; closing resets, so that the port is free again.
func connectFrom(from, to netip.AddrPort) (*net.TCPConn, error) {
	d := net.Dialer{Timeout: kernelPatience}
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

// here is an address of lo, one of few.
func (d dice) here() netip.Addr {
	if d.chance(2) {
		return netip.AddrFrom4([4]byte{127, 0, byte(2 + d.IntN(2)), byte(1 + d.IntN(4))})
	}
	return netip.AddrFrom16([16]byte{0: 0xfd, 7: byte(d.IntN(2)), 15: byte(d.IntN(4))})
}

// near is a prefix of such addresses.
func (d dice) near() Prefix {
	a := d.here()
	p := Prefix{Family: familyOf(a), Mask: leading([]int{0, 8, 64, 126, 128}[d.IntN(5)])}
	if p.Family == 4 {
		p.Mask = leading(96 + []int{0, 8, 24, 30, 32}[d.IntN(5)])
	}
	if d.chance(5) {
		p.Mask[15] = 0x05
	}
	if d.chance(5) {
		p.Family = 0
	}
	p.Address = netip.AddrFrom16(masked(a.As16(), p.Mask))
	return p
}

// aroundHere are random rules for the fronts of TestKernelDecidesAsTheTable.
func (d dice) aroundHere(routes int) Config {
	c := Config{Listeners: []Listener{{Name: "web"}, {Name: "mail"}}, Backends: []Backend{
		{Name: "a", Way: Registers, Takes: Either}, {Name: "b", Way: Datagrams, Path: "/x"}, {Name: "c", Way: Registers, Takes: Connections},
		{Name: "relayed", Way: Relayed, Connect: []string{"127.0.0.1:1"}},
	}}
	listener := func() string { return []string{"web", "mail"}[d.IntN(2)] }
	port := func() Ports {
		return []Ports{{4000, 4000}, {4001, 4001}, {4000, 4001}, {1, 4000}, {443, 443}}[d.IntN(5)]
	}
	clientPort := func() Ports {
		first := uint16(20000 + d.IntN(100))
		return Ports{first, first + uint16(d.IntN(60))}
	}
	for i := range routes {
		r := Route{Name: fmt.Sprint("r", i), Listeners: few(d, listener), Local: few(d, d.near), Client: []Prefix{d.near(), d.near()},
			Ports: few(d, port), ClientPorts: few(d, clientPort), Reject: d.chance(6)}
		if d.chance(8) {
			r.Names = []string{"example.org"}
		}
		if !r.Reject {
			r.Backend = c.Backends[d.IntN(4)].Name
		}
		c.Routes = append(c.Routes, r)
	}
	return c
}

// TestKernelDecidesAsTheTable connects from everywhere to everywhere: each client arrives where Find sends it.
func TestKernelDecidesAsTheTable(t *testing.T) {
	if _, inside := ownNetwork(t); !inside {
		return
	}
	for i := range 8 {
		giveLoopback(t, netip.AddrFrom16([16]byte{0: 0xfd, 7: byte(i / 4), 15: byte(i % 4)}))
	}
	d := dice{rand.New(rand.NewPCG(7, 8))}
	web, mail := kernelFront(t, "web", "tcp", "[::]:4000"), kernelFront(t, "mail", "tcp", "127.0.2.1:4001")
	k := testKernel(t, "")
	got := map[string]int{}
	for range 12 {
		c := d.aroundHere(1 + d.IntN(25))
		own := k.put(t, c, web, mail)
		own["web"], own["mail"] = web, mail
		table, err := Compile(c)
		if err != nil {
			t.Fatal(err)
		}
		for range 40 {
			x := Tuple{Listener: "web", Protocol: "tcp", Local: netip.AddrPortFrom(d.here(), 4000)}
			if d.chance(4) {
				x.Listener, x.Local = "mail", mail.local
			}
			x.Client = netip.AddrPortFrom(d.here(), uint16(20000+d.IntN(160)))
			for x.Client.Addr().Is4() != x.Local.Addr().Is4() {
				x.Client = netip.AddrPortFrom(d.here(), x.Client.Port())
			}
			want, decision := "", table.Find(x)
			switch {
			case decision.Look:
				want = x.Listener
			case decision.Route != nil && decision.Route.Backend == "relayed":
				want = x.Listener
			case decision.Route != nil && !decision.Route.Reject:
				want = x.Listener + " " + decision.Route.Backend
			}
			if who := comes(t, x.Client, x.Local, own); who != want {
				t.Fatalf("%s to %s went to %q, not %q; rules %+v", x.Client, x.Local, who, want, c.Routes)
			}
			got[want]++
		}
	}
	t.Log(got)
}

// to is a route for clients of a prefix, which may be empty.
func to(backend, client string) Route {
	r := Route{Backend: backend, Reject: backend == ""}
	if client != "" {
		p, _, err := parsePrefix(client)
		if err != nil {
			panic(err)
		}
		r.Client = []Prefix{p}
	}
	return r
}

// registered is a Config of listeners web and dns, with backends that register.
func registered(routes ...Route) Config {
	c := Config{Listeners: []Listener{{Name: "web"}, {Name: "dns"}}, Routes: routes}
	for _, r := range routes {
		if r.Backend != "" && !slices.ContainsFunc(c.Backends, func(b Backend) bool { return b.Name == r.Backend }) {
			c.Backends = append(c.Backends, Backend{Name: r.Backend, Way: Registers, Takes: Either})
		}
	}
	return c
}

var (
	clientA  = netip.MustParseAddrPort("127.0.0.2:0")
	clientB  = netip.MustParseAddrPort("127.0.0.3:0")
	port4000 = netip.MustParseAddrPort("127.0.0.1:4000")
)

func TestKernelReload(t *testing.T) {
	if _, inside := ownNetwork(t); !inside {
		return
	}
	web := kernelFront(t, "web", "tcp", "0.0.0.0:4000")
	k := testKernel(t, "")
	first := k.put(t, registered(to("a", "127.0.0.2"), to("b", "127.0.0.3")), web)
	waits, err := connectFrom(clientB, port4000)
	if err != nil {
		t.Fatal(err)
	}
	defer waits.Close()

	second := k.put(t, registered(to("a", "127.0.0.2"), to("c", "")), web)
	if second["web a"] != first["web a"] || second["web c"] == nil || second["web b"] != nil {
		t.Error(first, second)
	}
	old := first["web b"]
	if who := takes(t, map[string]*front{"web b": old}); who != "web b" {
		t.Error("who waited is gone")
	}
	for from, want := range map[netip.AddrPort]string{clientA: "web a", clientB: "web c"} {
		if who := comes(t, from, port4000, map[string]*front{"web": web, "web b": old, "web a": second["web a"], "web c": second["web c"]}); who != want {
			t.Error(from, who)
		}
	}
	k.release(old)
	counts := k.counts()
	if len(counts) != 2 {
		t.Error(counts)
	}
	for r, n := range counts {
		if n != 1 {
			t.Error(r.Backend, n)
		}
	}

	last := k.put(t, registered(), web) // nobody is left: the kernel forgets all, and the front decides
	if len(last) != 0 || len(k.places) != 0 {
		t.Error(last, k.places)
	}
	if who := comes(t, clientA, port4000, map[string]*front{"web": web}); who != "web" {
		t.Error(who)
	}
	k.release(second["web a"])
	k.release(second["web c"])
}

// TestKernelGoesOn ends a dispatcher whose backends live, and begins another one.
func TestKernelGoesOn(t *testing.T) {
	bpf, inside := ownNetwork(t)
	if !inside {
		return
	}
	pin := filepath.Join(bpf, "rouse")
	rules := registered(to("a", "127.0.0.2"), to("b", "127.0.0.3"), to("c", ""))
	web := kernelFront(t, "web", "tcp", "[::]:4000")
	k := testKernel(t, pin)
	own := k.put(t, rules, web)
	held := map[string]*front{"web": web}
	for _, name := range []string{"web a", "web b"} { // as the backends hold them
		fd, err := unix.FcntlInt(uintptr(own[name].fd), unix.F_DUPFD_CLOEXEC, 3)
		if err != nil {
			t.Fatal(err)
		}
		held[name] = &front{fd: fd}
	}
	k.close()
	for from, want := range map[netip.AddrPort]string{clientA: "web a", clientB: "web b", netip.MustParseAddrPort("127.0.0.9:0"): "web"} {
		if who := comes(t, from, port4000, held); who != want {
			t.Error(from, who)
		}
	}

	k = testKernel(t, pin)
	own = k.put(t, rules, web)
	if len(own) != 1 || own["web c"] == nil {
		t.Error("made anew:", own)
	}
	if f, ok := k.adopt("b", held["web a"].fd); ok {
		t.Error("another's socket was taken:", f)
	}
	if f, ok := k.adopt("a", web.fd); ok {
		t.Error("any socket was taken:", f)
	}
	a, ok := k.adopt("a", held["web a"].fd)
	if again, _ := k.adopt("a", held["web a"].fd); !ok || a.backend != "a" || a.listener != "web" || again != a {
		t.Fatal(a, again, ok)
	}
	if more, err := k.replace(); err != nil || len(more) != 0 {
		t.Error(more, err)
	}
	k.deadline = time.Now().Add(-time.Second) // b does not come
	more, err := k.replace()
	if err != nil || len(more) != 1 || more[0].backend != "b" {
		t.Fatal(more, err)
	}
	all := map[string]*front{"web": web, "web a": a, "web b": more[0], "old b": held["web b"], "web c": own["web c"]}
	for from, want := range map[netip.AddrPort]string{clientA: "web a", clientB: "web b", netip.MustParseAddrPort("127.0.0.9:0"): "web c"} {
		if who := comes(t, from, port4000, all); who != want {
			t.Error(from, who)
		}
	}

	if err := k.unpin(); err != nil {
		t.Error(err)
	}
	k.close()
	if who := comes(t, clientA, port4000, held); who != "web" {
		t.Error("the kernel still sends to", who)
	}
	if left, _ := os.ReadDir(pin); len(left) != 0 {
		t.Error(left)
	}
}

func TestKernelReplacesTheDeadAtOnce(t *testing.T) {
	bpf, inside := ownNetwork(t)
	if !inside {
		return
	}
	web := kernelFront(t, "web", "tcp", "[::1]:4000")
	k := testKernel(t, bpf)
	fd, err := unix.FcntlInt(uintptr(k.put(t, registered(to("a", "")), web)["web a"].fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	k.close()
	k = testKernel(t, bpf)
	if own := k.put(t, registered(to("a", "")), web); len(own) != 0 {
		t.Error(own)
	}
	unix.Close(fd)
	own, err := k.replace()
	if err != nil || len(own) != 1 {
		t.Fatal(own, err)
	}
	if who := comes(t, netip.AddrPort{}, web.local, map[string]*front{"a": own[0], "web": web}); who != "a" {
		t.Error(who)
	}
}

func TestKernelMends(t *testing.T) {
	if _, inside := ownNetwork(t); !inside {
		return
	}
	web := kernelFront(t, "web", "tcp", "0.0.0.0:4000")
	k := testKernel(t, "")
	a := k.put(t, registered(to("a", "")), web)["web a"]
	unix.SetsockoptInt(a.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	unix.SetNonblock(a.fd, true)
	unix.Shutdown(a.fd, unix.SHUT_RDWR)
	if err := k.mend(a); err != nil {
		t.Fatal(err)
	}
	if n, err := unix.GetsockoptInt(a.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY); n != 0 || err != nil {
		t.Error("an option of the backend that ended is there still")
	}
	if n, err := unix.FcntlInt(uintptr(a.fd), unix.F_GETFL, 0); err != nil || n&unix.O_NONBLOCK == 0 {
		t.Error("accept(2) would block the dispatcher")
	}
	if who := comes(t, clientA, port4000, map[string]*front{"a": a, "web": web}); who != "a" {
		t.Error(who)
	}
}

func TestKernelUDP(t *testing.T) {
	if _, inside := ownNetwork(t); !inside {
		return
	}
	dns := kernelFront(t, "dns", "udp", "[::]:4000", [3]int{unix.SOL_SOCKET, unix.SO_REUSEPORT, 1})
	c := registered(to("a", "127.0.0.2"), to("b", "127.0.0.3"), to("connections", "127.0.0.4"), to("", ""))
	c.Backends[2].Takes = Connections // which UDP has none of
	k := testKernel(t, "")
	own := k.put(t, c, dns)
	if len(own) != 2 {
		t.Fatal(own)
	}
	own["dns"] = dns
	for i := range 32 {
		conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%4))}, net.UDPAddrFromAddrPort(port4000))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(kernelPatience))
		conn.Write([]byte("x"))
		if i%4 == 3 {
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNREFUSED) {
				t.Error("of who is rejected:", err)
			}
			continue
		}
		who := arrives(t, own)
		if want := []string{"dns a", "dns b", "dns"}[i%4]; who != want {
			t.Errorf("client %d went to %q, not %q", i, who, want)
		}
		_, from, err := unix.Recvfrom(own[who].fd, make([]byte, 9), 0)
		if err == nil {
			err = unix.Sendto(own[who].fd, []byte("y"), 0, from)
		}
		if err != nil {
			t.Fatal(err)
		}
		if n, err := conn.Read(make([]byte, 9)); n != 1 || err != nil {
			t.Error("no answer from where it asked:", err)
		}
	}
}

// TestKernelLeaves names the fronts that are not for the kernel. All their clients come to them.
func TestKernelLeaves(t *testing.T) {
	if _, inside := ownNetwork(t); !inside {
		return
	}
	local := to("a", "")
	local.Local = []Prefix{{Family: 4, Address: netip.MustParseAddr("::ffff:127.0.0.1"), Mask: leading(128)}}
	transparent := [3]int{unix.IPPROTO_IP, unix.IP_TRANSPARENT, 1}
	sni := to("a", "")
	sni.Names = []string{"example.org"}
	for _, c := range []struct {
		front  *front
		proxy  string
		routes []Route
		notice string
		own    int
	}{
		{kernelFront(t, "web", "tcp", "0.0.0.0:4001"), "v2", []Route{to("a", "")}, "PROXY header", 0},
		{kernelFront(t, "web", "tcp", "0.0.0.0:4002", transparent), "", []Route{local, to("b", "")}, "transparent", 0},
		{kernelFront(t, "web", "tcp", "0.0.0.0:4003", transparent), "", []Route{to("a", "")}, "", 1},
		{kernelFront(t, "web", "tcp", "0.0.0.0:4004"), "", []Route{sni}, "", 0},
		{kernelFront(t, "dns", "udp", "0.0.0.0:4005"), "", []Route{to("a", "127.0.0.2"), to("b", "")}, "SO_REUSEPORT", 0},
		{kernelFront(t, "dns", "udp", "0.0.0.0:4006"), "", []Route{to("b", "")}, "", 0},
	} {
		c.front.proxy = c.proxy
		k := testKernel(t, "")
		own := k.put(t, registered(c.routes...), c.front)
		notices := strings.Join(k.notices(), "; ")
		if !strings.Contains(notices, c.notice) || c.notice == "" && notices != "" {
			t.Errorf("%s: %q", c.front.address, notices)
		}
		if len(own) != c.own {
			t.Error(c.front.address, own)
		}
		if c.front.protocol == "tcp" && c.own == 0 {
			if who := comes(t, clientA, netip.AddrPortFrom(port4000.Addr(), c.front.local.Port()), map[string]*front{"web": c.front}); who != "web" {
				t.Error(who)
			}
		}
	}
}

// TestKernelNamespaces has a front here and one in another network namespace.
func TestKernelNamespaces(t *testing.T) {
	if _, inside := ownNetwork(t); !inside {
		return
	}
	tasks, done := make(chan func()), make(chan error)
	defer close(tasks)
	platform.OnOwnThread(func() {
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = setLoopbackUp()
		}
		done <- err
		for f := range tasks {
			f()
		}
	})
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	there := &front{kind: handoff.Listener, listener: "dns", protocol: "tcp", local: port4000, address: "there"}
	tasks <- func() {
		var err error
		there.fd, err = openFront("tcp", "127.0.0.1:4000")
		done <- err
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	defer unix.Close(there.fd)
	here := kernelFront(t, "web", "tcp", "127.0.0.1:4000")
	k := testKernel(t, "")
	own := k.put(t, registered(to("a", "")), here, there)
	own["here"], own["there"] = here, there
	if who := comes(t, clientA, port4000, own); who != "web a" {
		t.Error("here:", who)
	}
	tasks <- func() {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			defer unix.Close(fd)
			err = unix.Connect(fd, &unix.SockaddrInet4{Port: 4000, Addr: [4]byte{127, 0, 0, 1}})
		}
		done <- err
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if who := takes(t, own); who != "dns a" {
		t.Error("there:", who)
	}
}
