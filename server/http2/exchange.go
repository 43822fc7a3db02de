package http2

import (
	"context"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/rouse-server/rouse/server/reply"
)

// exchange is a request that a handler answers. What is not for the handler alone is under the connection's lock.
type exchange struct {
	conn    *Conn
	stream  *stream
	request *http.Request
	plain   *reply.Request   // the request again, if a kept reply might have answered it
	answers http.HandlerFunc // instead of Options.Answer; nil: that
	cancel  context.CancelFunc

	body    *body       // nil: there is none
	trailer http.Header // the request's, with nil for what has not come
	arrived http.Header // those that came
	expects bool        // the client waits for 100 (RFC 9110 §10.1.1)
	flawed  bool        // the stream ends with PROTOCOL_ERROR, behind the reply
	lingers bool        // the reply has ended, the request not yet

	over     error         // why the stream ended before its time; nil: it did not
	headed   bool          // the head of the reply was sent
	writable chan struct{} // has a value when it may be worth looking again
	writeBy  time.Time
	wants    int  // bytes that the handler waits to send
	heads    bool // before them a head, which needs no window
	granted  bool // it may send
	credit   int  // so many bytes
}

// mostRunning is how many handlers a connection may have at once. Each may hold a file open while the client grants no window; what is
// kept needs none.
const mostRunning = 64

// answer runs the handler, or lets it wait until fewer run.
func (c *Conn) answer(x *exchange) {
	c.open(x.stream)
	if c.mayRun() {
		go x.run()
		return
	}
	c.unbegun = append(c.unbegun, x)
}

// mayRun counts one more handler, if there may be one. The first one always may: what waits here goes on when one of ours has ended.
func (c *Conn) mayRun() bool {
	all := c.options.Extra
	switch {
	case c.running >= mostRunning:
		return false
	case c.running > 0 && all != nil:
		if all.Add(-1) < 0 {
			all.Add(1)
			return false
		}
		c.extra++
	}
	c.running++
	return true
}

// hasRun counts one handler less.
func (c *Conn) hasRun() {
	c.running--
	if c.extra > max(c.running-1, 0) {
		c.extra--
		c.options.Extra.Add(1)
	}
}

// run runs the handler.
func (x *exchange) run() {
	w := &response{exchange: x}
	whole := false
	defer func() {
		if !whole {
			_ = recover() // http.ErrAbortHandler; everything else was caught and told of by the handler chain
		}
		x.finish(w, whole)
	}()
	if x.answers != nil {
		x.answers(w, x.request)
	} else {
		x.conn.options.Answer(w, x.request, x.plain)
	}
	w.finish()
	whole = true
}

// finish ends the exchange after its handler. A handler that was broken off breaks the stream off.
func (x *exchange) finish(w *response, whole bool) {
	w.release()
	x.cancel()
	c := x.conn
	c.enter()
	defer c.exit()
	if c.streams[x.stream.id] == x.stream && !(whole && x.stream.answered) {
		c.reset(x.stream, codeInternal)
	}
	if x.body != nil {
		x.body.drop()
	}
	c.hasRun()
	for len(c.unbegun) > 0 && c.mayRun() {
		next := c.unbegun[0]
		c.unbegun[0] = nil
		c.unbegun = c.unbegun[1:]
		go next.run()
	}
}

// closed tells the handler that its stream has ended; why is nil when all was well.
func (x *exchange) closed(why error) {
	c := x.conn
	if x.lingers {
		c.lingers--
	}
	if why == nil {
		return
	}
	x.over = why
	x.cancel()
	if i := slices.Index(c.unbegun, x); i >= 0 { // nobody needs it any more
		c.unbegun = slices.Delete(c.unbegun, i, i+1)
	}
	wake(x.writable)
	if x.body != nil {
		x.body.fail(why)
		x.body.drop()
	}
}

// acquire waits until a part of what the handler wants to send may be sent, and takes it out of the windows. With heads there is
// a head before it, and the part may be empty. What is acquired is to be given to spend.
func (x *exchange) acquire(wants int, heads bool) (n int, err error) {
	c, s := x.conn, x.stream
	for queued := false; ; {
		switch {
		case x.over != nil:
			x.abandon()
			return 0, x.over
		case x.granted:
			n, x.credit, x.granted = x.credit, 0, false
			return n, nil
		case x.isLate():
			c.refuse(s.id, codeInternal)
			c.close(s, os.ErrDeadlineExceeded)
			return 0, os.ErrDeadlineExceeded
		case !queued:
			x.wants, x.heads = wants, heads
			c.queue(s)
			c.pump()
			queued = true
			continue
		}
		x.wait()
	}
}

// isShut tells whether the client takes nothing of a body for now.
func (x *exchange) isShut() bool {
	x.conn.mu.Lock()
	defer x.conn.mu.Unlock()
	return min(x.conn.window, x.stream.window) <= 0
}

// awaitWindow waits until a part of a body may be sent, and returns how much that is. Nothing is acquired.
func (x *exchange) awaitWindow() (n int64, err error) {
	c, s := x.conn, x.stream
	c.enter()
	defer c.exit()
	for min(c.window, s.window) <= 0 || c.room() <= 0 || x.over != nil {
		n, err := x.acquire(1, false)
		if err != nil {
			return 0, err
		}
		c.spend(n)
		c.take(s, -n)
	}
	return min(c.window, s.window), nil
}

// abandon gives back what was granted and not used.
func (x *exchange) abandon() {
	if x.granted {
		x.conn.spend(x.credit)
		x.conn.window += int64(x.credit)
		x.conn.stirred = true
		x.credit, x.granted = 0, false
	}
}

// spend says that what was acquired was written, or will not be.
func (c *Conn) spend(n int) {
	c.granted -= n
	c.stirred = c.stirred || len(c.waiting) > 0
}

func (x *exchange) isLate() bool { return !x.writeBy.IsZero() && !time.Now().Before(x.writeBy) }

// wait waits until it is worth looking again. The lock is not held meanwhile.
func (x *exchange) wait() {
	if x.writable == nil {
		x.writable = make(chan struct{}, 1)
	}
	await(x.conn, x.writable, x.writeBy)
}

// await waits for a value, or until a time, without the lock.
func await(c *Conn, signal chan struct{}, until time.Time) {
	c.exit()
	defer c.enter()
	if until.IsZero() {
		<-signal
		return
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-signal:
	case <-timer.C:
	}
}

// wake lets await return. The channel is nil when nobody waits.
func wake(signal chan struct{}) {
	select {
	case signal <- struct{}{}:
	default:
	}
}
