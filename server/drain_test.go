package server

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

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
	begun, hold := make(chan bool), make(chan bool)
	w := build(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun <- true
		<-hold
		io.WriteString(w, "here")
	}), nil).serve(t, Socket{Listener: l})
	v := visit(t, l)
	v.ask(t)
	<-begun
	cut := w.drain(t, bound, false)
	close(hold)
	v.hear(t, false) // the drain began after its request
	v.ends(t)
	w.gone(t, cut, 0)
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
