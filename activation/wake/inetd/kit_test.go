package inetd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/activation"
)

// patience is how long a test waits for what should take no time.
const patience = 10 * time.Second

// childVariable makes this test binary a program that is started.
const childVariable = "INETD_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(childVariable) {
	case "accept": // one client of the listener, and no more
		l, err := net.FileListener(os.Stdin)
		if err == nil {
			var c net.Conn
			if c, err = l.Accept(); err == nil {
				_, err = io.WriteString(c, "accepted\n")
				c.Close()
			}
		}
		exit(err)
	case "datagram":
		c, err := net.FilePacketConn(os.Stdin)
		if err == nil {
			b := make([]byte, 100)
			var n int
			var from net.Addr
			if n, from, err = c.ReadFrom(b); err == nil {
				_, err = c.WriteTo(append([]byte("got "), b[:n]...), from)
			}
		}
		exit(err)
	}
	os.Exit(m.Run())
}

func exit(err error) {
	if err != nil {
		io.WriteString(os.Stderr, err.Error()+"\n")
		os.Exit(1)
	}
	os.Exit(0)
}

// itself is this test binary as a program.
func itself(t *testing.T, mode string) Service {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Service{Name: mode, Command: []string{"child"}, Path: path, Env: append(os.Environ(), childVariable+"="+mode, "GORACE=atexit_sleep_ms=0")}
}

// shell is a service that is a script.
func shell(script string) Service {
	return Service{Name: "script", Command: []string{"sh", "-c", script}, Path: "/bin/sh"}
}

// hold binds a socket as the program does.
func hold(t *testing.T, address string) activation.Held {
	t.Helper()
	a, err := activation.ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	held, _, err := activation.NewOpener().Hold([]activation.Address{a}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(held[0].Close)
	return held[0]
}

// running is a Run in the background.
type running struct {
	t     *testing.T
	log   *lines
	stop  context.CancelFunc
	ended chan error
}

// start runs one service until the end of the test.
func start(t *testing.T, s Service, o Options, sockets ...activation.Held) *running {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	r := &running{t: t, log: newLines(), stop: stop, ended: make(chan error, 1)}
	o.Log = slog.New(slog.NewTextHandler(r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	go func() { r.ended <- Run(ctx, []Bound{{s, sockets}}, o) }()
	t.Cleanup(func() {
		r.stop()
		r.wait()
		if t.Failed() {
			t.Logf("log:\n%s", r.log)
		}
	})
	return r
}

// wait returns what Run returned.
func (r *running) wait() error {
	select {
	case err := <-r.ended:
		r.ended <- err
		return err
	case <-time.After(patience):
		r.t.Fatalf("Run has not returned within %v; log:\n%s", patience, r.log)
		return nil
	}
}

// lines keeps a log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{}
}

func newLines() *lines { return &lines{more: make(chan struct{})} }

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.more)
	l.more = make(chan struct{})
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// await waits until a line of the log has all the words, and returns it.
func (l *lines) await(t *testing.T, words ...string) string {
	t.Helper()
	limit := time.After(patience)
	for {
		l.mu.Lock()
		text, more := l.text.String(), l.more
		l.mu.Unlock()
		for line := range strings.Lines(text) {
			found := true
			for _, word := range words {
				found = found && strings.Contains(line, word)
			}
			if found {
				return line
			}
		}
		select {
		case <-more:
		case <-limit:
			t.Fatalf("no line of the log has %q:\n%s", words, text)
		}
	}
}

// dial connects to a held socket.
func dial(t *testing.T, h activation.Held) net.Conn {
	t.Helper()
	network := "tcp"
	if h.Info.Family == "unix" {
		network = "unix"
	}
	c, err := net.DialTimeout(network, h.Info.Local, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

// answer reads all that comes.
func answer(t *testing.T, c net.Conn) string {
	t.Helper()
	text, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("after %q: %v", text, err)
	}
	return string(text)
}

// resets holds that a new connection is reset before anything comes.
func resets(t *testing.T, h activation.Held) {
	t.Helper()
	c, err := net.DialTimeout("tcp", h.Info.Local, patience)
	if errors.Is(err, syscall.ECONNRESET) { // before it was seen
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	isReset(t, c)
}

func isReset(t *testing.T, c net.Conn) {
	t.Helper()
	var b [1]byte
	c.SetDeadline(time.Now().Add(patience))
	if n, err := c.Read(b[:]); n != 0 || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("read %d bytes, %v; want a reset", n, err)
	}
}

func held(sockets ...activation.Held) []activation.Held { return sockets }

func waiting(s Service) Service {
	s.Wait = true
	return s
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}
