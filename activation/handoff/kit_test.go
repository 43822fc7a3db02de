package handoff

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// limit bounds every wait of these tests; it is reached only when something is broken.
const limit = 20 * time.Second

// within returns a context that ends with the limit.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// shortDir is a folder whose name is short enough for socket paths.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "handoff")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// openDescriptors counts what this process holds.
func openDescriptors() int {
	count := 0
	for fd := range 4096 {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil {
			count++
		}
	}
	return count
}

// noLeak fails the test if it ends with more descriptors open than now. Call it first.
func noLeak(t testing.TB) {
	t.Helper()
	before := openDescriptors()
	t.Cleanup(func() {
		end := time.Now().Add(limit)
		for openDescriptors() > before {
			if time.Now().After(end) {
				t.Errorf("%d descriptors are left open", openDescriptors()-before)
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
}

// logged is a log to look into.
type logged struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (l *logged) Write(b []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(b)
}

func (l *logged) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

func (l *logged) log() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// await waits until the log holds the text so many times.
func (l *logged) await(t testing.TB, text string, times int) {
	t.Helper()
	for end := time.Now().Add(limit); strings.Count(l.String(), text) < times; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the log does not hold %q %d times:\n%s", text, times, l)
		}
	}
}

func listenTCP(t testing.TB) *net.TCPListener {
	t.Helper()
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	l, err := config.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

// descriptor returns a duplicate, blocking as accept(2) gives it, which is closed with the test.
func descriptor(t testing.TB, socket interface{ File() (*os.File, error) }) int {
	t.Helper()
	file, err := socket.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return int(file.Fd())
}

// connection returns both ends of a TCP connection: a client, and the descriptor of what was accepted.
func connection(t testing.TB) (client *net.TCPConn, fd int) {
	t.Helper()
	l := listenTCP(t)
	defer l.Close()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(limit))
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	return c.(*net.TCPConn), descriptor(t, accepted.(*net.TCPConn))
}

// pair returns a pair of connected unix sockets of the type. The first one belongs to who asked, the second is closed with
// the test.
func pair(t testing.TB, kind int) (ours, theirs int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, kind, 0)
	if err != nil {
		t.Skipf("no pair of unix sockets of type %d: %v", kind, err)
	}
	unix.CloseOnExec(fds[0])
	unix.CloseOnExec(fds[1])
	theirs = fds[1]
	t.Cleanup(func() { unix.Close(theirs) })
	return fds[0], theirs
}

// next returns the next connection of the channel, which is closed with the test.
func next(t testing.TB, c Channel) *Arrival {
	t.Helper()
	a, err := c.Next(within(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(a.Number) })
	return a
}

// expectNone fails if the channel gives something at once.
func expectNone(t testing.TB, c Channel) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if a, err := c.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("it gave %+v, %v", a, err)
	}
}

// answers tells whether what is written to the connection's descriptor reaches the client.
func answers(t testing.TB, fd int, client net.Conn) {
	t.Helper()
	if _, err := unix.Write(fd, []byte("x")); err != nil {
		t.Fatal(err)
	}
	var b [1]byte
	if _, err := client.Read(b[:]); err != nil || b[0] != 'x' {
		t.Fatalf("the client read %q, %v", b, err)
	}
}

func expectError(t testing.TB, what string, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %q does not hold %q", what, err, word)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%s: %q has more than one line", what, err)
	}
}
