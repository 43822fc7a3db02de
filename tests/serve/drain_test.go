package serve

import (
	"crypto/tls"
	"io"
	"net/http"
	"syscall"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// Without this every stop would cut downloads short, and clients would find a dead connection instead of a reply.
func TestDrainHTTP1(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	size := a.large("large")
	p := a.start()
	loading := dialTLS(t, a.https, a.pool)
	loading.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
	reply := loading.head()
	idle, untouched := dial(t, a.http), dial(t, a.http)
	idle.get("/")
	half, shaking := dial(t, a.http), dial(t, a.https)
	half.send("GET / HTTP/1.1\r\nHo")

	a.term(p)
	if reply, body := idle.get("/"); !reply.Close || body != content { // on its way when the signal came
		t.Errorf("a request at the end: Connection: close %v, body %q", reply.Close, body)
	}
	idle.closed()
	if reply, body := untouched.get("/"); !reply.Close || body != content {
		t.Errorf("the first request at the end: Connection: close %v, body %q", reply.Close, body)
	}
	half.send("st: localhost\r\n\r\n")
	if reply, body := half.reply(); !reply.Close || body != content {
		t.Errorf("half a request: Connection: close %v, body %q", reply.Close, body)
	}
	secure := over(t, tls.Client(shaking.Conn, &tls.Config{RootCAs: a.pool, ServerName: "localhost"}))
	if reply, body := secure.get("/"); !reply.Close || body != content {
		t.Errorf("after a handshake at the end: Connection: close %v, body %q", reply.Close, body)
	}
	if n, err := io.Copy(io.Discard, reply.Body); err != nil || n != size {
		t.Errorf("the download got %d of %d bytes: %v", n, size, err)
	}
	loading.closed()
	exit(t, p, 0)
}

// term ends the program with SIGTERM and returns when it drains: an HTTP/2 client is told so. What connected before has
// been accepted then.
func (a *activator) term(p *program.Process) {
	a.t.Helper()
	witness := dialHTTP2(a.t, a.https, a.pool, 1<<20)
	witness.get(1, "/")
	witness.answered(1)
	p.Signal(syscall.SIGTERM)
	witness.wait(frameGoAway)
	witness.Close()
}

// Without the two GOAWAYs of RFC 9113 §6.8 an HTTP/2 client loses the requests that are on their way when the server stops.
func TestDrainHTTP2(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		dial func(*testing.T, *activator) *http2Conn
	}{
		{"TLS", func(t *testing.T, a *activator) *http2Conn { return dialHTTP2(t, a.https, a.pool, 65535) }},
		{"h2c", func(t *testing.T, a *activator) *http2Conn { return dialH2C(t, a.http, 65535) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := newActivator(t)
			a.write("long", string(make([]byte, 100000))) // more than one window
			p := a.start()
			conn := c.dial(t, a)
			conn.get(1, "/")
			conn.answered(1)
			conn.get(3, "/long")
			conn.receive(3, 60000)

			p.Signal(syscall.SIGTERM)
			if last, code := goAway(conn.wait(frameGoAway)); last != 1<<31-1 || code != 0 {
				t.Errorf("the first GOAWAY: last stream %d, error %d; want 2^31-1, 0", last, code)
			}
			conn.allow(0, 10000)
			conn.get(5, "/") // was on its way
			conn.answered(5)
			if last, code := goAway(conn.wait(frameGoAway)); last != 5 || code != 0 {
				t.Errorf("the second GOAWAY: last stream %d, error %d; want 5, 0", last, code)
			}
			conn.allow(0, 1<<20)
			conn.allow(3, 1<<20)
			conn.receive(3, 100000)
			for {
				f, err := conn.next()
				if err != nil {
					break
				}
				if f.kind == frameGoAway {
					t.Errorf("a third GOAWAY: %x", f.payload)
				}
			}
			exit(t, p, 0)
		})
	}
}

// Without this a client whose connection waits in the queue of a socket that Rouse bound itself would be reset at the end.
func TestDrainServesTheQueueOfBoundSockets(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	p := program.Start(t, program.Run{Args: []string{"serve", "--root", a.root, "--host", "127.0.0.1", "--port", "0"}})
	address := p.Stderr.WaitFor(`http://(127\.0\.0\.1:\d+)`, limit)[1]
	dial(t, address).get("/")
	program.Freeze(t, p.Pid) // from here on all wait in the queue
	var waiting []*http1Conn
	for range 20 {
		c := dial(t, address)
		c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		waiting = append(waiting, c)
	}
	p.Signal(syscall.SIGTERM)
	p.Signal(syscall.SIGCONT)
	for i, c := range waiting {
		if reply, body := c.reply(); reply.StatusCode != http.StatusOK || body != content {
			t.Errorf("waiting client %d: %s %q", i, reply.Status, body)
		}
	}
	exit(t, p, 0)
	if c, err := (&http.Client{}).Get("http://" + address); err == nil {
		c.Body.Close()
		t.Error("somebody still answers")
	}
}
