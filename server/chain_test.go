package server

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A handler that fails costs its client a page that says so and the administrator a line that says where; the connection and
// the server go on.
func TestRecovered(t *testing.T) {
	noLeaks(t)
	l := listen(t)
	w := build(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"of the file"`)
		panic("the roof is on fire")
	}), nil).serve(t, Socket{Listener: l})
	for _, protocol := range []string{"h1", "h2c"} {
		c := browser(t, protocol)
		for range 2 {
			reply, err := c.Get("http://" + l.Addr().String() + "/x?y")
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(reply.Body)
			reply.Body.Close()
			if reply.StatusCode != 500 || reply.Header.Get("Etag") != "" || !strings.Contains(string(body), "500") || err != nil {
				t.Errorf("%s: %d, %v, %q, %v", protocol, reply.StatusCode, reply.Header, body, err)
			}
		}
		c.CloseIdleConnections()
	}
	said := w.log.entries(t, "handler failed; please report this")
	if len(said) != 4 || said[0]["reason"] != "the roof is on fire" || said[0]["uri"] != "/x?y" || !strings.Contains(said[0]["stack"].(string), "chain_test.go") {
		t.Errorf("the log says %v", said)
	}
	if requests := w.log.entries(t, "request"); len(requests) != 4 || requests[0]["status"] != 500.0 || requests[0]["aborted"] != nil {
		t.Errorf("the log tells of %v", requests)
	}
}

// A reply that breaks off in the middle reaches no client as a whole one, whether the handler said so or failed.
func TestRecoveredHalfSent(t *testing.T) {
	noLeaks(t)
	for _, level := range []LogLevel{"info", "error"} { // with and without the access log's wrapper
		for name, c := range map[string]struct {
			reason any
			length string
		}{"broken off": {http.ErrAbortHandler, "10"}, "failed": {"oh", "10"}, "failed, no length": {"oh", ""}, "broken off, no length": {http.ErrAbortHandler, ""}} {
			l := listen(t)
			w := build(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if c.length != "" {
					w.Header().Set("Content-Length", c.length)
				}
				io.WriteString(w, "half")
				panic(c.reason)
			}), nil)
			if level == "error" {
				w.Server.log = quietLog()
			}
			w.serve(t, Socket{Listener: l})
			for _, protocol := range []string{"h1", "h2c"} {
				visitor := browser(t, protocol)
				reply, err := visitor.Get("http://" + l.Addr().String())
				if err == nil {
					var body []byte
					body, err = io.ReadAll(reply.Body)
					reply.Body.Close()
					if strings.Contains(string(body), "html") {
						t.Errorf("%s, %s, %s: the page of the error stands in the reply: %q", name, protocol, level, body)
					}
				}
				if err == nil {
					t.Errorf("%s, %s, %s: the client takes half a reply for a whole one", name, protocol, level)
				}
				visitor.CloseIdleConnections()
			}
			w.Close()
		}
	}
}

// A body that does not come in its time is not waited for, and one that comes slowly but in time is taken.
func TestBodyTimeout(t *testing.T) {
	noLeaks(t)
	l := listen(t)
	failed := make(chan error, 1)
	build(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		failed <- err
	}), func(c *Config) { c.ClientBodyTimeout = Duration(200 * time.Millisecond) }).serve(t, Socket{Listener: l})
	v := visit(t, l)
	v.say(t, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("half a body gives %v", err)
	}
	reader, writer := io.Pipe()
	go writer.Write([]byte("ab"))
	c := browser(t, "h2c")
	r, err := http.NewRequestWithContext(within(t), "POST", "http://"+l.Addr().String(), reader)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		if reply, err := c.Do(r); err == nil {
			reply.Body.Close()
		}
	}()
	if err := <-failed; err == nil {
		t.Error("half a body over HTTP/2 is taken for a whole one")
	}
	writer.Close()
	c.CloseIdleConnections()
	whole := visit(t, l)
	whole.say(t, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
	whole.say(t, "cd")
	if err := <-failed; err != nil {
		t.Errorf("a whole body gives %v", err)
	}
	// The time of the body is not that of the next request.
	if _, err := http.ReadResponse(whole.replies, nil); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond) // the case itself: longer than the body's time
	whole.say(t, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx")
	if err := <-failed; err != nil {
		t.Errorf("the next request's body gives %v", err)
	}
}

// An HTTP/2 client that takes nothing of a reply, while it keeps the connection alive, holds it no longer than the send
// timeout; other streams of the connection go on.
func TestStalledStream(t *testing.T) {
	noLeaks(t)
	l := listen(t)
	failed := make(chan error, 2)
	build(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var err error
		for range 100 {
			if _, err = w.Write(make([]byte, 64<<10)); err != nil {
				break
			}
		}
		failed <- err
	}), func(c *Config) { c.SendTimeout = Duration(200 * time.Millisecond) }).serve(t, Socket{Listener: l})
	c := dial(t, l)
	greet(t, c)
	get(t, c, 1) // and no WINDOW_UPDATE: 64 KiB may be sent
	go func() {  // it reads all that comes, so that the connection itself does not stall
		io.Copy(io.Discard, bufio.NewReader(c))
	}()
	select {
	case err := <-failed:
		if err == nil {
			t.Error("the reply is said to have been sent")
		}
	case <-time.After(bound):
		t.Error("the handler is held for ever")
	}
}

// An HTTP/1.1 client that takes nothing of a long reply is given up.
func TestSendTimeoutOnTCP(t *testing.T) {
	noLeaks(t)
	l := listen(t)
	failed := make(chan error, 1)
	build(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var err error
		for err == nil {
			_, err = w.Write(make([]byte, 1<<20))
		}
		failed <- err
	}), func(c *Config) { c.SendTimeout = Duration(200 * time.Millisecond) }).serve(t, Socket{Listener: l})
	v := visit(t, l)
	v.ask(t)
	select {
	case <-failed:
	case <-time.After(bound):
		t.Error("a client that takes nothing is served for ever")
	}
}

// After a body whose length stood in the head as well the connection is not used any more, since a proxy may see another
// request's beginning in it (RFC 9112 §6.1).
func TestClosedAfterTransferEncoding(t *testing.T) {
	noLeaks(t)
	l := listen(t)
	build(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "x") }), nil).serve(t, Socket{Listener: l})
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
	replies, err := io.ReadAll(c)
	if n := strings.Count(string(replies), "HTTP/1.1 200"); n != 1 || !strings.Contains(string(replies), "Connection: close") || err != nil {
		t.Errorf("%d replies, %v:\n%s", n, err, replies)
	}
}
