package dispatch

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/tests/program"
)

// A backend is this binary as another process: it registers by the client of registrant_linux_test.go, and greets each client
// with its name and both addresses. It counts in memory that it shares with the test, so that what was in its hands when it was
// killed is known.

// backend is such a process.
type backend struct {
	*program.Process
	counts *counts
}

// counts are kept in a file that is mapped.
type counts struct {
	accepted atomic.Uint64 // connections that are the backend's
	answered atomic.Uint64 // those that were served and closed
	bad      atomic.Uint64 // connections that could not be answered
}

// backendOptions say how a backend serves.
type backendOptions struct {
	takes  byte          // either when 0
	credit uint32        // 64 when 0; it stays
	work   time.Duration // on each connection, one after the other
	uid    int           // root when 0
}

var backends atomic.Int64 // that were started

// backs starts a backend in a network namespace of its own, in which nothing is up. It is registered when it returns.
func (s *scene) backs(name string, o backendOptions) *backend {
	s.t.Helper()
	b := s.begins(name, o)
	b.Stdout.WaitFor("registered\n", limit)
	return b
}

// begins is backs that does not wait.
func (s *scene) begins(name string, o backendOptions) *backend {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	through := []string{"unshare", "-n"}
	if o.uid != 0 {
		self = copyOf(s.t, self, s.dir)
		through = append(through, "setpriv", fmt.Sprintf("--reuid=%d", o.uid), fmt.Sprintf("--regid=%d", o.uid), "--clear-groups")
	}
	if o.takes == 0 {
		o.takes = either
	}
	if o.credit == 0 {
		o.credit = 64
	}
	file := filepath.Join(s.dir, fmt.Sprintf("counts%d", backends.Add(1)))
	err = errors.Join(os.WriteFile(file, make([]byte, 4096), 0o600), os.Chown(file, o.uid, o.uid))
	if err != nil {
		s.t.Fatal(err)
	}
	shared, err := mapped(file)
	if err != nil {
		s.t.Fatal(err)
	}
	p := program.Start(s.t, program.Run{
		Through: through, Binary: self, Env: []string{helperVariable + "=yes", "GORACE=atexit_sleep_ms=0"},
		Args: []string{s.desk, name, file, fmt.Sprint(o.takes), fmt.Sprint(o.credit), fmt.Sprint(int(o.work.Microseconds()))},
	})
	return &backend{p, shared}
}

// copyOf puts a program where other users may run it.
func copyOf(t *testing.T, program, dir string) string {
	t.Helper()
	path := filepath.Join(dir, filepath.Base(program))
	if _, err := os.Stat(path); err == nil {
		return path
	}
	data, err := os.ReadFile(program)
	if err == nil {
		err = os.WriteFile(path, data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// mapped maps counts. They stay until the process ends.
func mapped(file string) (*counts, error) {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	memory, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return (*counts)(unsafe.Pointer(&memory[0])), nil
}

// kill kills a backend, and returns how many connections were in its hands.
func (b *backend) kill() int {
	b.Signal(unix.SIGKILL)
	b.Wait(limit)
	return int(b.counts.accepted.Load() - b.counts.answered.Load())
}

// serveAsBackend is the process.
func serveAsBackend(args []string) {
	if os.Getenv(helperVariable) == "send" {
		if err := sendDescriptors(args[0], 3); err != nil {
			fail(err)
		}
		os.Exit(0)
	}
	shared, err := mapped(args[2])
	if err != nil {
		fail(err)
	}
	takes, _ := strconv.Atoi(args[3])
	credit, _ := strconv.Atoi(args[4])
	work, _ := strconv.Atoi(args[5])
	w := &worker{name: args[1], counts: shared, work: time.Duration(work) * time.Microsecond}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	r, err := register(args[0], args[1], byte(takes), uint32(credit))
	if err != nil {
		fail(err)
	}
	fmt.Println("registered")
	go func() {
		<-signals
		w.refuse()
		_ = r.leave()
		w.stop()
		r.close()
		os.Exit(0)
	}()
	w.serve(r)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

type worker struct {
	name   string
	counts *counts
	work   time.Duration

	one       sync.Mutex // with work, one connection after the other
	mu        sync.Mutex
	stopping  bool
	listeners []*os.File
	hands     sync.WaitGroup
}

// takes tells whether it takes one more, which is in its hands then.
func (w *worker) takes() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopping {
		w.hands.Add(1)
	}
	return !w.stopping
}

func (w *worker) stops() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stopping
}

// refuse has it take nothing more.
func (w *worker) refuse() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopping = true
}

// serve serves what the dispatcher gives, until the session ends.
func (w *worker) serve(r *registrant) {
	for {
		f, err := r.next()
		switch {
		case w.stops():
			select {} // the one who stops it ends the process
		case errors.Is(err, io.EOF), f.kind == endFrame:
			fmt.Println("the dispatcher has ended the session")
			os.Exit(3)
		case err != nil:
			fail(err)
		case f.kind == connectionFrame:
			if !w.takes() {
				continue
			}
			w.counts.accepted.Add(1)
			if err := r.accepted(1, f.id); err != nil {
				fail(err)
			}
			go w.answer(f.fd)
		case f.kind == socketFrame && f.socketKind == 1:
			w.listen(f.fd)
		}
	}
}

// listen accepts from a socket.
func (w *worker) listen(fd int) {
	if err := unix.SetNonblock(fd, true); err != nil {
		fail(err)
	}
	l := os.NewFile(uintptr(fd), "listener")
	w.mu.Lock()
	w.listeners = append(w.listeners, l)
	w.mu.Unlock()
	raw, err := l.SyscallConn()
	if err != nil {
		fail(err)
	}
	go func() {
		for {
			got := -1
			_ = raw.Read(func(fd uintptr) bool {
				got = w.accept(int(fd))
				return got != -1
			})
			if got < 0 {
				return
			}
			go w.answer(got)
		}
	}()
}

// accept returns a connection; -1: there is none, -2: it accepts nothing more.
func (w *worker) accept(listener int) int {
	if !w.takes() {
		return -2
	}
	w.counts.accepted.Add(1) // before it is: what was killed in between counts as in its hands
	fd, _, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
	if err == nil {
		return fd
	}
	w.counts.accepted.Add(^uint64(0))
	w.hands.Done()
	if !errors.Is(err, unix.EAGAIN) {
		fail(err)
	}
	return -1
}

// answer greets one client.
func (w *worker) answer(fd int) {
	defer w.hands.Done()
	if w.work > 0 {
		w.one.Lock()
		time.Sleep(w.work)
		w.one.Unlock()
	}
	file := os.NewFile(uintptr(fd), "connection")
	conn, err := net.FileConn(file)
	file.Close()
	if err != nil {
		w.counts.bad.Add(1)
		return
	}
	if _, err := fmt.Fprintf(conn, "%s %s %s\n", w.name, conn.RemoteAddr(), conn.LocalAddr()); err != nil {
		w.counts.bad.Add(1)
	}
	conn.Close()
	w.counts.answered.Add(1)
}

// stop accepts nothing more, and finishes what was accepted.
func (w *worker) stop() {
	w.mu.Lock()
	listeners := w.listeners
	w.mu.Unlock()
	for _, l := range listeners {
		l.Close() // which waits for the one who accepts, who may wait for the lock
	}
	done := make(chan struct{})
	go func() {
		w.hands.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(5 * time.Second): // an accept may wait where another process has made the shared socket blocking; it has nobody in its hands
	}
}

// greeting is what the backend says to the client at these addresses.
func greeting(name string, c net.Conn) string {
	return fmt.Sprintf("%s %s %s\n", name, c.LocalAddr(), c.RemoteAddr())
}

// ask connects, and returns what it is answered until the end.
func ask(address string) (string, error) { return askFrom("", address) }

// askFrom is ask of a client with this address.
func askFrom(client, address string) (string, error) {
	c, err := dialFrom(client, address)
	if err != nil {
		return "", err
	}
	defer c.Close()
	answer, err := io.ReadAll(c)
	if err == nil && len(answer) == 0 {
		err = io.ErrUnexpectedEOF
	}
	name, rest, _ := strings.Cut(string(answer), " ")
	if err == nil && name+" "+rest != greeting(name, c) {
		return name, fmt.Errorf("answered %q", answer)
	}
	return name, err
}

// dialFrom connects from an address ("" is any), with a bound on all that follows.
func dialFrom(client, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: limit}
	d.SetMultipathTCP(false)
	if client != "" {
		host, port, err := net.SplitHostPort(client)
		if err != nil {
			host, port = client, "0"
		}
		number, _ := strconv.Atoi(port)
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(host), Port: number}
		d.Control = func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1) })
		}
	}
	c, err := d.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	c.SetDeadline(time.Now().Add(limit))
	return c, nil
}

// gets fails the test unless a client is answered by this backend, and the backend sees its addresses.
func gets(t *testing.T, client, address, want string) {
	t.Helper()
	if who, err := askFrom(client, address); who != want || err != nil {
		t.Errorf("%s to %s gets %q, %v; want %q", client, address, who, err, want)
	}
}

// isRejected fails the test unless a client is refused or reset, without a word.
func isRejected(t *testing.T, client, address string) {
	t.Helper()
	who, err := askFrom(client, address)
	if who != "" || !errors.Is(err, unix.ECONNRESET) && !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("%s to %s gets %q, %v; want a reset", client, address, who, err)
	}
}
