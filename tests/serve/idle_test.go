package serve

import (
	"fmt"
	"math/rand/v2"
	"net"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/tests/program"
)

// Without this an activated server would stay in memory for ever after its first client.
func TestIdleExit(t *testing.T) {
	t.Parallel()
	a, m := newActivator(t), newManager(t)
	a.env = []string{m.env}
	begun := time.Now()
	p := a.start("--idle-exit", "1s")
	m.wait("^READY=1")
	m.wait("^STOPPING=1\nSTATUS=idle for 1s")
	exit(t, p, 0)
	lasted(t, begun, time.Second)
	says(t, p.Stderr.String(), "idle for 1s", "exiting until somebody knocks")

	// The next one is woken by a client, and counts from that client's end.
	c := dial(t, a.http)
	c.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	begun = time.Now()
	p = a.start("--idle-exit", "1s")
	if _, body := c.reply(); body != content {
		t.Errorf("%q", body)
	}
	exit(t, p, 0)
	lasted(t, begun, time.Second)
}

// Without this a server would leave while somebody downloads, or while a browser keeps a connection for its next click.
func TestNoIdleExitWhileSomebodyIsThere(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		hold func(*testing.T, *activator) (check func())
	}{
		{"idle connection", func(t *testing.T, a *activator) func() {
			c := dialTLS(t, a.https, a.pool)
			c.get("/")
			return func() {
				c.get("/")
				c.Close()
			}
		}},
		{"connection without a request", func(t *testing.T, a *activator) func() {
			c := dial(t, a.http)
			return func() {
				c.get("/")
				c.Close()
			}
		}},
		{"unfinished handshake", func(t *testing.T, a *activator) func() {
			c := dial(t, a.https)
			c.send("\x16\x03\x01")
			return func() { c.Close() }
		}},
		{"idle HTTP/2 connection", func(t *testing.T, a *activator) func() {
			c := dialHTTP2(t, a.https, a.pool, 1<<20)
			c.get(1, "/")
			c.answered(1)
			return func() {
				c.get(3, "/")
				c.answered(3)
				c.Close()
			}
		}},
		{"download", func(t *testing.T, a *activator) func() {
			size := a.large("large")
			c := dial(t, a.http)
			c.send("GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			return func() {
				if n := c.closed(); n < size {
					t.Errorf("got %d of %d bytes", n, size)
				}
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := newActivator(t)
			p := a.start("--idle-exit", "200ms")
			check := c.hold(t, a)
			select {
			case <-p.Ended():
				t.Fatal("it left although somebody was there")
			case <-time.After(time.Second): // five times the span
			}
			check()
			exit(t, p, 0)
		})
	}
}

// wake starts the program whenever somebody knocks, as a service manager does, until the channel is closed.
func (a *activator) wake(stop <-chan struct{}, options ...string) (starts int) {
	a.t.Helper()
	knock := []unix.PollFd{{Fd: int32(a.files[1].Fd()), Events: unix.POLLIN}}
	for {
		select {
		case <-stop:
			return starts
		default:
		}
		if n, _ := unix.Poll(knock, 20); n > 0 {
			starts++
			exit(a.t, a.start(options...), 0)
		}
	}
}

// Without this, the client that knocks in the very moment in which an idle server leaves would be turned away.
func TestNobodyIsLostAtIdleExit(t *testing.T) {
	t.Parallel()
	const span, visits = 60 * time.Millisecond, 150
	a := newActivator(t)
	stop, lost := make(chan struct{}), make(chan string, visits)
	go func() {
		defer close(stop)
		for i := range visits {
			if err := visit(a.http, i); err != nil {
				lost <- fmt.Sprintf("visit %d: %v", i, err)
			}
			time.Sleep(span - 10*time.Millisecond + rand.N(30*time.Millisecond)) // around the moment
		}
	}()
	starts := a.wake(stop, "--idle-exit", span.String())
	close(lost)
	for loss := range lost {
		t.Error(loss)
	}
	t.Logf("%d visits, %d starts", visits, starts)
	if starts < visits/10 || starts > visits-visits/10 {
		t.Errorf("%d visits made %d starts: they did not fall around the moment of the exit, so nothing is shown", visits, starts)
	}
}

// visit makes one request on a connection of its own; every second client is slow to say what it wants.
func visit(address string, i int) error {
	c, err := net.DialTimeout("tcp", address, limit)
	if err != nil {
		return err
	}
	defer c.Close()
	time.Sleep(time.Duration(i%2) * 2 * time.Millisecond)
	_, err = newHTTP1(c).try("/")
	return err
}

// Without this a server that holds its sockets itself would vanish, and nobody would wake it.
func TestNoIdleExitFromBoundSockets(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	p := program.Start(t, program.Run{
		Args: []string{"serve", "--root", a.root, "--host", "127.0.0.1", "--port", "0"},
		Env:  []string{"SERVER_IDLE_EXIT=100ms"},
	})
	address := p.Stderr.WaitFor(`http://(127\.0\.0\.1:\d+)`, limit)[1]
	p.Stderr.WaitFor(`SERVER_IDLE_EXIT is not used: Rouse bound a socket itself`, limit)
	select {
	case <-p.Ended():
		t.Fatal("it left")
	case <-time.After(time.Second):
	}
	dial(t, address).get("/")
	p.Signal(syscall.SIGTERM)
	exit(t, p, 0)
}
