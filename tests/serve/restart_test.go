package serve

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// load is clients that ask again and again, never try anything twice, and write down what was lost.
type load struct {
	requests atomic.Int64
	stop     chan struct{}
	clients  sync.WaitGroup

	mu     sync.Mutex
	losses []string
}

// add starts clients. With keepAlive each keeps its connection until a reply says Connection: close, and makes a short
// pause after each request, as people and programs do; else each request gets a connection of its own.
func (l *load) add(clients int, keepAlive bool, connect func() (net.Conn, error)) {
	for range clients {
		l.clients.Go(func() {
			for {
				c, err := connect()
				if err != nil {
					l.lose(fmt.Errorf("connect: %w", err))
					return
				}
				again := l.converse(newHTTP1(c), keepAlive)
				c.Close()
				if !again {
					return
				}
			}
		})
	}
}

// addClient starts one that uses a client library, which by itself asks again only where HTTP/2 says that it may.
func (l *load) addClient(client *http.Client, url string) {
	l.clients.Go(func() {
		for {
			select {
			case <-l.stop:
				return
			case <-time.After(rand.N(20 * time.Millisecond)):
			}
			reply, err := client.Get(url)
			if err == nil {
				_, err = io.Copy(io.Discard, reply.Body)
				reply.Body.Close()
			}
			if err != nil {
				l.lose(fmt.Errorf("HTTP/2: %w", err))
				continue
			}
			l.requests.Add(1)
		}
	})
}

// converse uses one connection, and tells whether to go on with another.
func (l *load) converse(c *http1Conn, keepAlive bool) bool {
	for asked := 0; ; asked++ {
		select {
		case <-l.stop:
			return false
		default:
		}
		reply, err := c.try("/")
		if err != nil {
			l.lose(fmt.Errorf("request %d of a connection: %w", asked, err))
			return true
		}
		l.requests.Add(1)
		if reply.Close || !keepAlive {
			return true
		}
		time.Sleep(rand.N(20 * time.Millisecond))
	}
}

func (l *load) lose(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.losses = append(l.losses, err.Error())
}

// end stops the clients and returns what was lost.
func (l *load) end() []string {
	close(l.stop)
	l.clients.Wait()
	return l.losses
}

// Without this every restart, upgrade or change of configuration would cost visitors their requests.
func TestRestartLosesNoRequest(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	plain := func() (net.Conn, error) { return net.DialTimeout("tcp", a.http, limit) }
	secure := func() (net.Conn, error) { return handshake(a.https, a.pool, "http/1.1") }
	clients := &load{stop: make(chan struct{})}
	clients.add(4, true, plain)
	clients.add(2, true, secure)
	clients.add(1, false, plain)
	clients.add(1, false, secure)
	clients.addClient(program.Client(t, a.pool).HTTP2, "https://"+a.https)
	clients.addClient(program.Client(t, a.pool).H2C, "http://"+a.http)

	answered := func(more int64) {
		until := clients.requests.Load() + more
		for deadline := time.Now().Add(limit); clients.requests.Load() < until; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("not %d requests were answered within %v; lost: %q", more, limit, clients.end())
			}
		}
	}
	running := a.start()
	for restart := range 10 {
		answered(200)
		leaving := running
		leaving.Signal(syscall.SIGTERM)
		if restart%2 == 0 { // as systemctl restart does; else as two that overlap
			exit(t, leaving, 0)
		}
		running = a.start()
		exit(t, leaving, 0)
	}
	answered(200)
	losses := clients.end()
	t.Logf("%d requests over 10 restarts", clients.requests.Load())
	if len(losses) > 0 {
		t.Errorf("%d were lost: %q", len(losses), losses)
	}
}

// Without this the connections that wait while a crashed program is started again would be lost too, not only those it held.
func TestQueueSurvivesSIGKILL(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	p := a.start()
	dial(t, a.http).get("/")
	freeze(t, p)
	var waiting []*http1Conn
	for range 20 {
		c := dial(t, a.http)
		c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		waiting = append(waiting, c)
	}
	p.Signal(syscall.SIGKILL)
	p.Wait(limit)
	next := a.start()
	for i, c := range waiting {
		if _, body := c.reply(); body != content {
			t.Errorf("waiting client %d got %q", i, body)
		}
	}
	exit(t, endOf(next), 0)
}

// freeze stops all threads of the program, so that it accepts nothing more.
func freeze(t testing.TB, p *program.Process) {
	t.Helper()
	if _, err := os.Stat("/proc/self/task"); err != nil {
		t.Skipf("whether a program stands still is read from /proc: %v", err)
	}
	p.Signal(syscall.SIGSTOP) // returns before it has an effect
	until(t, "all threads stand still", func() bool {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.Pid))
		return !slices.ContainsFunc(threads, func(path string) bool {
			text, err := os.ReadFile(path)
			return err == nil && !strings.Contains(string(text), ") T ")
		})
	})
}
