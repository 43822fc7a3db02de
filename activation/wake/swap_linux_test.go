package wake

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/platform"
	"github.com/rouse-server/rouse/platform/process"
	"github.com/rouse-server/rouse/platform/seccomp"
)

// patient bounds every wait of these tests.
const patient = 30 * time.Second

// desk is a listener engine with one held socket, and the program that it starts: TestSwapProgram in a process of its own.
type desk struct {
	*listenerEngine
	t       *testing.T
	address string
	log     *journal
}

// journal is a log that may be read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// newDesk makes an engine for the program of this name (see TestSwapProgram) and a socket of the address.
func newDesk(t *testing.T, program, network, address string, edit ...func(*Config)) *desk {
	t.Helper()
	if _, err := seccomp.Probe(seccomp.Auto); err != nil {
		t.Skip(err)
	}
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	held := hold(t, network, address)
	d := &desk{t: t, address: held.Info.Local, log: &journal{}}
	c := Config{
		Command: []string{"program", "-test.run=^TestSwapProgram$"}, Path: executable,
		Env:     append(os.Environ(), "WAKE_TEST_PROGRAM="+program, "WAKE_TEST_ADDRESS="+held.Info.Local),
		Sockets: []activation.Held{held}, StopSignal: syscall.SIGTERM, IdleStop: time.Hour,
		Log:    slog.New(slog.NewTextHandler(d.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Stderr: d.log,
	}
	for _, change := range edit {
		change(&c)
	}
	family := newChildren()
	if d.listenerEngine, err = newListener(c, family); err != nil {
		t.Fatal(err)
	}
	d.settle = 50 * time.Millisecond
	t.Cleanup(func() {
		for _, one := range d.running {
			d.kill(one)
		}
		d.close()
		family.close(time.Second)
		if t.Failed() {
			t.Log(d.log)
		}
	})
	return d
}

// hold opens a socket as systemd does: it blocks, and it listens.
func hold(t *testing.T, network, address string) activation.Held {
	t.Helper()
	h := activation.Held{Name: "web", Source: "systemd:web", Kind: activation.Listener}
	kind, domain, sa := unix.SOCK_STREAM, unix.AF_UNIX, unix.Sockaddr(&unix.SockaddrUnix{Name: address})
	if network == "udp" {
		kind, h.Kind = unix.SOCK_DGRAM, activation.Packet
	}
	at, err := netip.ParseAddrPort(address)
	switch {
	case err == nil && at.Addr().Is4():
		domain, sa = unix.AF_INET, &unix.SockaddrInet4{Addr: at.Addr().As4(), Port: int(at.Port())}
	case err == nil:
		domain, sa = unix.AF_INET6, &unix.SockaddrInet6{Addr: at.Addr().As16(), Port: int(at.Port())}
	}
	if h.Number, err = unix.Socket(domain, kind|unix.SOCK_CLOEXEC, 0); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { unix.Close(h.Number) })
	unix.SetsockoptInt(h.Number, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	unix.SetsockoptInt(h.Number, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
	if err := unix.Bind(h.Number, sa); err != nil {
		t.Skip(err)
	}
	if h.Kind == activation.Listener {
		if err := unix.Listen(h.Number, 64); err != nil {
			t.Fatal(err)
		}
	}
	if h.Info, err = platform.Describe(h.Number); err != nil {
		t.Fatal(err)
	}
	return h
}

func (d *desk) run() *instance {
	d.t.Helper()
	one, err := d.start()
	if err != nil {
		d.t.Fatal(err)
	}
	return one
}

// stop ends an instance, as Run would.
func (d *desk) stop(one *instance, s syscall.Signal) {
	d.t.Helper()
	d.family.signal(one.main, s)
	d.wait(one.main.ended, "the end of the main process")
	d.wait(one.gone, "the end of all processes")
	d.rest()
}

func (d *desk) kill(one *instance) {
	for _, pid := range d.processes(one) {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	d.wait(one.gone, "the end of what was killed")
}

func (d *desk) wait(happened <-chan struct{}, what string) {
	d.t.Helper()
	select {
	case <-happened:
	case <-time.After(patient):
		d.t.Fatalf("no %s: %s", what, d.log)
	}
}

// says waits for a line in the log.
func (d *desk) says(text string) {
	d.t.Helper()
	for end := time.Now().Add(patient); !strings.Contains(d.log.String(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			d.t.Fatalf("the log lacks %q", text)
		}
	}
}

// knock connects as a client.
func (d *desk) knock() net.Conn {
	d.t.Helper()
	network, address := string(d.sockets[0].transport), d.address
	if network != "unix" {
		_, port, _ := net.SplitHostPort(d.address)
		address = net.JoinHostPort("127.0.0.1", port)
	}
	conn, err := net.DialTimeout(network, address, patient)
	if err != nil {
		d.t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(patient))
	if _, err := io.WriteString(conn, "x\n"); err != nil {
		d.t.Fatal(err)
	}
	return conn
}

// answer reads what the program says to a client.
func (d *desk) answer(conn net.Conn) string {
	d.t.Helper()
	defer conn.Close()
	b := make([]byte, 1024)
	n, err := conn.Read(b)
	if err != nil {
		d.t.Fatalf("no answer: %v: %s", err, d.log)
	}
	return string(b[:n])
}

// serves wants an answer, from before the start and after it.
func (d *desk) serves(want string) *instance {
	d.t.Helper()
	before := d.knock()
	one := d.run()
	for _, conn := range []net.Conn{before, d.knock()} {
		if got := d.answer(conn); got != want {
			d.t.Fatalf("the program answers %q, want %q", got, want)
		}
	}
	d.wait(one.ready, "readiness")
	return one
}

// What every way of binding has in common: a request that was queued before the start is answered, one that is made while
// nothing runs is answered by the next instance, and the end is clean.
func TestSwap(t *testing.T) {
	anyFamily := func(c *Config) { c.AnyFamily = true }
	for _, c := range []struct {
		program, network, address string
		edit                      []func(*Config)
	}{
		{"plain", "tcp", "127.0.0.1:0", nil},
		{"other port", "tcp", "127.0.0.1:0", nil},
		{"thread", "tcp", "127.0.0.1:0", nil},
		{"own table", "tcp", "127.0.0.1:0", nil},
		{"twice", "tcp", "127.0.0.1:0", nil},
		{"probe", "tcp", "127.0.0.1:0", nil},
		{"dup", "tcp", "127.0.0.1:0", nil},
		{"epoll", "tcp", "127.0.0.1:0", nil},
		{"v6", "tcp", "127.0.0.1:0", nil},
		{"mapped", "tcp", "127.0.0.1:0", nil},
		{"plain", "tcp", "[::]:0", []func(*Config){anyFamily}},
		{"v6", "tcp", "[::]:0", nil},
		{"packets", "udp", "127.0.0.1:0", nil},
		{"go", "tcp", "127.0.0.1:0", nil},
	} {
		t.Run(c.program+" on "+c.address, func(t *testing.T) {
			d := newDesk(t, c.program, c.network, c.address, c.edit...)
			d.stop(d.serves("ok"), syscall.SIGTERM)
			d.stop(d.serves("ok"), syscall.SIGKILL)
		})
	}
}

// A unix socket under programs that bind another path, or a port.
func TestSwapUnix(t *testing.T) {
	for program, bind := range map[string]string{"unix": "/nonexistent/real.sock", "other port": "4711"} {
		t.Run(program, func(t *testing.T) {
			folder, err := os.MkdirTemp("", "wake") // t.TempDir is too long for a unix socket
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(folder) })
			d := newDesk(t, program, "unix", folder+"/held", func(c *Config) { c.Maps = maps(t, bind+"=web") })
			d.stop(d.serves("ok"), syscall.SIGTERM)
		})
	}
}

// Where pidfd_getfd(2) is refused, /proc is enough.
func TestSwapByProc(t *testing.T) {
	for _, program := range []string{"plain", "v6", "thread", "dup"} {
		t.Run(program, func(t *testing.T) {
			d := newDesk(t, program, "tcp", "127.0.0.1:0")
			d.descriptor = func(*process.Process, int) (int, error) { return -1, unix.EPERM }
			d.stop(d.serves("ok"), syscall.SIGTERM)
		})
	}
}

// The protocol is known there too: a UDP bind of the port does not get the listener.
func TestSwapTransportByProc(t *testing.T) {
	d := newDesk(t, "udp beside", "tcp", "127.0.0.1:0")
	d.descriptor = func(*process.Process, int) (int, error) { return -1, unix.EPERM }
	d.stop(d.serves("ok"), syscall.SIGTERM)
}

func TestSwapDualStackRefusesIPv4(t *testing.T) {
	d := newDesk(t, "plain", "tcp", "[::]:0")
	one := d.run()
	d.wait(one.gone, "end")
	if status := one.main.status.ExitStatus(); status != int(unix.EADDRNOTAVAIL) {
		t.Errorf("bind gave error %d, want EADDRNOTAVAIL", status)
	}
	if n := strings.Count(d.log.String(), "level=ERROR"); n != 1 || !strings.Contains(d.log.String(), "BindIPv6Only=ipv6-only") {
		t.Errorf("%d errors: %s", n, d.log)
	}
}

// What the program set before it bound reaches the connections that it accepts, and is gone from the socket after it.
func TestSwapOptionsFollow(t *testing.T) {
	d := newDesk(t, "options", "tcp", "127.0.0.1:0")
	one := d.run()
	d.wait(one.ready, "readiness") // the kernel made the connections that were there before
	if got, want := d.answer(d.knock()), "keepalive 1 nodelay 1 nonblock true"; got != want {
		t.Errorf("the program answers %q, want %q", got, want)
	}
	d.stop(one, syscall.SIGTERM)
	fd := d.sockets[0].Number
	keep, _ := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
	nodelay, _ := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY)
	flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if keep != 0 || nodelay != 0 || flags&unix.O_NONBLOCK != 0 {
		t.Errorf("left on the socket: keepalive %d, nodelay %d, nonblock %v", keep, nodelay, flags&unix.O_NONBLOCK != 0)
	}
}

// A program that shuts its listener down takes ours along; it is revived.
func TestSwapShutdownIsUndone(t *testing.T) {
	d := newDesk(t, "shutdown", "tcp", "127.0.0.1:0")
	for range 3 {
		one := d.serves("ok")
		d.stop(one, syscall.SIGTERM)
	}
}

// With KeepOpen it takes nothing along: another instance may be serving on the same socket.
func TestSwapShutdownIsGuarded(t *testing.T) {
	d := newDesk(t, "shutdown", "tcp", "127.0.0.1:0", func(c *Config) { c.KeepOpen = true })
	one := d.run()
	for range 2 {
		if got := d.answer(d.knock()); got != "ok" {
			t.Fatalf("answer %q: %s", got, d.log)
		}
	}
	d.wait(one.gone, "end")
	if listens, err := unix.GetsockoptInt(d.sockets[0].Number, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); err != nil || listens != 1 {
		t.Errorf("the socket listens: %d, %v", listens, err)
	}
}

// A bind of port 0 or of another family is the program's own affair; one of another port gives a warning.
func TestSwapBindsThatPass(t *testing.T) {
	d := newDesk(t, "own binds", "tcp", "127.0.0.1:0")
	one := d.serves("ok")
	d.stop(one, syscall.SIGTERM)
	if n := strings.Count(d.log.String(), "level=WARN"); n != 1 || !strings.Contains(d.log.String(), "itself") {
		t.Errorf("%d warnings, want the one of the other port: %s", n, d.log)
	}
}

// A daemon's first process ends; the instance lives as long as its last one.
func TestSwapDaemon(t *testing.T) {
	d := newDesk(t, "daemon", "tcp", "127.0.0.1:0")
	one := d.run()
	d.wait(one.main.ended, "end of the first process")
	if one.main.status.ExitStatus() != 0 {
		t.Fatalf("status %v: %s", one.main.status, d.log)
	}
	d.wait(one.ready, "readiness")
	conn := d.knock()
	if got := d.answer(conn); got != "ok" {
		t.Errorf("answer %q", got)
	}
	if over(one.gone) {
		t.Error("the daemon lives, and the instance is gone")
	}
	d.kill(one)
}

func TestSwapTwoInstances(t *testing.T) {
	d := newDesk(t, "plain", "tcp", "127.0.0.1:0")
	first := d.serves("ok")
	second := d.run()
	d.wait(second.ready, "readiness of the second")
	d.family.signal(first.main, syscall.SIGTERM)
	d.wait(first.gone, "end of the first")
	for range 5 {
		if got := d.answer(d.knock()); got != "ok" {
			t.Errorf("answer %q", got)
		}
	}
	d.stop(second, syscall.SIGTERM)
}

// The program is told the address that it asked for where that differs, unless it is not to be.
func TestSwapGetsockname(t *testing.T) {
	const other = "127.0.0.1:4711"
	for _, c := range []struct {
		what   string
		edit   func(*Config)
		faked  bool
		passed bool // the socket's own address
	}{
		{"a map with another port", func(c *Config) { c.Maps = maps(t, "4711=web") }, false, true},
		{"a map, and a program that compares", func(c *Config) {
			c.Maps = maps(t, "4711=web")
			c.Path = linkTo(t, c.Path, "node")
		}, true, false},
		{"never", func(c *Config) {
			c.Maps = maps(t, "4711=web")
			c.Path = linkTo(t, c.Path, "node")
			c.Faking = FakeNo
		}, false, true},
		{"a guess", func(c *Config) {}, false, true},
		{"always", func(c *Config) { c.Faking = FakeYes }, true, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			d := newDesk(t, "name", "tcp", "127.0.0.1:0", c.edit)
			want := d.address
			if c.faked {
				want = other
			}
			d.stop(d.serves(want+" 16"), syscall.SIGTERM)
		})
	}
}

// A program that compares the ports fails once; its next start is told what it asked for.
func TestSwapComparingIsLearned(t *testing.T) {
	d := newDesk(t, "compare", "tcp", "127.0.0.1:0")
	conn := d.knock()
	one := d.run()
	d.wait(one.gone, "end")
	if one.main.status.ExitStatus() != int(unix.EADDRINUSE) {
		t.Fatalf("status %v: %s", one.main.status, d.log)
	}
	d.rest()
	one = d.run()
	if got := d.answer(conn); got != "ok" {
		t.Errorf("answer %q", got)
	}
	d.stop(one, syscall.SIGTERM)
	if !strings.Contains(d.log.String(), "--getsockname=yes") {
		t.Errorf("no line says so: %s", d.log)
	}
}

// Without a listen for one of its sockets the program is ready after a while, and a line says what waits in vain.
func TestSwapSocketLeftOver(t *testing.T) {
	spare := hold(t, "tcp", "127.0.0.1:0")
	d := newDesk(t, "plain", "tcp", "127.0.0.1:0", func(c *Config) {
		spare.Source = "systemd:spare"
		c.Sockets = append(c.Sockets, spare)
	})
	one := d.run()
	d.wait(one.ready, "readiness")
	d.says("systemd:spare")
	if got := d.answer(d.knock()); got != "ok" {
		t.Errorf("answer %q", got)
	}
	d.stop(one, syscall.SIGTERM)
}

func TestSwapUnusedMap(t *testing.T) {
	d := newDesk(t, "sleep", "tcp", "127.0.0.1:0", func(c *Config) {
		c.Maps = maps(t, "4712=web")
	})
	d.patience = 10 * time.Millisecond
	one := d.run()
	d.says("io_uring")
	if over(one.ready) {
		t.Error("ready without a bind")
	}
	d.stop(one, syscall.SIGTERM)
}

// One connection of the program counts, its listener does not, and those of others do not.
func TestSwapConnections(t *testing.T) {
	d := newDesk(t, "keep", "tcp", "127.0.0.1:0")
	one := d.run()
	d.wait(one.ready, "readiness")
	count := func(want int) {
		t.Helper()
		for end := time.Now().Add(patient); ; time.Sleep(5 * time.Millisecond) {
			n, err := d.connections(one)
			if err != nil {
				t.Fatal(err)
			}
			if n == want {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%d connections, want %d", n, want)
			}
		}
	}
	count(0)
	conn := d.knock()
	count(1)
	conn.Close()
	count(0)
	if !d.arrived() {
		t.Error("nobody arrived")
	}
	d.stop(one, syscall.SIGTERM)
}

// A filter that has a notifier keeps others out: the program, were it rouse run, would be told so.
func TestSwapNested(t *testing.T) {
	d := newDesk(t, "nested", "tcp", "127.0.0.1:0")
	d.stop(d.serves("ok"), syscall.SIGTERM)
}

func TestSwapNoURing(t *testing.T) {
	d := newDesk(t, "uring", "tcp", "127.0.0.1:0", func(c *Config) { c.NoURing = true })
	d.stop(d.serves("ok"), syscall.SIGTERM)
}

// A program that cannot be looked at, because it changed its user and we lack CAP_SYS_PTRACE, must not bind unseen.
func TestSwapUnreadableBind(t *testing.T) {
	if os.Getenv("WAKE_TEST_UNPTRACED") == "" {
		setpriv, err := exec.LookPath("setpriv")
		if err != nil || os.Getuid() != 0 {
			t.Skip("needs root and setpriv(1)")
		}
		inner := exec.Command(setpriv, "--bounding-set=-sys_ptrace", "--inh-caps=-all", os.Args[0], "-test.run=^TestSwapUnreadableBind$", "-test.v")
		inner.Env = append(os.Environ(), "WAKE_TEST_UNPTRACED=1")
		if out, err := inner.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS")) {
			t.Fatalf("%v: %s", err, out)
		}
		return
	}
	d := newDesk(t, "setuid", "tcp", "127.0.0.1:0")
	one := d.run()
	d.wait(one.gone, "end")
	if status := one.main.status.ExitStatus(); status != int(unix.EPERM) {
		t.Errorf("bind gave error %d, want EPERM", status)
	}
	if n := strings.Count(d.log.String(), "level=ERROR"); n != 1 || !strings.Contains(d.log.String(), "User=") {
		t.Errorf("%d errors: %s", n, d.log)
	}
}

func TestSwapNotExecutable(t *testing.T) {
	d := newDesk(t, "plain", "tcp", "127.0.0.1:0", func(c *Config) { c.Path = "/nonexistent/program" })
	_, err := d.start()
	var failed NotStarted
	if !errors.As(err, &failed) || failed.Status != 127 {
		t.Errorf("%v", err)
	}
}

func TestSwapRefused(t *testing.T) {
	held := hold(t, "tcp", "127.0.0.1:0")
	log := slog.New(slog.DiscardHandler)
	for _, c := range []Config{
		{Log: log},
		{Log: log, Sockets: []activation.Held{held}, Maps: maps(t, "80=nosuch")},
	} {
		var reason Refused
		if _, err := newListenerEngine(c, nil); !errors.As(err, &reason) {
			t.Errorf("%+v: %v", c.Maps, err)
		}
	}
}

// No descriptor, thread or zombie is left by an instance.
func TestSwapNoLeak(t *testing.T) {
	count := 200
	if os.Getenv("ROUSE_LONG") != "" {
		count = 1000
	}
	d := newDesk(t, "epoll", "tcp", "127.0.0.1:0")
	once := func() {
		conn := d.knock()
		one := d.run()
		if got := d.answer(conn); got != "ok" {
			t.Fatalf("answer %q", got)
		}
		d.stop(one, syscall.SIGKILL)
	}
	once()
	before := open(t)
	for range count {
		once()
	}
	// What ends with a thread ends a moment later.
	for end := time.Now().Add(patient); open(t) > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d descriptors after %d instances, %d after the first", open(t), count, before)
		}
	}
}

func open(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// linkTo is another name of a program.
func linkTo(t *testing.T, path, name string) string {
	t.Helper()
	link := filepath.Join(t.TempDir(), name)
	real, err := filepath.EvalSymlinks(path)
	if err == nil {
		err = os.Link(real, link) // a symbolic one would be seen through
	}
	if err != nil {
		t.Skip(err)
	}
	return link
}
