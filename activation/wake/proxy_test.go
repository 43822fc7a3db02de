package wake

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/platform"
)

// TestRelayedProgram is the program behind the proxy, when it runs in a process of its own. It answers every line with its
// process id and that line, and on SIGTERM serves those whom it has.
func TestRelayedProgram(t *testing.T) {
	network, address, _ := strings.Cut(os.Getenv("WAKE_TEST_RELAYED"), " ")
	if network == "" {
		return // runs in a process that other tests start
	}
	time.AfterFunc(time.Minute, func() { unix.Exit(99) })
	if gate := os.Getenv("WAKE_TEST_GATE"); gate != "" { // what is slow to start
		for !there(gate) {
			time.Sleep(time.Millisecond)
		}
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM) // before a client is answered, upon which it may be stopped
	var listeners []net.Listener
	for one := range strings.SplitSeq(address, " ") {
		l, err := net.Listen(network, one)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			unix.Exit(3)
		}
		listeners = append(listeners, l)
	}
	var busy sync.WaitGroup
	for _, l := range listeners {
		go answer(l, &busy)
	}
	<-stop
	for _, l := range listeners {
		l.Close()
	}
	busy.Wait()
	unix.Exit(0)
}

func there(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func answer(l net.Listener, busy *sync.WaitGroup) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		busy.Go(func() {
			defer c.Close()
			for lines := bufio.NewScanner(c); lines.Scan(); {
				fmt.Fprintf(c, "%d %s\n", os.Getpid(), lines.Text())
			}
		})
	}
}

// front is a proxy engine, and the address where its clients knock.
type front struct {
	*proxyEngine
	t       *testing.T
	held    activation.Held
	address string
	dir     string
	log     *buffer
}

// newFront makes an engine for the relayed program, which listens as it is told: NETWORK ADDRESS….
func newFront(t *testing.T, listens string, edit ...func(*Config)) *front {
	t.Helper()
	f := &front{t: t, log: &buffer{}, dir: t.TempDir()}
	f.held = heldSocket(t, "web=tcp:127.0.0.1:0")
	f.address = f.held.Info.Local
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := Config{
		Command: []string{"program", "-test.run=^TestRelayedProgram$"}, Path: executable,
		Env:     append(os.Environ(), "WAKE_TEST_RELAYED="+listens),
		Sockets: []activation.Held{f.held}, StopSignal: syscall.SIGTERM,
		Log:    slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Stderr: f.log,
	}
	for _, change := range edit {
		change(&c)
	}
	e, err := newProxyEngine(c, newFamily(t))
	if err != nil {
		t.Fatal(err)
	}
	f.proxyEngine = e.(*proxyEngine)
	t.Cleanup(func() {
		f.proxyEngine.close()
		if t.Failed() {
			t.Log(f.log)
		}
	})
	return f
}

// behindSocket maps the front's socket to a unix socket, which a program can be told without a race.
func behindSocket(t *testing.T, edit ...func(*Config)) *front {
	t.Helper()
	dir, err := os.MkdirTemp("", "proxy") // socket paths are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "app")
	return newFront(t, "unix "+path, append(edit, func(c *Config) { c.Maps = mapsOf(t, path+"=web") })...)
}

func mapsOf(t *testing.T, texts ...string) (all []Map) {
	t.Helper()
	for _, text := range texts {
		m, err := ParseMap(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

func heldSocket(t *testing.T, text string) activation.Held {
	t.Helper()
	a, err := activation.ParseAddress(text)
	if err != nil {
		t.Fatal(err)
	}
	held, _, err := activation.NewOpener().Hold([]activation.Address{a}, nil)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(held[0].Close)
	return held[0]
}

func (f *front) run() *instance {
	f.t.Helper()
	one, err := f.start()
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		f.family.signal(one.main, syscall.SIGKILL)
		await(f.t, one.gone, "the end of the program")
	})
	return one
}

// stop stops as Run does.
func (f *front) stop(one *instance) {
	f.t.Helper()
	f.hold(true)
	f.family.signal(one.main, syscall.SIGTERM)
	await(f.t, one.gone, "the end of the program")
	f.rest()
}

func (f *front) dial() net.Conn {
	f.t.Helper()
	c, err := net.Dial("tcp", f.address)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

// ask sends a line and expects the answer of the instance.
func (f *front) ask(c net.Conn, one *instance) {
	f.t.Helper()
	fmt.Fprintln(c, "hello")
	got, err := bufio.NewReader(c).ReadString('\n')
	if want := fmt.Sprintf("%d hello\n", one.main.pid); got != want {
		f.t.Fatalf("the answer is %q, %v; want %q", got, err, want)
	}
}

func (f *front) counts(want int) {
	f.t.Helper()
	eventually(f.t, fmt.Sprintf("a count of %d connections", want), func() bool {
		n, err := f.connections(nil)
		return n == want && err == nil
	})
}

// Clients wait in the kernel's queue until a program that is slow to start listens, are answered, and counted as long as
// they stay.
func TestProxySlowStart(t *testing.T) {
	var gate string
	f := behindSocket(t, func(c *Config) {
		gate = filepath.Join(t.TempDir(), "gate")
		c.Env = append(c.Env, "WAKE_TEST_GATE="+gate)
	})
	early := f.dial()
	one := f.run()
	for range 3 {
		f.dial()
	}
	if over(one.ready) || f.arrived() || !platform.Readable(f.held.Number) {
		t.Error("a client was accepted before the program listens")
	}
	f.counts(0)
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	await(t, one.ready, "readiness")
	f.ask(early, one)
	f.counts(4)
	if !f.arrived() || f.arrived() {
		t.Error("arrivals are not told once")
	}
	f.ask(early, one) // an old client is no arrival
	if f.arrived() {
		t.Error("a client arrived twice")
	}
	early.Close()
	f.counts(3)
}

// A held door loses nobody, and neither does a restart: who comes meanwhile is answered by the next instance. The held socket
// is left as it was inherited.
func TestProxyHoldAndRestart(t *testing.T) {
	f := behindSocket(t)
	first := f.run()
	await(t, first.ready, "readiness")
	old := f.dial()
	f.ask(old, first)
	f.hold(true)
	waiting := f.dial()
	eventually(t, "the client in the queue", func() bool { return platform.Readable(f.held.Number) })
	f.counts(1)
	f.hold(false)
	f.ask(waiting, first)
	waiting.Close()
	old.Close()
	f.stop(first)
	if flags, err := unix.FcntlInt(uintptr(f.held.Number), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
		t.Errorf("the socket is left with flags %#x, %v", flags, err)
	}
	late := f.dial()
	second := f.run()
	f.ask(late, second)
	late.Close()
	f.counts(0)
	f.stop(second)
}

// Clients that knock while the program is stopped and started again all the time are all answered.
func TestProxyRestartsUnderLoad(t *testing.T) {
	t.Run("unix", func(t *testing.T) { behindSocket(t).restartUnderLoad() })
	t.Run("tcp", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close() // the program takes its port
		address := l.Addr().String()
		newFront(t, "tcp "+address, func(c *Config) { c.Maps = mapsOf(t, address+"=web") }).restartUnderLoad()
	})
}

func (f *front) restartUnderLoad() {
	t := f.t
	var done atomic.Bool
	var answered, lost atomic.Int32
	var clients sync.WaitGroup
	defer clients.Wait()
	defer done.Store(true)
	for range 4 {
		clients.Go(func() {
			for !done.Load() {
				if err := f.once(); err != nil {
					lost.Add(1)
					t.Error(err)
					return
				}
				answered.Add(1)
			}
		})
	}
	for range 4 {
		one := f.run()
		await(t, one.ready, "readiness")
		before := answered.Load()
		eventually(t, "answers", func() bool { return answered.Load() > before+20 || lost.Load() > 0 })
		f.stop(one)
	}
	one := f.run() // for those that still wait
	done.Store(true)
	clients.Wait()
	f.stop(one)
}

// once makes one connection with one line.
func (f *front) once() error {
	c, err := net.Dial("tcp", f.address)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintln(c, "hello")
	c.(*net.TCPConn).CloseWrite()
	if b, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(b), " hello\n") {
		return fmt.Errorf("a client was lost: %q, %w", b, err)
	}
	return nil
}

// On request the program is told who its clients are.
func TestProxyHeader(t *testing.T) {
	f := behindSocket(t, func(c *Config) { c.ProxyWith = "v1" })
	one := f.run()
	c := f.dial()
	fmt.Fprintln(c, "hello")
	from, to := c.LocalAddr().(*net.TCPAddr), c.RemoteAddr().(*net.TCPAddr)
	want := fmt.Sprintf("%d PROXY TCP4 127.0.0.1 127.0.0.1 %d %d\n", one.main.pid, from.Port, to.Port)
	if got, err := bufio.NewReader(c).ReadString('\n'); got != want {
		t.Errorf("the program read %q, %v; want %q", got, err, want)
	}
}

// The configurations in which it cannot work are refused with a line that says what to change.
func TestProxyRefuses(t *testing.T) {
	web, dns := heldSocket(t, "web=tcp:127.0.0.1:0"), heldSocket(t, "dns=udp:127.0.0.1:0")
	other, everywhere := heldSocket(t, "other=tcp:127.0.0.1:0"), heldSocket(t, "all=tcp:0")
	path := filepath.Join(t.TempDir(), "s")
	file := heldSocket(t, "file=unix:"+path)
	port := func(h activation.Held) uint16 { return netip.MustParseAddrPort(h.Info.Local).Port() }
	for name, c := range map[string]struct {
		edit  Config
		wants []string
	}{
		"none":          {Config{}, []string{"needs a listening socket"}},
		"udp":           {Config{Sockets: []activation.Held{web, dns}}, []string{"udp:127.0.0.1:0", "UDP", "listener mode"}},
		"several":       {Config{Sockets: []activation.Held{web, other}}, []string{"several sockets", "--map 8080=web --map 8443=other"}},
		"unknown":       {Config{Sockets: []activation.Held{web}, Maps: mapsOf(t, "8080=nothing")}, []string{"no socket nothing"}},
		"same port":     {Config{Sockets: []activation.Held{web}, Maps: mapsOf(t, fmt.Sprintf("%d=web", port(web)))}, []string{fmt.Sprint("cannot bind port ", port(web)), "another port"}},
		"same wildcard": {Config{Sockets: []activation.Held{everywhere}, Maps: mapsOf(t, fmt.Sprintf("127.0.0.1:%d=all", port(everywhere)))}, []string{"cannot bind port"}},
		"same path":     {Config{Sockets: []activation.Held{file}, Maps: mapsOf(t, path+"=file")}, []string{"another path"}},
		"two places":    {Config{Sockets: []activation.Held{web}, Maps: mapsOf(t, "127.0.0.1:8080=web", "127.0.0.1:8081=web")}, []string{"one of them only"}},
		"overlap":       {Config{Sockets: []activation.Held{web}, Maps: mapsOf(t, "8080=web"), Reload: ReloadOverlap}, []string{"overlap", "--reload=restart"}},
	} {
		c.edit.Command, c.edit.Log = []string{"program"}, slog.New(slog.DiscardHandler)
		_, err := newProxyEngine(c.edit, nil)
		expectRefusal(t, name, err, c.wants...)
	}
	if canSearch {
		for _, word := range []string{"%d", "--port=%d", "127.0.0.1:%d"} {
			c := Config{Sockets: []activation.Held{web}, Command: []string{"program", fmt.Sprintf(word, port(web))}}
			_, err := newProxyEngine(c, nil)
			expectRefusal(t, word, err, "the command names port", "--map ")
		}
	}
}

func expectRefusal(t *testing.T, name string, err error, wants ...string) {
	t.Helper()
	if _, ok := errors.AsType[Refused](err); !ok {
		t.Errorf("%s: %v", name, err)
		return
	}
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q does not say %q", name, err, want)
		}
	}
}

// A stranger who listens where the program is to listen never gets its clients.
func TestProxyStranger(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	address := l.Addr().String()
	f := newFront(t, "tcp "+address, func(c *Config) { c.Maps = mapsOf(t, address+"=web") })
	_, err = f.start()
	expectRefusal(t, "a stranger", err, "answers on "+address+" already")
}

// Sockets, threads and descriptors do not grow from instance to instance.
func TestProxyLeavesNothing(t *testing.T) {
	f := behindSocket(t)
	open := func() int {
		count := 0
		for fd := range 256 {
			if platform.IsSocket(fd) {
				count++
			}
		}
		return count
	}
	before := open()
	for range 3 {
		one := f.run()
		c := f.dial()
		f.ask(c, one)
		c.Close()
		f.counts(0)
		f.stop(one)
	}
	eventually(t, "as few sockets as before", func() bool { return open() <= before })
}
