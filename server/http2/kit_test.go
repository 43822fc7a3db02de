package http2

import (
	"context"
	"io"
	"net"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/rouse-server/rouse/server/reply"
)

// queue is an Output that a goroutine empties into a connection.
type queue struct {
	mu      sync.Mutex
	more    *sync.Cond
	waiting []byte
	closed  bool
}

func newQueue() *queue {
	q := &queue{}
	q.more = sync.NewCond(&q.mu)
	return q
}

func (q *queue) Write(b []byte) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return net.ErrClosed
	}
	q.waiting = append(q.waiting, b...)
	q.more.Signal()
	return nil
}

func (q *queue) Queued() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// empty writes what is queued, until the queue is closed or the connection fails.
func (q *queue) empty(to net.Conn, sent func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		for len(q.waiting) == 0 && !q.closed {
			q.more.Wait()
		}
		if len(q.waiting) == 0 {
			return
		}
		b := q.waiting
		q.mu.Unlock()
		_, err := to.Write(b)
		q.mu.Lock()
		q.waiting = q.waiting[len(b):]
		if err != nil {
			q.closed, q.waiting = true, nil
			return
		}
		q.mu.Unlock()
		sent()
		q.mu.Lock()
	}
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.more.Signal()
}

// serveConn serves one connection until it ends, and waits for what it began.
func serveConn(t testing.TB, nc net.Conn, o Options) {
	var writer sync.WaitGroup
	q := newQueue()
	c := New(&o, q)
	writer.Go(func() { q.empty(nc, c.Sent) })
	tick := time.NewTicker(50 * time.Millisecond)
	stop := make(chan struct{})
	var sweeper sync.WaitGroup
	sweeper.Go(func() {
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-c.Done():
				time.AfterFunc(100*time.Millisecond, func() { nc.SetReadDeadline(time.Now()) })
				return
			case now := <-tick.C:
				c.Sweep(now)
			}
		}
	})
	buffer := make([]byte, frameHead+maxFrame)
	have := 0
	for {
		n, err := nc.Read(buffer[have:])
		have += n
		used, wrong := c.Receive(buffer[:have])
		have = copy(buffer, buffer[used:have])
		if err != nil || wrong != nil {
			break
		}
	}
	q.close()
	writer.Wait()
	lingering(nc)
	c.Close()
	close(stop)
	sweeper.Wait()
	nc.Close()
	awaitHandlers(t, c)
}

// awaitHandlers waits until no handler runs.
func awaitHandlers(t testing.TB, c *Conn) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		c.mu.Lock()
		running := c.running
		c.mu.Unlock()
		if running == 0 {
			return
		}
		if time.Now().After(end) {
			t.Errorf("%d handlers still run when the connection is closed", running)
			return
		}
	}
}

// lingering lets the client read what was sent: closing with unread bytes would reset the connection.
func lingering(nc net.Conn) {
	if half, ok := nc.(*net.TCPConn); ok {
		half.CloseWrite()
		nc.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		io.Copy(io.Discard, nc)
	}
}

// listen serves connections on the loopback interface, and returns the address.
func listen(t testing.TB, o Options) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{}
	all.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open[nc] = true
			mu.Unlock()
			all.Go(func() { serveConn(t, nc, o) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for nc := range open {
			nc.Close()
		}
		mu.Unlock()
		all.Wait()
	})
	return l.Addr().String()
}

// handled are options under which a handler answers everything.
func handled(h http.HandlerFunc) Options {
	return Options{
		Answer:  func(w http.ResponseWriter, r *http.Request, _ *reply.Request) { h(w, r) },
		Context: context.Background(), RemoteAddr: "127.0.0.1:1",
		Buffers:    new(Buffers), // so that what one connection leaves in them comes to the next
		MaxStreams: 250, MaxHeaderBytes: 64 << 10, SendTimeout: 10 * time.Second, HeaderTimeout: 10 * time.Second,
	}
}

// rendered is a reply as the cache keeps it.
func rendered(t testing.TB, body []byte, head bool) *reply.Reply {
	t.Helper()
	var b Buffers
	e := b.encoder()
	e.field(":status", "200")
	e.field("content-type", "text/plain; charset=utf-8")
	r := &reply.Reply{Status: 200, Head: append([]byte(nil), e.text.Bytes()...), Body: body}
	if head {
		r.Body = nil
	}
	return r
}

// repeating are options under which plain requests are answered with a body.
func repeating(t testing.TB, body []byte) Options {
	get, head := rendered(t, body, false), rendered(t, body, true)
	o := handled(func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no", http.StatusMethodNotAllowed) })
	o.Repeat = func(r *reply.Request) *reply.Reply {
		if r.Head {
			return head
		}
		return get
	}
	return o
}
