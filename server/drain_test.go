package server

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// visitor is a client that writes HTTP/1.1 by hand, so that it decides when each byte goes.
type visitor struct {
	net.Conn
	replies *bufio.Reader
}

func visit(t testing.TB, l net.Listener) *visitor {
	t.Helper()
	c := dial(t, l)
	return &visitor{c, bufio.NewReader(c)}
}

func (v *visitor) say(t testing.TB, text string) {
	t.Helper()
	if _, err := io.WriteString(v, text); err != nil {
		t.Fatalf("say %q: %v", text, err)
	}
}

func (v *visitor) ask(t testing.TB) {
	t.Helper()
	v.say(t, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
}

// hear reads a reply; last says whether it is to announce the end of the connection.
func (v *visitor) hear(t testing.TB, last bool) {
	t.Helper()
	reply, err := http.ReadResponse(v.replies, nil)
	if err != nil {
		t.Errorf("no reply: %v", err)
		return
	}
	body, err := io.ReadAll(reply.Body)
	if reply.StatusCode != 200 || err != nil || string(body) != "here" {
		t.Errorf("the reply is %d, %q, %v", reply.StatusCode, body, err)
	}
	if reply.Close != last {
		t.Errorf("Connection: close is %t, want %t", reply.Close, last)
	}
}

// ends expects that the server closes the connection without another byte.
func (v *visitor) ends(t testing.TB) {
	t.Helper()
	if rest, err := io.ReadAll(v.replies); len(rest) > 0 || err != nil {
		t.Errorf("instead of the end came %q, %v", rest, err)
	}
}

// await waits until so many connections are in the phase.
func (w *world) await(t testing.TB, want int, p phase) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d connections are in phase %d", want, p), func() bool {
		count := 0
		for _, c := range w.open() {
			if now, _ := c.now(); now == p {
				count++
			}
		}
		return count == want
	})
}

// drain begins to drain; the channel gets the number of connections that were cut off. It returns when nothing is accepted
// any more.
func (w *world) drain(t testing.TB, timeout time.Duration, hurry bool) chan int {
	t.Helper()
	cut := make(chan int, 1)
	go func() { cut <- w.Drain(timeout, hurry) }()
	eventually(t, "the server drains", w.draining.Load)
	return cut
}

// gone expects the drain to end, in peace, and Serve with it.
func (w *world) gone(t testing.TB, cut chan int, want int) {
	t.Helper()
	select {
	case n := <-cut:
		if n != want {
			t.Errorf("%d connections were cut off, should be %d", n, want)
		}
	case <-time.After(bound):
		t.Fatal("the drain does not end")
	}
	if err := w.end(t); err != nil {
		t.Errorf("Serve gave %v", err)
	}
	if n := w.Open(); n != 0 {
		t.Errorf("%d connections are open afterwards", n)
	}
}

// A keep-alive client whose next request is on its way when the server restarts gets its answer, and is told to come back
// on another connection: nobody loses a request to a restart.
func TestDrainIdle(t *testing.T) {
	t.Parallel()
	l := listen(t)
	w := build(t, saying("here"), nil).serve(t, Socket{Listener: l})
	v, silent := visit(t, l), visit(t, l)
	for _, v := range []*visitor{v, silent} {
		v.ask(t)
		v.hear(t, false)
	}
	w.await(t, 2, idle)
	cut := w.drain(t, bound, false)
	v.ask(t)
	v.hear(t, true)
	v.ends(t)
	silent.ends(t) // after the patience
	w.gone(t, cut, 0)
}

// A client that has connected and not yet asked is answered too, on plain connections and where TLS has not even begun.
func TestDrainFresh(t *testing.T) {
	t.Parallel()
	plain, secure := listen(t), listen(t)
	w := build(t, saying("here"), nil).serve(t, Socket{Listener: plain}, Socket{Listener: secure, TLS: true})
	v, silent, shaking := visit(t, plain), visit(t, plain), dial(t, secure)
	w.await(t, 2, fresh)
	w.await(t, 1, handshaking)
	cut := w.drain(t, bound, false)
	v.ask(t)
	v.hear(t, true)
	c := tls.Client(shaking, &tls.Config{InsecureSkipVerify: true})
	late := &visitor{c, bufio.NewReader(c)}
	late.ask(t)
	late.hear(t, true)
	silent.ends(t)
	w.gone(t, cut, 0)
}

// A request that is being answered is answered to its end, and the drain waits for it.
func TestDrainActive(t *testing.T) {
	t.Parallel()
	l := listen(t)
	hold := make(chan bool)
	w := build(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-hold
		io.WriteString(w, "here")
	}), nil).serve(t, Socket{Listener: l})
	v := visit(t, l)
	v.ask(t)
	w.await(t, 1, active)
	cut := w.drain(t, bound, false)
	close(hold)
	v.hear(t, false) // the drain began after its request
	v.ends(t)
	w.gone(t, cut, 0)
}

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
		c.since = c.since.Add(-longIdle - time.Second)
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

// Ctrl-C at a terminal ends the program at once, although browsers keep connections open.
func TestDrainHurry(t *testing.T) {
	t.Parallel()
	plain, secure := listen(t), listen(t)
	w := build(t, saying("here"), nil).serve(t, Socket{Listener: plain}, Socket{Listener: secure, TLS: true})
	v, untouched, shaking := visit(t, plain), visit(t, plain), dial(t, secure)
	v.ask(t)
	v.hear(t, false)
	h2 := dialTLS(t, secure, "h2")
	greet(t, h2)
	w.await(t, 2, idle)
	w.await(t, 1, handshaking)
	begun := time.Now()
	cut := w.drain(t, bound, true)
	w.gone(t, cut, 0)
	if took := time.Since(begun); took >= 2*patience { // HTTP/2 takes as much without hurry
		t.Errorf("it took %s", took)
	}
	v.ends(t)
	untouched.ends(t)
	shaking.Read(make([]byte, 1))
}

// What waits in the queue of a socket that nobody else holds is served before it is closed; where the activator holds the
// socket, it stays there for the next instance. Neither client is refused.
func TestDrainQueue(t *testing.T) {
	t.Parallel()
	bound, passed := listen(t), listen(t)
	keeper, err := passed.File()
	if err != nil {
		t.Fatal(err)
	}
	defer keeper.Close()
	var served atomic.Int32
	w := build(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		served.Add(1)
		io.WriteString(w, "here")
	}), nil).serve(t, Socket{Listener: bound, Bound: true}, Socket{Listener: passed})
	w.Pause()
	var ours []*visitor
	for range 5 {
		v := visit(t, bound)
		v.ask(t)
		ours = append(ours, v)
	}
	theirs := visit(t, passed)
	theirs.ask(t)
	cut := w.drain(t, 20*time.Second, false)
	for _, v := range ours {
		v.hear(t, true)
	}
	w.gone(t, cut, 0)
	if served.Load() != 5 {
		t.Errorf("%d requests were served", served.Load())
	}
	next, err := net.FileListener(keeper)
	if err != nil {
		t.Fatal(err)
	}
	build(t, saying("here"), nil).serve(t, Socket{Listener: next})
	theirs.hear(t, false)
}

// greet begins HTTP/2 with prior knowledge: preface and empty SETTINGS.
func greet(t testing.TB, c net.Conn) {
	t.Helper()
	if _, err := io.WriteString(c, preface+string(frame(0x4, 0, 0, 0))); err != nil {
		t.Fatal(err)
	}
}

// get asks for / on a stream: the three fields are entries of HPACK's static table (RFC 7541 appendix A).
func get(t testing.TB, c net.Conn, stream uint32) {
	t.Helper()
	block := "\x82\x86\x84\x41\x01x" // GET, http, /, authority x
	head := binary.BigEndian.AppendUint32(nil, uint32(len(block))<<8|frameHeaders)
	head = append(head, flagEndHeaders|1)
	if _, err := c.Write(append(binary.BigEndian.AppendUint32(head, stream), block...)); err != nil {
		t.Fatal(err)
	}
}

// hear2 reads frames up to one of the kind, and returns its stream and payload.
func hear2(t testing.TB, c net.Conn, kind byte) (stream uint32, payload []byte) {
	t.Helper()
	for head := make([]byte, frameHeadSize); ; {
		if _, err := io.ReadFull(c, head); err != nil {
			t.Fatalf("no frame of type %d: %v", kind, err)
		}
		payload = make([]byte, binary.BigEndian.Uint32(head)>>8)
		if _, err := io.ReadFull(c, payload); err != nil {
			t.Fatal(err)
		}
		if head[3] == kind {
			return binary.BigEndian.Uint32(head[5:]), payload
		}
	}
}

// An HTTP/2 client is told twice: first that the server will leave, with every stream still allowed, so that a request that
// is on its way is answered; then which stream was the last (RFC 9113 §6.8).
func TestDrainHTTP2(t *testing.T) {
	t.Parallel()
	plain, secure := listen(t), listen(t)
	w := build(t, saying("here"), nil).serve(t, Socket{Listener: plain}, Socket{Listener: secure, TLS: true})
	h2, h2c := dialTLS(t, secure, "h2"), dial(t, plain)
	clients := []net.Conn{h2, h2c}
	for _, c := range clients {
		greet(t, c)
		get(t, c, 1)
		if stream, body := hear2(t, c, 0); stream != 1 || string(body) != "here" {
			t.Errorf("stream %d: %q", stream, body)
		}
	}
	w.await(t, 2, idle)
	cut := w.drain(t, bound, false)
	for _, c := range clients {
		if _, payload := hear2(t, c, frameGoAway); string(payload) != goAway[frameHeadSize:] {
			t.Errorf("the first GOAWAY says % x", payload)
		}
		get(t, c, 3)
		if stream, body := hear2(t, c, 0); stream != 3 || string(body) != "here" {
			t.Errorf("the request after the first GOAWAY: stream %d, %q", stream, body)
		}
	}
	for _, c := range clients {
		if _, payload := hear2(t, c, frameGoAway); binary.BigEndian.Uint32(payload) != 3 || binary.BigEndian.Uint32(payload[4:]) != 0 {
			t.Errorf("the last GOAWAY says % x", payload)
		}
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Errorf("the connection does not end well: %v", err)
		}
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
	w.await(t, 1, active)
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
