package server

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Handlers know that they are asked over TLS, with which protocol, and for which name, on every protocol: redirects, HSTS and
// logs depend on it.
func TestRequestTLS(t *testing.T) {
	noLeaks(t)
	plain, secure := listen(t), listen(t)
	seen := make(chan *tls.ConnectionState, 1)
	w := build(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.TLS }), nil)
	w.serve(t, Socket{Listener: plain}, Socket{Listener: secure, TLS: true})
	for protocol, c := range map[string]struct{ url, alpn string }{
		"h1":  {"https://" + secure.Addr().String(), "none"}, // it offers none
		"h2":  {"https://" + secure.Addr().String(), "h2"},
		"h2c": {"http://" + plain.Addr().String(), ""},
	} {
		visitor := browser(t, protocol)
		reply, err := visitor.Get(c.url)
		if err != nil {
			t.Fatal(err)
		}
		reply.Body.Close()
		visitor.CloseIdleConnections()
		state := <-seen
		if state != nil && state.NegotiatedProtocol == "" {
			state.NegotiatedProtocol = "none"
		}
		if c.alpn == "" {
			if state != nil {
				t.Errorf("%s: TLS is said to be spoken", protocol)
			}
			continue
		}
		if state == nil || !state.HandshakeComplete || state.NegotiatedProtocol != c.alpn || state.Version < tls.VersionTLS12 {
			t.Errorf("%s: %+v", protocol, state)
		}
	}
}

// A reader who writes http:// before the address of an https port is told what to do, in words and as HTTP.
func TestPlainHTTPToTLS(t *testing.T) {
	noLeaks(t)
	l := listen(t)
	build(t, saying("here"), nil).serve(t, Socket{Listener: l, TLS: true})
	for _, request := range []string{
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
		"HEAD / HTTP/1.0\r\n\r\n",
		"POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("x", 100_000), // more than is read
		"OPTIONS * HTTP/1.1\r\n\r\n",
		preface,
	} {
		c := dial(t, l)
		go io.WriteString(c, request)
		reply, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Errorf("%.9q: %v", request, err)
			continue
		}
		body, err := io.ReadAll(reply.Body)
		if reply.StatusCode != 400 || !reply.Close || !strings.Contains(string(body), "https://") || err != nil {
			t.Errorf("%.9q: %s, %q, %v", request, reply.Status, body, err)
		}
		c.Close()
	}
}

// Noise on an https port, and TLS of another kind, gets no answer in HTTP: only those who speak it read it.
func TestNoiseToTLS(t *testing.T) {
	noLeaks(t)
	l := listen(t)
	w := build(t, saying("here"), nil).serve(t, Socket{Listener: l, TLS: true})
	for _, noise := range []string{"SSH-2.0-OpenSSH_9.9\r\n", "\x00\x00\x00\x00\x00\x00", "\x16\x03\x01\x00\x04\x63\x00\x00\x00", "get / http/1.1\r\n\r\n"} {
		c := dial(t, l)
		io.WriteString(c, noise)
		if got, _ := io.ReadAll(c); strings.Contains(string(got), "HTTP") {
			t.Errorf("%q is answered %q", noise, got)
		}
		c.Close()
	}
	eventually(t, "all are forgotten", func() bool { return w.Open() == 0 })
	if said := w.log.entries(t, "TLS handshake failed"); len(said) != 4 || said[0]["remote_addr"] != "127.0.0.1" || said[0]["level"] != "DEBUG" {
		t.Errorf("the log says %v", said)
	}
}

// Nobody holds a connection by standing still in the handshake, in a request's head, or between two requests.
func TestTimeLimits(t *testing.T) {
	noLeaks(t)
	const limit = Duration(100 * time.Millisecond)
	for name, c := range map[string]struct {
		set    func(*Config)
		secure bool
		say    string
	}{
		"handshake, not begun":      {func(c *Config) { c.TLSHandshakeTimeout = limit }, true, ""},
		"handshake, half way":       {func(c *Config) { c.TLSHandshakeTimeout = limit }, true, "\x16\x03\x01\x01\x00"},
		"head, not begun":           {func(c *Config) { c.ClientHeaderTimeout = limit }, false, ""},
		"head, half way":            {func(c *Config) { c.ClientHeaderTimeout = limit }, false, "GET / HTTP/1.1\r\nHost:"},
		"half of HTTP/2's preface":  {func(c *Config) { c.ClientHeaderTimeout = limit }, false, preface[:10]},
		"idle":                      {func(c *Config) { c.KeepaliveTimeout = limit }, false, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"},
		"idle HTTP/2":               {func(c *Config) { c.KeepaliveTimeout = limit }, false, preface + string(frame(0x4, 0, 0, 0))},
		"second head, half way":     {func(c *Config) { c.ClientHeaderTimeout = limit }, false, "GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /x"},
		"HTTP/2 head, half way":     {func(c *Config) { c.KeepaliveTimeout = limit }, false, preface + string(frame(0x4, 0, 0, 0)) + string(frame(frameHeaders, 0, 1, 0))},
		"a body that does not come": {func(c *Config) { c.ClientBodyTimeout = limit }, false, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n"},
	} {
		l := listen(t)
		read := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				panic(http.ErrAbortHandler)
			}
		})
		w := build(t, read, c.set)
		w.serve(t, Socket{Listener: l, TLS: c.secure})
		visitor := dial(t, l)
		io.WriteString(visitor, c.say)
		begun := time.Now()
		if _, err := io.Copy(io.Discard, visitor); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("%s: the connection is still open", name)
		}
		if took := time.Since(begun); took > 8*time.Second { // the next limit is 10 s
			t.Errorf("%s: it took %s", name, took)
		}
		eventually(t, name+" is forgotten", func() bool { return w.Open() == 0 })
		w.Close()
	}
}

// Frames that ask for nothing do not prolong the life of an idle connection of HTTP/2.
func TestFramesDoNotProlongIdleness(t *testing.T) {
	noLeaks(t)
	l := listen(t)
	w := build(t, http.NotFoundHandler(), func(c *Config) { c.KeepaliveTimeout = Duration(300 * time.Millisecond) })
	w.serve(t, Socket{Listener: l})
	visitor := dial(t, l)
	io.WriteString(visitor, preface+string(frame(0x4, 0, 0, 0)))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		io.Copy(io.Discard, visitor)
	}()
	for begun, turn := time.Now(), time.Tick(20*time.Millisecond); ; {
		select {
		case <-ended:
			return
		case <-turn:
			io.WriteString(visitor, string(frame(0x6, 0, 0, 8))) // PING
		}
		if time.Since(begun) > 8*time.Second {
			t.Fatal("the connection is still open")
		}
	}
}

// A time limit of 0 lifts that limit and nothing else: the server answers on every protocol.
func TestNoTimeLimits(t *testing.T) {
	noLeaks(t)
	l := listen(t)
	build(t, saying("here"), func(c *Config) {
		c.TLSHandshakeTimeout, c.ClientHeaderTimeout, c.ClientBodyTimeout, c.KeepaliveTimeout, c.SendTimeout = 0, 0, 0, 0, 0
	}).serve(t, Socket{Listener: l, TLS: true})
	for _, protocol := range []string{"h1", "h2"} {
		c := browser(t, protocol)
		for range 2 {
			reply, err := c.Post("https://"+l.Addr().String(), "text/plain", strings.NewReader("x"))
			if err != nil {
				t.Fatalf("%s: %v", protocol, err)
			}
			if body, err := io.ReadAll(reply.Body); string(body) != "here" || err != nil {
				t.Errorf("%s: %q, %v", protocol, body, err)
			}
			reply.Body.Close()
		}
		c.CloseIdleConnections()
	}
}

// A client that waits for the acknowledgement of all it has sent before it asks must not wait for a delayed one, which takes 40 ms on
// Linux. It is told apart by the quickest of a few.
func TestRequestRightAfterHandshake(t *testing.T) {
	t.Parallel()
	w := build(t, saying("x"), nil)
	l := listen(t)
	w.serve(t, Socket{Listener: l, TLS: true})
	quickest := time.Hour
	for range 8 {
		raw := dial(t, l)
		raw.(*net.TCPConn).SetNoDelay(false)
		c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true})
		if err := c.Handshake(); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if _, err := c.Read(make([]byte, 1<<10)); err != nil {
			t.Fatal(err)
		}
		quickest = min(quickest, time.Since(began))
	}
	if quickest > 30*time.Millisecond {
		t.Errorf("the first request takes %s", quickest)
	}
}
