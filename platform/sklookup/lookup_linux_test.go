package sklookup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
)

// run asks a program where a client goes: to the socket of a cookie, or to nobody (Drop), or where the kernel will have it (0
// and Pass).
func run(t testing.TB, p *ebpf.Program, f Front, c client, times uint32) (cookie uint64, verdict int, cost time.Duration) {
	t.Helper()
	context := make([]byte, 72) // struct bpf_sk_lookup
	put := binary.NativeEndian.PutUint32
	put(context[contextProtocol:], uint32(f.Protocol))
	put(context[contextLocalPort:], uint32(f.Local.Port()))
	binary.BigEndian.PutUint16(context[contextRemotePort:], c.port)
	if c.family == IPv4 {
		put(context[contextFamily:], unix.AF_INET)
		copy(context[contextRemote4:], c.client[12:])
		copy(context[contextLocal4:], c.local[12:])
	} else {
		put(context[contextFamily:], unix.AF_INET6)
		copy(context[contextRemote6:], c.client[:])
		copy(context[contextLocal6:], c.local[:])
	}
	out := make([]byte, len(context))
	at := time.Now()
	result, err := p.Run(&ebpf.RunOptions{Context: context, ContextOut: out, Repeat: times})
	if err != nil {
		t.Fatal(err)
	}
	cost = time.Since(at) / time.Duration(max(1, times))
	if result == 0 {
		return 0, Drop, cost
	}
	return binary.NativeEndian.Uint64(out), Pass, cost
}

// program builds the program of a front, and puts it nowhere.
func (l *Lookup) program(t testing.TB, f Front) *ebpf.Program {
	t.Helper()
	plan, err := Compile(f)
	if err != nil {
		t.Fatal(err)
	}
	p, counts, err := l.build([]Plan{plan}, 10)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	counts.Close()
	t.Cleanup(func() { p.Close() })
	return p
}

func TestProgramIsLikeNaive(t *testing.T) {
	if _, inside := isolated(t); !inside {
		return
	}
	addAddress(t, netip.MustParseAddr("fd00::2"))
	const slots = 4
	r := rand.New(rand.NewPCG(3, 4))
	for _, address := range []string{"[::]:4000", "0.0.0.0:4001", "[fd00::2]:4002", "127.0.0.2:4003"} {
		front := socket(t, unix.SOCK_STREAM, address)
		l := open(t, "")
		cookies := map[int]uint64{Pass: 0}
		for i := range slots {
			fd := behindOf(t, front)
			l.put(t, i, fd)
			cookies[i], _ = CookieOf(fd)
		}
		for range 12 {
			f := frontOf(t, front, randomRules(r, 1+r.IntN(60), slots)...)
			p := l.program(t, f)
			for range 400 {
				c := randomClient(r, f.families())
				if !f.Local.Addr().IsUnspecified() {
					c.local = f.Local.Addr().As16()
				}
				want := f.naive(c)
				cookie, verdict, _ := run(t, p, f, c, 1)
				if (want == Drop) != (verdict == Drop) || cookie != cookies[want] {
					t.Fatalf("%s: %+v gets %d and socket %d, not %d, of\n%+v", address, c, verdict, cookie, want, f.Rules)
				}
			}
		}
	}
}

func TestPacketsAreLikeNaive(t *testing.T) {
	if _, inside := isolated(t); !inside {
		return
	}
	const slots = 3
	for i := range 8 {
		addAddress(t, netip.AddrFrom16([16]byte{0: 0xfd, 7: byte(i / 4), 15: byte(i % 4)}))
	}
	r := rand.New(rand.NewPCG(5, 6))
	front := socket(t, unix.SOCK_STREAM, "[::]:4000")
	l := open(t, "")
	listeners := []int{}
	for i := range slots {
		listeners = append(listeners, behindOf(t, front))
		l.put(t, i, listeners[i])
	}
	listeners = append(listeners, front)
	for range 8 {
		f := frontOf(t, front, randomRules(r, 1+r.IntN(30), slots)...)
		for i := range f.Rules {
			f.Rules[i].First += 20000 // ports that a client can have
			f.Rules[i].Last = max(f.Rules[i].Last, f.Rules[i].Last+20000)
		}
		l.load(t, f)
		for range 60 {
			c := randomClient(r, Both)
			c.port += 20000
			want := f.naive(c)
			if want == Pass {
				want = slots
			}
			from := netip.AddrPortFrom(netip.AddrFrom16(c.client).Unmap(), c.port)
			to := netip.AddrPortFrom(netip.AddrFrom16(c.local).Unmap(), 4000)
			conn, err := dialFrom(from, to)
			switch {
			case want == Drop && errors.Is(err, unix.ECONNREFUSED):
				continue
			case err != nil || want == Drop:
				t.Fatalf("%s to %s: %v, but it is for %d", from, to, err, want)
			}
			which, local, remote := waiting(t, listeners...)
			if which != want || addressOf(local) != to || addressOf(remote) != from {
				t.Fatalf("%s to %s went to %d, not %d, as %s to %s", from, to, which, want, addressOf(remote), addressOf(local))
			}
			conn.Close()
		}
	}
	counts, err := l.Counts()
	if err != nil || counts[0]+counts[1]+counts[2]+counts[3]+counts[4]+counts[5]+counts[6] == 0 {
		t.Error(counts, err)
	}
}

// TestFronts sends clients to fronts at one port, first without the program and then with it: the socket behind a front gets
// what the front got.
func TestFronts(t *testing.T) {
	if _, inside := isolated(t); !inside {
		return
	}
	lo := [3]int{unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX, 1}
	addAddress(t, netip.MustParseAddr("fd00::1"))
	sets := [][]struct {
		address string
		options [][3]int
	}{
		{{"[::]:4000", nil}, {"0.0.0.0:4000", nil}, {"127.0.0.1:4000", nil}, {"[::1]:4000", nil}},
		{{"[::]:4000", nil}, {"127.0.0.1:4000", nil}},
		{{"[::]:4000", [][3]int{onlyIPv6}}, {"127.0.0.1:4000", [][3]int{lo}}},
		{{"0.0.0.0:4000", [][3]int{lo}}, {"[::]:4000", [][3]int{onlyIPv6, lo}}, {"[fd00::1]:4000", nil}},
		{{"0.0.0.0:4000", nil}, {"0.0.0.0:4001", nil}, {"[::]:4001", [][3]int{onlyIPv6}}},
	}
	for _, kind := range []int{unix.SOCK_STREAM, unix.SOCK_DGRAM} {
		for n, set := range sets {
			t.Run(fmt.Sprint(map[int]string{unix.SOCK_STREAM: "tcp", unix.SOCK_DGRAM: "udp"}[kind], n), func(t *testing.T) {
				var natural, chosen []int
				var fronts []Front
				for i, s := range set {
					natural = append(natural, socket(t, kind, s.address, append(s.options, reusePort)...))
					f := frontOf(t, natural[i], rule(i, "", ""))
					fronts = append(fronts, f)
				}
				expected := map[string]int{}
				targets := []string{"127.0.0.1:4000", "127.0.0.2:4000", "[::1]:4000", "[fd00::1]:4000", "127.0.0.1:4001", "[::1]:4001"}
				for _, to := range targets {
					expected[to] = arrival(t, kind, to, natural)
					t.Log(to, "is for", name(set, expected[to]))
				}
				l := open(t, "")
				if kind == unix.SOCK_DGRAM { // else those behind would get what is meant for the fronts, by chance
					for i := range fronts {
						l.put(t, 100+i, natural[i])
						fronts[i].Own = 100 + i
					}
				}
				l.load(t, fronts...)
				for i := range set {
					chosen = append(chosen, behindOf(t, natural[i]))
					l.put(t, i, chosen[i])
				}
				for _, to := range targets {
					if got := arrival(t, kind, to, chosen); got != expected[to] {
						t.Errorf("%s went to that behind %s, not %s", to, name(set, got), name(set, expected[to]))
					}
				}
			})
		}
	}
}

// TestInterfaces has clients of lo come to fronts of that interface, of another one, and of any.
func TestInterfaces(t *testing.T) {
	if _, inside := isolated(t); !inside {
		return
	}
	if !KnowsInterfaces() {
		t.Skip("this kernel does not tell the interface")
	}
	front := socket(t, unix.SOCK_STREAM, "0.0.0.0:4000")
	l := open(t, "")
	var sockets []int
	var fronts []Front
	for i := range 3 {
		sockets = append(sockets, behindOf(t, front))
		l.put(t, i, sockets[i])
		f := frontOf(t, front, rule(i, "", ""))
		f.Interface = []int{1, 7, 0}[i]
		fronts = append(fronts, f)
	}
	sockets = append(sockets, front)
	for _, c := range []struct {
		fronts []Front
		want   int
	}{{fronts, 0}, {fronts[:1], 0}, {fronts[1:], 2}, {fronts[1:2], 3}} {
		l.load(t, c.fronts...)
		if got := arrival(t, unix.SOCK_STREAM, "127.0.0.1:4000", sockets); got != c.want {
			t.Error(len(c.fronts), got, c.want)
		}
	}
}

func name(set []struct {
	address string
	options [][3]int
}, i int) string {
	if i < 0 {
		return "nobody"
	}
	return fmt.Sprint(set[i].address, " ", set[i].options)
}

// arrival sends a client to an address, and returns which socket it arrives at; -1: none.
func arrival(t *testing.T, kind int, to string, sockets []int) int {
	t.Helper()
	if kind == unix.SOCK_STREAM {
		conn, err := dialFrom(netip.AddrPort{}, netip.MustParseAddrPort(to))
		if err != nil {
			return -1
		}
		defer conn.Close()
		which, _, _ := waiting(t, sockets...)
		return which
	}
	c, err := net.Dial("udp", to)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write([]byte("x"))
	if _, err := c.Write([]byte("x")); err != nil { // the first one was refused
		return -1
	}
	return readable(t, sockets...)
}

func TestUDP(t *testing.T) {
	if _, inside := isolated(t); !inside {
		return
	}
	front := socket(t, unix.SOCK_DGRAM, "[::]:4000", reusePort)
	l := open(t, "")
	f := frontOf(t, front, rule(0, "127.0.0.2/32", ""), rule(1, "127.0.0.3/32", ""), rule(Pass, "127.0.0.4/32", ""))
	f.Own = 9
	l.put(t, 9, front)
	l.load(t, f)
	sockets := []int{behindOf(t, front), behindOf(t, front), front}
	l.put(t, 0, sockets[0])
	l.put(t, 1, sockets[1])
	for i := range 40 { // more than one port each: a group of SO_REUSEPORT would spread them
		c, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, byte(2+i%4))}, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4000})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		c.Write([]byte("question"))
		if i%4 == 3 {
			if _, err := c.Read(make([]byte, 9)); !errors.Is(err, unix.ECONNREFUSED) {
				t.Fatal("dropped:", err)
			}
			continue
		}
		var b [20]byte
		n, from, err := unix.Recvfrom(sockets[i%4], b[:], 0)
		if err != nil || string(b[:n]) != "question" {
			t.Fatal(err, string(b[:n]))
		}
		answer(t, sockets[i%4], from)
		if n, err := c.Read(b[:]); err != nil || string(b[:n]) != "answer" {
			t.Fatal(err, string(b[:n])) // it is connected: it takes nothing but from 127.0.0.1:4000
		}
	}
	unix.Close(sockets[0]) // nobody has it any more: the front stands in
	sockets[0] = -1
	c, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)}, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4000})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write([]byte("x"))
	if got := readable(t, sockets[1], front); got != 1 {
		t.Error(got)
	}
}

func TestBehind(t *testing.T) {
	if _, inside := isolated(t); !inside {
		return
	}
	for _, c := range []struct {
		address  string
		options  [][3]int
		family   int
		samePort bool
		both     bool
	}{
		{"127.0.0.1:4000", nil, unix.AF_INET, true, false},
		{"0.0.0.0:4001", nil, unix.AF_INET, false, false},
		{"0.0.0.0:4002", [][3]int{reusePort}, unix.AF_INET, true, false},
		{"[::1]:4003", nil, unix.AF_INET6, true, false},
		{"[::]:4004", nil, unix.AF_INET6, false, true},
		{"[::]:4005", [][3]int{onlyIPv6, reusePort}, unix.AF_INET6, true, false},
		{"[::]:4006", [][3]int{reusePort}, unix.AF_INET6, true, true},
	} {
		front := socket(t, unix.SOCK_STREAM, c.address, append(c.options, [3]int{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1})...)
		for range 3 {
			fd := behindOf(t, front)
			get := func(level, option int) int {
				n, err := unix.GetsockoptInt(fd, level, option)
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			f := frontOf(t, fd)
			if get(unix.SOL_SOCKET, unix.SO_PROTOCOL) != unix.IPPROTO_TCP || get(unix.SOL_SOCKET, unix.SO_ACCEPTCONN) != 1 ||
				get(unix.SOL_SOCKET, unix.SO_DOMAIN) != c.family || get(unix.SOL_SOCKET, unix.SO_KEEPALIVE) == 0 || backlog(fd) != 100 {
				t.Error(c, "is not like the front")
			}
			if get(unix.SOL_SOCKET, unix.SO_REUSEADDR) != 1 {
				t.Error(c, "lets nobody bind its port again while it has connections")
			}
			if port := netip.MustParseAddrPort(c.address).Port(); (f.Local.Port() == port) != c.samePort {
				t.Error(c, f.Local)
			}
			if c.family == unix.AF_INET6 && (get(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY) == 0) != c.both {
				t.Error(c, "takes other families")
			}
		}
	}
	if fd, err := Behind(socket(t, unix.SOCK_DGRAM, "127.0.0.1:4010")); err == nil {
		t.Error("UDP without SO_REUSEPORT:", fd)
	}
}

func TestPins(t *testing.T) {
	bpf, inside := isolated(t)
	if !inside {
		return
	}
	folder := filepath.Join(bpf, "rouse", "pins")
	front := socket(t, unix.SOCK_STREAM, "[::]:4000")
	to := netip.MustParseAddrPort("[::1]:4000")
	first, second := behindOf(t, front), behindOf(t, front)
	arrives := func(want int) {
		t.Helper()
		conn, err := dialFrom(netip.AddrPort{}, to)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if which, _, _ := waiting(t, front, first, second); which != want {
			t.Fatalf("it went to %d, not %d", which, want)
		}
	}
	begin := func() *Lookup {
		t.Helper()
		file, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		l, err := Open(file, folder)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}

	l := begin()
	l.load(t, frontOf(t, front, rule(5, "", "")))
	l.put(t, 5, first)
	file, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file, folder); err == nil {
		t.Error("two have the same pins")
	}
	if err := UnpinAll(folder); err == nil {
		t.Error("pins that are in use were removed")
	}
	l.Close()
	arrives(1) // nobody is there

	l = begin()
	owners, err := l.Owners()
	cookie, _ := CookieOf(first)
	if err != nil || owners[5] != (Owner{1}) || owners[4] != (Owner{}) || l.Cookie(5) != cookie || l.Cookie(4) != 0 {
		t.Fatal(err, owners[5], l.Cookie(5), cookie)
	}
	arrives(1)
	l.put(t, 6, second)
	l.load(t, frontOf(t, front, rule(6, "", "")))
	arrives(2)
	if err := l.Remove(6); err != nil {
		t.Fatal(err)
	}
	if err := l.Remove(6); err != nil {
		t.Fatal(err)
	}
	arrives(0)
	l.Close()
	arrives(0)

	l = begin()
	l.Unpin()
	l.load(t) // what is not pinned lives on with its descriptors
	l.Close()
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Error(left, err)
	}
	l = begin() // anew
	if l.Cookie(5) != 0 {
		t.Error("a socket is there again")
	}
	l.Close()
	if err := UnpinAll(folder); err != nil {
		t.Error(err)
	}
	if err := MakeFolder(filepath.Join(t.TempDir(), "pins")); err == nil {
		t.Error("a folder that is on no bpf file system was taken")
	}
	for name, spoil := range map[string]func(string) error{
		"theirs":   func(at string) error { return os.Chown(at, 4711, 4711) },
		"writable": func(at string) error { return os.Chmod(at, 0o777) },
		"a link":   func(at string) error { return errors.Join(os.Remove(at), os.Symlink(folder, at)) },
	} {
		at := filepath.Join(bpf, name)
		if err := errors.Join(os.Mkdir(at, 0o700), spoil(at)); err != nil {
			t.Fatal(err)
		}
		for _, at := range []string{at, filepath.Join(at, "below")} {
			if err := MakeFolder(at); err == nil {
				t.Errorf("%s, which others may change, was taken", at)
			}
		}
	}
}

// TestShutdown ends the listening of a socket in a slot: its clients wait until it listens again.
func TestShutdown(t *testing.T) {
	if _, inside := isolated(t); !inside {
		return
	}
	front := socket(t, unix.SOCK_STREAM, "[::]:4000")
	l := open(t, "")
	fd := behindOf(t, front)
	l.put(t, 0, fd)
	l.load(t, frontOf(t, front, rule(0, "", "")))
	unix.Shutdown(fd, unix.SHUT_RD)
	if cookie, _ := CookieOf(fd); l.Cookie(0) != cookie {
		t.Error("it is out of its slot")
	}
	if err := unix.Listen(fd, 10); err != nil {
		t.Fatal(err)
	}
	if got := arrival(t, unix.SOCK_STREAM, "127.0.0.1:4000", []int{front, fd}); got != 1 {
		t.Error(got)
	}
}

// TestLoadLosesNobody connects while the rules change all the time.
func TestLoadLosesNobody(t *testing.T) {
	if _, inside := isolated(t); !inside {
		return
	}
	front := socket(t, unix.SOCK_STREAM, "[::]:4000")
	l := open(t, "")
	sockets := []int{behindOf(t, front), behindOf(t, front)}
	l.put(t, 0, sockets[0])
	l.put(t, 1, sockets[1])
	l.load(t, frontOf(t, front, rule(0, "", "")))
	stop := make(chan struct{})
	loaded := make(chan int)
	go func() {
		n := 0
		defer func() { loaded <- n }()
		for {
			select {
			case <-stop:
				return
			default:
			}
			n++
			p, _ := Compile(frontOf(t, front, rule(n%2, "", ""), rule(Pass, "127.0.0.1/32", "")))
			if err := l.Load([]Plan{p}, 1); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	got := [3]int{}
	for range 1500 {
		conn, err := dialFrom(netip.AddrPort{}, netip.MustParseAddrPort("127.0.0.1:4000"))
		if err != nil {
			t.Fatal(err)
		}
		which, _, _ := waiting(t, sockets[0], sockets[1], front)
		got[which]++
		conn.Close()
	}
	close(stop)
	if n := <-loaded; n < 3 || got[0] == 0 || got[1] == 0 || got[2] != 0 {
		t.Error(n, "times loaded;", got)
	} else {
		t.Log(n, "times loaded;", got)
	}
}

// TestOtherNamespace works from outside in a network namespace.
func TestOtherNamespace(t *testing.T) {
	if _, inside := isolated(t); !inside {
		return
	}
	front, tasks := otherNamespace(t)
	theirs, err := NamespaceOf(front)
	if err != nil {
		t.Fatal(err)
	}
	if isOurs(theirs) {
		t.Fatal("it is ours")
	}
	l, err := Open(theirs, "")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fd := behindOf(t, front)
	l.put(t, 0, fd)
	l.load(t, frontOf(t, front, rule(0, "", "")))
	if _, err := dialFrom(netip.AddrPort{}, netip.MustParseAddrPort("127.0.0.1:4000")); err == nil {
		t.Error("the front is here")
	}
	for range 10 {
		result := make(chan error)
		tasks <- func() {
			c, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
			if err == nil {
				defer unix.Close(c)
				err = unix.Connect(c, &unix.SockaddrInet4{Port: 4000, Addr: [4]byte{127, 0, 0, 1}})
			}
			result <- err
		}
		if err := <-result; err != nil {
			t.Fatal(err)
		}
		if which, _, _ := waiting(t, front, fd); which != 1 {
			t.Error(which)
		}
	}
}

// otherNamespace returns a listener of a new network namespace, and what runs functions there.
func otherNamespace(t *testing.T) (front int, tasks chan func()) {
	t.Helper()
	tasks = make(chan func())
	t.Cleanup(func() { close(tasks) })
	ready := make(chan error)
	platform.OnOwnThread(func() {
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = loopbackUp()
		}
		ready <- err
		for f := range tasks {
			f()
		}
	})
	if err := <-ready; err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	tasks <- func() {
		defer close(done)
		front = -1
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil && unix.Bind(fd, &unix.SockaddrInet4{Port: 4000, Addr: [4]byte{127, 0, 0, 1}}) == nil && unix.Listen(fd, 10) == nil {
			front = fd
		}
	}
	<-done
	if front < 0 {
		t.Fatal("no listener")
	}
	t.Cleanup(func() { unix.Close(front) })
	return front, tasks
}

// TestManyPrefixes measures what prefixes and masks cost, and that they are found.
func TestManyPrefixes(t *testing.T) {
	if _, inside := isolated(t); !inside {
		return
	}
	front := socket(t, unix.SOCK_STREAM, "[::]:4000")
	l := open(t, "")
	fd := behindOf(t, front)
	l.put(t, 0, fd)
	cookie, _ := CookieOf(fd)
	least := func(prefixes, masks int) (cost, loading time.Duration) {
		var rules []Rule
		for i := range prefixes {
			b := Bits{Address: [16]byte{0: 0xfd, 1: byte(i % masks), 2: byte(i % masks >> 8), 3: 0x80, 12: byte(i >> 16), 13: byte(i >> 8), 14: byte(i)}}
			b.Mask = [16]byte{0: 0xff, 1: 0xff, 2: 0xff, 3: 0xff, 12: 0xff, 13: 0xff, 14: 0xff, 10: byte(i % masks), 11: byte(i % masks >> 8)}
			rules = append(rules, Rule{Families: IPv6, Client: b, Last: 65535})
		}
		f := frontOf(t, front, rules...)
		at := time.Now()
		p := l.program(t, f)
		loading = time.Since(at)
		last := client{family: IPv6, client: rules[prefixes-1].Client.Address}
		if got, _, _ := run(t, p, f, last, 1); got != cookie {
			t.Fatalf("%d prefixes of %d masks: not found", prefixes, masks)
		}
		cost = time.Hour
		for range 10 {
			_, _, c := run(t, p, f, last, 200)
			cost = min(cost, c)
		}
		return cost, loading
	}
	few, _ := least(10, 1)
	for _, c := range [][2]int{{10, 1}, {10_000, 1}, {100_000, 1}, {10, 10}, {10_000, 10}, {10_000, 100}, {10_000, 512}} {
		cost, loading := least(c[0], c[1])
		t.Logf("%6d prefixes of %3d masks: %v for a client, loaded in %v", c[0], c[1], cost, loading.Round(time.Millisecond))
		if c == [2]int{10_000, 1} && cost > 3*few+time.Microsecond {
			t.Errorf("10,000 prefixes cost %v, 10 %v", cost, few)
		}
	}
}

func TestLoadRefusesTwoFrontsAtOnePlace(t *testing.T) {
	if _, inside := isolated(t); !inside {
		return
	}
	p, err := Compile(frontOf(t, socket(t, unix.SOCK_STREAM, "[::]:4000")))
	if err != nil {
		t.Fatal(err)
	}
	if err := open(t, "").Load([]Plan{p, p}, 1); err == nil {
		t.Error("taken")
	}
}

func TestProbe(t *testing.T) {
	if os.Getuid() != 0 {
		if Probe() == nil {
			t.Error("without capabilities")
		}
		return
	}
	if err := Probe(); err != nil {
		t.Skip("no sk_lookup here: ", err)
	}
	t.Log("knows interfaces:", KnowsInterfaces())
}
