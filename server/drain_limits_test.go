package server

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A drain ends in its time: what still runs is cut off, and counted for the log.
func TestDrainTimeout(t *testing.T) {
	t.Parallel()
	plain, secure := listen(t), listen(t)
	w := build(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), nil)
	w.serve(t, Socket{Listener: plain}, Socket{Listener: secure, TLS: true})
	v, shaking := visit(t, plain), dial(t, secure)
	v.ask(t)
	w.await(t, 1, active)
	w.await(t, 1, handshaking)
	begun := time.Now()
	cut := w.drain(t, 300*time.Millisecond, false)
	v.ends(t)
	shaking.Read(make([]byte, 1))
	w.gone(t, cut, 1)
	if took := time.Since(begun); took > bound/2 {
		t.Errorf("it took %s", took)
	}
}

// A client that has been idle for long is not waited for, so that a restart takes no second longer than it must.
func TestDrainLongIdle(t *testing.T) {
	t.Parallel()
	l := listen(t)
	w := build(t, saying("here"), nil).serve(t, Socket{Listener: l})
	v := visit(t, l)
	v.ask(t)
	v.hear(t, false)
	w.await(t, 1, idle)
	for _, c := range w.open() {
		c.mu.Lock()
		c.since.Add(-int64(longIdle + time.Second))
		c.mu.Unlock()
	}
	begun := time.Now()
	cut := w.drain(t, bound, false)
	v.ends(t)
	if took := time.Since(begun); took >= patience {
		t.Errorf("it was closed after %s", took)
	}
	w.gone(t, cut, 0)
}

// A reply that takes longer than the server's patience is not the end of its client: the next request of a keep-alive
// connection is still answered, with the word that it is the last.
func TestDrainAfterLongReply(t *testing.T) {
	t.Parallel()
	l := listen(t)
	hold := make(chan bool)
	w := build(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "4")
		io.WriteString(w, "he")
		http.NewResponseController(w).Flush() // the head goes before the drain, without Connection: close
		<-hold
		io.WriteString(w, "re")
	}), nil).serve(t, Socket{Listener: l})
	v := visit(t, l)
	v.ask(t)
	if _, err := v.replies.Peek(1); err != nil {
		t.Fatal(err)
	}
	cut := w.drain(t, bound, false)
	time.Sleep(patience * 3 / 2) // the case itself: a reply that outlasts the patience
	close(hold)
	v.hear(t, false)
	v.ask(t)
	v.hear(t, true)
	v.ends(t)
	w.gone(t, cut, 0)
}

// A request whose head comes slowly, begun before or in the drain, is answered and not dropped half read.
func TestDrainSlowHead(t *testing.T) {
	t.Parallel()
	l := listen(t)
	w := build(t, saying("here"), nil).serve(t, Socket{Listener: l})
	v := visit(t, l)
	v.say(t, "GET / HTTP/1.1\r\nHo")
	w.await(t, 1, receiving)
	cut := w.drain(t, bound, false)
	time.Sleep(patience * 3 / 2) // the case itself: a head that outlasts the patience
	v.say(t, "st: x\r\n\r\n")
	v.hear(t, true)
	v.ends(t)
	w.gone(t, cut, 0)
}

// Close ends everything at once, whatever clients are doing, and leaves nothing behind.
func TestCloseAtOnce(t *testing.T) {
	noLeaks(t)
	plain, secure := listen(t), listen(t)
	w := build(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") {
			io.WriteString(w, "here")
			return
		}
		<-r.Context().Done()
	}), nil).serve(t, Socket{Listener: plain}, Socket{Listener: secure, TLS: true, Bound: true})
	resting, waiting, fresh := visit(t, plain), visit(t, plain), visit(t, plain)
	shaking, h2, h1 := dial(t, secure), dialTLS(t, secure, "h2"), dialTLS(t, secure)
	resting.ask(t)
	resting.hear(t, false)
	waiting.say(t, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
	greet(t, h2)
	get(t, h2, 1)
	io.WriteString(h1, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
	w.await(t, 2, active)
	eventually(t, "all six are there", func() bool { return w.Open() == 6 })
	w.Close()
	w.Close()
	if err := w.end(t); err != nil {
		t.Error(err)
	}
	if n := w.Open(); n != 0 {
		t.Errorf("%d connections are open", n)
	}
	for _, c := range []net.Conn{resting, waiting, fresh, shaking, h2, h1} {
		c.SetReadDeadline(time.Now().Add(bound))
		if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("a client was not told: %v", err)
		}
		c.Close()
	}
}
