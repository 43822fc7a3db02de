package route

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/activation/handoff"
)

// longest bounds every wait of these tests; it is reached only when something is broken.
const longest = 20 * time.Second

// scene is a dispatcher that runs, with a socket on loopback for each listener of its rules.
type scene struct {
	t       testing.TB
	d       *Dispatcher
	dir     string
	desk    string
	sockets map[string][]activation.Held
	log     *lines
	stop    func()
}

// lines is a log to look into.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// play runs a dispatcher by rules in TOML. Its listeners are the words of listeners; one with a ? has options, such as web?proxy=v2.
func play(t testing.TB, listeners, rules string, o Options) *scene {
	t.Helper()
	s := &scene{t: t, dir: tempDir(t), sockets: map[string][]activation.Held{}, log: &lines{}}
	s.desk = filepath.Join(s.dir, "desk")
	var addresses strings.Builder
	for _, l := range strings.Fields(listeners) {
		name, options, _ := strings.Cut(l, "?")
		s.hold(name, "tcp:127.0.0.1:0?"+options)
		fmt.Fprintf(&addresses, "[listeners.%s]\n", name)
	}
	config := s.rules(rules + "\n" + addresses.String())
	o.Engine = cmp.Or(o.Engine, Engine(os.Getenv("ROUTE_TEST_ENGINE")), HandOver)
	o.Grace = cmp.Or(o.Grace, 100*time.Millisecond)
	o.Log = slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	d, err := New(config, s.sockets, o)
	if err != nil {
		t.Fatal(err)
	}
	s.d = d
	s.run()
	return s
}

func (s *scene) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.d.Run(ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				s.t.Error(err)
			}
		case <-time.After(longest):
			s.t.Error("the dispatcher does not end")
		}
		for _, held := range s.sockets {
			activation.CloseHeld(held)
		}
		if s.t.Failed() {
			s.t.Log(s.log)
		}
	})
	s.t.Cleanup(s.stop)
}

// rules reads rules; DIR in them is the scene's folder. Its desk is DIR/desk.
func (s *scene) rules(text string) Config {
	s.t.Helper()
	file := filepath.Join(s.dir, "rules.toml")
	text = "socket = \"DIR/desk\"\n" + text
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "DIR", s.dir)), 0o600); err != nil {
		s.t.Fatal(err)
	}
	config, err := ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	return config
}

func (s *scene) hold(name, address string) {
	s.t.Helper()
	a, err := activation.ParseAddress(strings.TrimSuffix(address, "?"))
	if err != nil {
		s.t.Fatal(err)
	}
	held, _, err := activation.NewOpener().Hold([]activation.Address{a}, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.sockets[name] = append(s.sockets[name], held...)
}

func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "route") // socket paths are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func (s *scene) address(listener string) string { return s.sockets[listener][0].Info.Local }

// dial connects to a listener.
func (s *scene) dial(listener string) net.Conn {
	s.t.Helper()
	conn, err := net.DialTimeout("tcp", s.address(listener), longest)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(longest))
	return conn
}

// ask connects, and returns what it is answered until the end.
func ask(address string) (string, error) {
	conn, err := net.DialTimeout("tcp", address, longest)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(longest))
	answer, err := io.ReadAll(conn)
	if err == nil && len(answer) == 0 {
		err = io.ErrUnexpectedEOF
	}
	return string(answer), err
}

func (s *scene) asks(listener, want string) {
	s.t.Helper()
	if got, err := ask(s.address(listener)); got != want || err != nil {
		s.t.Errorf("%s answers %q, %v; want %q", listener, got, err, want)
	}
}

// crowd asks from many clients at once, each so many times, and returns the answers by how often they came, and the failures.
func crowd(address string, clients, each int) (map[string]int, []error) {
	var mu sync.Mutex
	answers, failures := map[string]int{}, []error(nil)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for range each {
				answer, err := ask(address)
				mu.Lock()
				answers[answer]++
				if err != nil {
					failures = append(failures, err)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return answers, failures
}

// wasReset reads from a connection that nobody serves, and tells how long it took until it was reset.
func wasReset(t testing.TB, conn net.Conn) time.Duration {
	t.Helper()
	began := time.Now()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client gets %v, no reset", err)
	}
	return time.Since(began)
}

// server is a backend that registers. It answers each connection with its name.
type server struct {
	*handoff.Registration
	name string
}

// register begins a backend that serves as many at once as its credit.
func (s *scene) register(name string, credit int, serve func(a *handoff.Arrival, conn net.Conn)) *server {
	s.t.Helper()
	b := &server{s.registered(name, credit), name}
	go func() {
		for {
			a, err := b.Next(context.Background())
			if err != nil {
				return
			}
			a.Accepted()
			go func() {
				defer b.Grant(1)
				if a.Number < 0 {
					return
				}
				conn := connOfArrival(a)
				defer conn.Close()
				serve(a, conn)
			}()
		}
	}()
	return b
}

// registered registers, without taking anything.
func (s *scene) registered(name string, credit int) *handoff.Registration {
	s.t.Helper()
	r := handoff.Register(s.desk, name, handoff.RegisterOptions{Takes: "connections", Credit: credit})
	s.t.Cleanup(func() { r.Close() })
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	if _, _, err := r.Assigned(ctx); err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *scene) serve(name string) *server {
	return s.register(name, 16, func(_ *handoff.Arrival, conn net.Conn) { io.WriteString(conn, name) })
}

func connOfArrival(a *handoff.Arrival) net.Conn {
	file := os.NewFile(uintptr(a.Number), "arrival")
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		panic(err)
	}
	return conn
}

// next waits for the next arrival.
func next(t testing.TB, c handoff.Channel) *handoff.Arrival {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	a, err := c.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// until waits for something to become true.
func until(t testing.TB, what string, true func() bool) {
	t.Helper()
	for end := time.Now().Add(longest); !true(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

func (s *scene) backend(name string) BackendStatus {
	for _, b := range s.d.Status().Backends {
		if b.Name == name {
			return b
		}
	}
	s.t.Fatalf("no backend %s", name)
	return BackendStatus{}
}

// waiting is how many clients wait for a backend, in the dispatcher and in the kernel.
func (s *scene) waiting(name string) int {
	n := s.backend(name).Waiting
	r := s.d.rules.Load()
	for _, l := range s.d.Status().Listeners {
		if only, ok := r.table.Only(l.Name, "tcp"); l.Backend == name || l.Backend == "" && ok && only == name {
			n += max(l.Waiting, 0)
		}
	}
	return n
}

// last is the last listener: that of the kernel engine, if there is one.
func (s *scene) last() ListenerStatus {
	all := s.d.Status().Listeners
	return all[len(all)-1]
}

// openFiles counts the descriptors of this process.
func openFiles() int {
	count := 0
	for fd := range 8192 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			count++
		}
	}
	return count
}
