package server

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rouse-server/rouse/server/http1"
	"github.com/rouse-server/rouse/server/reply"
)

// accepter is the accept loop of one socket. It can be paused: from then on nothing is taken from the kernel's queue.
type accepter struct {
	server *Server
	socket *Socket
	batch  *batch        // takes many connections at once; nil: they come one by one
	opener opener        // answers them, if they are plain
	turns  atomic.Uint64 // how often the loop came round

	mu      sync.Mutex
	paused  bool
	stopped bool
	resumed *sync.Cond    // wakes the parked loop
	parked  *sync.Cond    // tells that the loop is parked or has ended
	waits   bool          // the loop is parked
	ended   bool          // the loop has ended
	refused int           // EINVAL from accept in a row
	backoff time.Duration // after running out of something
	failing limit         // what accept says then
}

func newAccepter(s *Server, socket *Socket) *accepter {
	a := &accepter{server: s, socket: socket}
	a.resumed, a.parked = sync.NewCond(&a.mu), sync.NewCond(&a.mu)
	var asked reply.Request
	a.opener = opener{
		first: func(from caller, in, out []byte) (int, []byte, bool, bool) {
			return s.first(socket, &asked, from, in, out)
		},
		rest: a.rest, admit: a.admit,
	}
	if s.config.Lane == "off" || socket.Admin || socket.Proxy != "" {
		return a
	}
	if batch, err := newBatch(socket.Listener); err == nil {
		a.batch = batch
		if socket.Bound {
			holdSilent(socket.Listener)
		}
	}
	return a
}

// deadliner is a listener whose Accept can be interrupted; a single connection's cannot.
type deadliner interface{ SetDeadline(time.Time) error }

// errFull says that nothing is accepted for the moment.
var errFull = errors.New("as many connections are open as may be")

// run accepts until it is stopped; an error says that the socket cannot be accepted from any more.
func (a *accepter) run() error {
	defer a.end()
	for {
		err := a.take()
		a.turns.Add(1)
		switch {
		case err == nil:
			a.backoff, a.refused = 0, 0
		case errors.Is(err, os.ErrDeadlineExceeded):
			if a.park() {
				return nil
			}
		case errors.Is(err, net.ErrClosed):
			return nil
		case errors.Is(err, errFull):
			a.server.awaitRoom()
			if a.park() {
				return nil
			}
		default:
			if err := a.endure(err); err != nil {
				return err
			}
		}
	}
}

// take waits for connections and takes them.
func (a *accepter) take() error {
	if !a.hasRoom() {
		return errFull
	}
	if a.batch != nil {
		taken, err := a.batch.run(a.open)
		if taken > 0 { // the error came after those
			a.backoff, a.refused = 0, 0
		}
		return err
	}
	c, err := a.socket.Accept()
	if err == nil {
		a.server.admit(c, a.socket)
	}
	return err
}

// hasRoom tells whether another connection may be taken. For administration there always is.
func (a *accepter) hasRoom() bool { return a.socket.Admin || a.server.hasRoom() }

// open takes a connection of the batch, and reports whether another one may be taken.
func (a *accepter) open(fd int, from *peer) bool {
	if a.socket.TLS {
		a.server.admit(from.adopt(fd), a.socket)
	} else {
		a.server.lastClosed.Store(int64(a.server.clock())) // it may be closed before anybody else hears of it
		a.opener.open(fd, from)
	}
	return a.hasRoom()
}

// waits is what take waits for; false where it cannot be interrupted.
func (a *accepter) waitsFor() (deadliner, bool) {
	if a.batch != nil {
		return a.batch, true
	}
	d, ok := a.socket.Listener.(deadliner)
	return d, ok
}

// park waits while the loop is paused, and tells whether it was stopped.
func (a *accepter) park() (stopped bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.paused && !a.stopped {
		a.waits = true
		a.parked.Broadcast()
		a.resumed.Wait()
	}
	a.waits = false
	if d, ok := a.waitsFor(); ok && !a.stopped {
		d.SetDeadline(time.Time{})
	}
	return a.stopped
}

func (a *accepter) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ended = true
	a.parked.Broadcast()
}

// interrupt makes a waiting Accept return, and reports whether it can.
func (a *accepter) interrupt() bool {
	d, ok := a.waitsFor()
	return ok && d.SetDeadline(time.Unix(1, 0)) == nil
}

// pause returns when the loop is parked: a connection that it took before then is counted as open.
func (a *accepter) pause() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.paused = true
	if !a.interrupt() {
		return
	}
	for !a.waits && !a.ended {
		a.parked.Wait()
	}
}

// nudge makes a loop that accepts come round once, and reports whether it will.
func (a *accepter) nudge() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.paused && !a.stopped && !a.ended && a.interrupt()
}

func (a *accepter) isParked() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.waits || a.ended
}

func (a *accepter) resume() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.paused = false
	a.resumed.Broadcast()
}

// stop ends the loop for good and closes our copy of the socket. What waits in the kernel's queue stays there for whoever
// else holds the socket; where nobody does, it is taken first. A connection that was taken is counted as open by then.
func (a *accepter) stop() {
	a.pause()
	if l, ok := a.socket.Listener.(queuer); ok {
		l.Refuse()
		a.empty(l, l.Waiting)
	} else if l, ok := a.socket.Listener.(kernelQueue); ok && a.socket.Bound {
		a.empty(l, func() bool { return readable(l) })
	}
	a.mu.Lock()
	a.stopped = true
	a.resumed.Broadcast()
	a.mu.Unlock()
	a.close()
}

// close closes our copies of the socket.
func (a *accepter) close() {
	if a.batch != nil {
		a.batch.Close()
	}
	a.socket.Close()
}

// kernelQueue is a listener whose clients wait in the kernel.
type kernelQueue interface {
	deadliner
	syscall.Conn
}

// queuer is a listener over which connections are passed: it tells whether one waits that nobody else can serve.
type queuer interface {
	deadliner
	Refuse() // no further one can be passed
	Waiting() bool
}

// empty takes the connections that wait, while the loop is parked.
func (a *accepter) empty(listener deadliner, waiting func() bool) {
	if listener.SetDeadline(time.Time{}) != nil {
		return
	}
	for waiting() {
		c, err := a.socket.Accept()
		if err != nil {
			return
		}
		a.server.admit(c, a.socket)
	}
}

// endure waits when accept failed for want of something that may come back, and returns the error when it will not.
func (a *accepter) endure(err error) error {
	switch {
	case errors.Is(err, syscall.ECONNABORTED), errors.Is(err, syscall.EINTR), errors.Is(err, syscall.EPROTO):
		return nil // that client has gone (accept(2))
	case errors.Is(err, syscall.EINVAL):
		// Seen for ever on sockets of launchd (proxydetox#452); a fresh socket is the only cure.
		if a.refused++; a.refused >= 10 {
			return fmt.Errorf("%s: the socket does not listen any more: restart its socket unit, or bootout and bootstrap the launchd job: %w", a.socket.Name, err)
		}
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOBUFS), errors.Is(err, syscall.ENOMEM):
		a.server.limits.exhausted.reached.Add(1)
		a.server.release()
	}
	a.backoff = min(max(2*a.backoff, 5*time.Millisecond), time.Second)
	a.failing.note(a.server, "cannot accept connections; they wait", "socket", a.socket.Name, "err", err)
	time.Sleep(a.backoff)
	return nil
}

// first answers a new client from a kept reply, without making a connection of it. r is for the request.
func (s *Server) first(socket *Socket, r *reply.Request, from caller, in, out []byte) (n int, answer []byte, close, ok bool) {
	site := s.serving.Load()
	if site.replies == nil || s.draining.Load() || s.vitals.maintenance.On() {
		return 0, out, false, false
	}
	if size, verdict := http1.Recognize(in, r); verdict != http1.Plain || size != len(in) {
		return 0, out, false, false
	}
	begun := time.Now()
	r.Scope = scopeOf(socket, false, false)
	kept := site.replies.Peek(r, begun.Sub(s.begun))
	if kept == nil {
		return 0, out, false, false
	}
	var entry *AccessEntry
	if site.log.enabled() {
		entry = s.plainEntry(site, from.addr(), r, begun)
	}
	s.count(site, r.Head, kept.Status, kept.Host, int64(len(kept.Body)), time.Since(begun), entry, false)
	return len(in), kept.AppendHTTP1(out, s.dates.At(begun).HTTP1, r.Close), r.Close, true
}

// admit makes a connection of a client whose first request was read, and perhaps answered in part.
func (a *accepter) admit(nc net.Conn, h heard) {
	c := a.server.newConnection(nc, a.socket)
	if !a.server.remember(c) {
		nc.Close()
		return
	}
	c.transport.introduce(nil, bytes.Clone(h.unread))
	unsent := bytes.Clone(h.unsent) // the buffers are the next client's
	switch {
	case len(h.unread)+len(unsent) > 0:
		c.enter(active) // or the drain closes it while it is answered
	case h.unread != nil:
		c.enter(idle) // it was answered: what it is given now is the time of a kept connection, and it may rest
	}
	l, ok := a.server.enterLane(c)
	switch {
	case ok:
		l.over, l.asked = h.last, h.asked
		go l.begin(unsent)
	case len(unsent) == 0 && !h.last:
		a.server.hear(c)
	default: // the lane was left for good while this client was answered
		go func() {
			c.transport.Write(unsent)
			c.Close()
		}()
	}
}

// admit makes a connection of what was accepted, and hands it on when it is ready to be read.
func (s *Server) admit(nc net.Conn, socket *Socket) {
	c := s.newConnection(nc, socket)
	if !s.remember(c) {
		nc.Close()
		return
	}
	switch {
	case socket.Proxy != "":
		go s.introduced(c)
	case socket.TLS:
		go s.handshake(c)
	default:
		s.hear(c)
	}
}

// newConnection makes a connection, which is open when it is remembered.
func (s *Server) newConnection(nc net.Conn, socket *Socket) *connection {
	t := &transport{Conn: nc, sendTimeout: s.config.SendTimeout.limit()}
	c := &connection{Conn: t, transport: t, socket: socket, server: s, accepted: time.Now()}
	c.since.Store(int64(s.clock()))
	if !socket.TLS && socket.Proxy == "" {
		c.enter(fresh)
	}
	return c
}

// hear listens to what the client says, in the lane if it can.
func (s *Server) hear(c *connection) {
	l, ok := s.enterLane(c)
	switch {
	case ok:
		go l.begin(nil) // also after a handshake, whose goroutine's stack has grown
	case c.tls == nil:
		s.ready.give(plain{c})
	case c.tls.NegotiatedProtocol == "h2":
		s.ready.give(c)
	default:
		c.matched = -1
		s.ready.give(secureHTTP1{c})
	}
}
