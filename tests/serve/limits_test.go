package serve

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// lasted checks how long the program let a client hold something open: about its time limit, not nothing and not for ever.
func lasted(t testing.TB, begun time.Time, least time.Duration) {
	t.Helper()
	if took := time.Since(begun); took < least-50*time.Millisecond || took > least+10*time.Second {
		t.Errorf("closed after %v; the time limit is %v", took, least)
	}
}

// Without these limits a few silent clients could hold all that a server has: descriptors, memory, attention.
func TestSilentClientsAreClosed(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	a.start("--tls-handshake-timeout", "1s", "--client-header-timeout", "1s", "--client-body-timeout", "1s", "--keepalive-timeout", "1s")
	for name, isClosed := range map[string]func(t *testing.T){
		"no TLS handshake": func(t *testing.T) { dial(t, a.https).closed() },
		"half a ClientHello": func(t *testing.T) {
			c := dial(t, a.https)
			c.send("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
			c.closed()
		},
		"nothing in plain text":       func(t *testing.T) { dial(t, a.http).closed() },
		"nothing after the handshake": func(t *testing.T) { dialTLS(t, a.https, a.pool).closed() },
		"slow head": func(t *testing.T) {
			c := dial(t, a.http)
			c.send("GET / HTTP/1.1\r\nHost: localhost\r\n")
			go trickle(c, "X: y\r\n", 100*time.Millisecond)
			c.closed()
		},
		"slow body": func(t *testing.T) {
			c := dialTLS(t, a.https, a.pool)
			c.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n")
			go trickle(c, "x", 100*time.Millisecond)
			c.closed()
		},
		"idle after a request": func(t *testing.T) {
			c := dialTLS(t, a.https, a.pool)
			c.get("/")
			c.closed()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			isClosed(t)
			lasted(t, begun, time.Second)
		})
	}
}

// Without these limits clients of HTTP/2 could do the same, with less effort.
func TestSilentHTTP2ClientsAreClosed(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	a.start("--client-header-timeout", "1s", "--client-body-timeout", "1s", "--keepalive-timeout", "1s")
	for name, isClosed := range map[string]func(t *testing.T){
		"idle after a request": func(t *testing.T) {
			c := dialHTTP2(t, a.https, a.pool, 1<<20)
			c.get(1, "/")
			c.answered(1)
			c.wait(frameGoAway)
			c.ended()
		},
		"no preface": func(t *testing.T) {
			c, err := handshake(a.https, a.pool, "h2")
			if err != nil {
				t.Fatal(err)
			}
			over(t, c).closed()
		},
		"head without an end": func(t *testing.T) {
			c := dialH2C(t, a.http, 1<<20)
			c.get(1, "/")
			c.answered(1)                                                                             // and the server's SETTINGS: their acknowledgement must not stand within a head
			c.send(frame{kind: frameHeaders, flags: flagEndStream, stream: 3, payload: []byte{0x82}}) // CONTINUATION never comes
			c.ended()
		},
		"slow body": func(t *testing.T) {
			c := dialH2C(t, a.http, 1<<20)
			block := []byte{0x83, 0x86, 0x84, 0x01, 1, 'x'} // :method POST, :scheme http, :path /, :authority x
			c.send(frame{kind: frameHeaders, flags: flagEndHeaders, stream: 1, payload: block})
			c.ended()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun := time.Now()
			isClosed(t)
			lasted(t, begun, time.Second)
		})
	}
}

// trickle writes text again and again until the connection is closed.
func trickle(c net.Conn, text string, every time.Duration) {
	for range time.Tick(every) {
		if _, err := io.WriteString(c, text); err != nil {
			return
		}
	}
}

// ended reads frames until the server closes the connection.
func (c *http2Conn) ended() {
	c.t.Helper()
	for {
		if _, err := c.next(); err != nil {
			return
		}
	}
}

// Without this, who lifts a limit as one does elsewhere would get a server that gives up everything at once.
func TestLimitOfZeroIsNone(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	a.start("--tls-handshake-timeout", "0", "--client-header-timeout", "0", "--client-body-timeout", "0", "--keepalive-timeout", "0", "--send-timeout", "0")
	clients := program.Client(t, a.pool)
	for range 2 {
		fetch(t, clients.HTTP1, "https://"+a.https)
		fetch(t, clients.HTTP2, "https://"+a.https)
		fetch(t, clients.H2C, "http://"+a.http)
	}
	c := dial(t, a.http)
	c.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
	time.Sleep(300 * time.Millisecond)
	c.send(strings.Repeat("x", 100))
	if reply, _ := c.reply(); reply.StatusCode != http.StatusMethodNotAllowed || reply.Close {
		t.Errorf("POST: %s, Connection: close %v", reply.Status, reply.Close)
	}
}

// Without this a server that has run out of descriptors would spin, die, or turn away clients who only had to wait.
func TestOutOfDescriptors(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	p := program.Start(t, program.Run{
		Through: []string{"sh", "-c", `ulimit -n 64; exec "$@"`, "sh"},
		Args:    []string{"serve", "--root", a.root, "--tls-cert", a.cert, "--tls-key", a.key},
		Files:   a.files, Listen: true, Names: a.names,
	})
	var all []*http1Conn
	for range 80 {
		all = append(all, dial(t, a.http))
	}
	p.Stderr.WaitFor(`ERR as many connections are open as may be`, limit)
	for i, c := range all { // those that wait get their turn as others leave
		c.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if reply := c.head(); reply.StatusCode != http.StatusOK && reply.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("client %d: %s", i, reply.Status)
		}
		c.Close()
	}
	if lines := strings.Count(p.Stderr.String(), "as many connections"); lines > 3 {
		t.Errorf("%d lines on it", lines)
	}
	if _, body := dial(t, a.http).get("/"); body != content {
		t.Errorf("afterwards: %q", body)
	}
}

// endOf asks the program to end.
func endOf(p *program.Process) *program.Process {
	p.Stop()
	return p
}
