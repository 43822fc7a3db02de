package server

import (
	"bytes"
	"errors"
	"net"
	"syscall"
	"time"

	"github.com/rouse-server/rouse/server/reply"
)

// park lets an idle connection rest, with neither goroutine nor buffers, if it can; the goroutine is to end then. Where there is no
// lot the connection keeps both.
func (l *lane) park() bool {
	if engine := l.http2; engine != nil && (engine.Busy() || l.output.sending.Load()) || l.have > 0 || l.server.draining.Load() {
		return false
	}
	lot := l.server.parking()
	if lot == nil {
		l.restless.Store(true)
		return false
	}
	l.discard()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return true
	}
	l.lull()
	p, err := lot.park(l.transport.Conn, l)
	if err != nil {
		l.restless.Store(true)
		raw, err := bottom(l.transport.Conn).(syscall.Conn).SyscallConn()
		l.rouse(raw)
		return err != nil
	}
	l.parked, l.transport.Conn = p, p
	return true
}

// resting tells whether nothing waits for the client but the lot, or for want of one a goroutine.
func (l *lane) resting() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.parked != nil || l.restless.Load()
}

// parking is where connections rest, nil where they cannot.
func (s *Server) parking() *lot {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lot == nil && !s.noLot {
		lot, err := newLot(s.stirred())
		s.lot, s.noLot = lot, err != nil
	}
	return s.lot
}

// stirred returns what the lot calls for a client that has said something. Who speaks seldom is answered at once, if that can be;
// others get a goroutine, and with it the other processors.
func (s *Server) stirred() func(*parked) {
	var asked reply.Request
	o := &opener{first: func(from caller, in, out []byte) (int, []byte, bool, bool) {
		return s.first(from.(*parked).owner.(*lane).socket, &asked, from, in, out)
	}}
	return func(p *parked) {
		if l := p.owner.(*lane); l.tls == nil && l.http2 == nil && !p.lot.rush && l.isSeldomHeard() {
			l.hear(o, p)
		} else {
			go l.wake()
		}
	}
}

// seldom is how long a client has been silent who does not need a goroutine yet for what it says.
const seldom = 20 * time.Millisecond

func (l *lane) isSeldomHeard() bool {
	doing, since := l.now()
	return doing == fresh || doing == idle && since >= seldom
}

// rester is what is left of a net.Conn that rests.
type rester struct{ local, peer net.Addr }

func (r *rester) addr() net.Addr                   { return r.peer }
func (r *rester) LocalAddr() net.Addr              { return r.local }
func (r *rester) RemoteAddr() net.Addr             { return r.peer }
func (r *rester) Read([]byte) (int, error)         { return 0, net.ErrClosed }
func (r *rester) Write([]byte) (int, error)        { return 0, net.ErrClosed }
func (r *rester) SetDeadline(time.Time) error      { return net.ErrClosed }
func (r *rester) SetReadDeadline(time.Time) error  { return net.ErrClosed }
func (r *rester) SetWriteDeadline(time.Time) error { return net.ErrClosed }

// rest lets a new client rest until it says something, or something more: it gets a goroutine when there is something to do. It
// reports whether it can.
func (a *accepter) rest(fd int, from *peer, answered bool) bool {
	s := a.server
	lot := s.parking()
	if lot == nil || s.serving.Load().replies == nil || s.draining.Load() {
		return false
	}
	c := s.newConnection(nil, a.socket)
	l := &lane{connection: c, scope: s.scope(c), asked: answered}
	p := &parked{rester: rester{from.near(fd), from.addr()}, owner: l, lot: lot, fd: int32(fd), bare: true}
	if answered {
		c.enter(idle)
	}
	c.lane, c.parked, c.transport.Conn = l, p, p
	if !s.remember(c) {
		closeNow(fd)
		return true
	}
	if lot.keep(p) != nil {
		go l.wake() // unless it was closed meanwhile
	}
	s.watch()
	return true
}

// hear deals with what a client has said that rests, and lets it rest on where that is all. It runs on the lot's goroutine.
func (l *lane) hear(o *opener, p *parked) {
	l.mu.Lock() // nobody may close the descriptor meanwhile
	if l.closed || l.parked != p {
		l.mu.Unlock()
		return
	}
	l.was = phase(l.phase.Swap(int32(active))) // before the bytes leave the kernel, where the drain would see them
	h := o.hear(int(p.fd), p)
	over := h.outcome == gone || h.outcome == answered && h.last
	switch {
	case over:
	case h.outcome == silent:
		l.phase.Store(int32(l.was))
		over = p.stay() != nil
	case h.outcome == answered:
		l.asked = true
		l.pause(idle)
		over = p.stay() != nil
	default:
		over = l.goOn(p, h) != nil
	}
	l.mu.Unlock()
	if over {
		l.Close()
	}
}

// goOn gives it a goroutine, with what was heard. l.mu is held.
func (l *lane) goOn(p *parked, h heard) error {
	if !p.leave() {
		return net.ErrClosed
	}
	l.parked = nil
	if err := l.connect(p.resume()); err != nil {
		return err
	}
	l.over, l.asked = h.last, l.asked || h.asked
	l.transport.introduce(nil, bytes.Clone(h.unread))
	go l.begin(bytes.Clone(h.unsent)) // the buffers are the next client's
	return nil
}

// connect gives it a connection that can be read and written. l.mu is held.
func (l *lane) connect(nc net.Conn) error {
	l.transport.Conn = nc
	raw, err := bottom(nc).(syscall.Conn).SyscallConn()
	if err == nil {
		l.rouse(raw)
	}
	return err
}

// wake goes on with a connection whose client has sent something.
func (l *lane) wake() {
	switch err := l.unpark(); {
	case err == nil:
		l.run()
	case !errors.Is(err, net.ErrClosed):
		l.Close()
	}
}

// wakeUp goes on with a connection to which something is to be written.
func (l *lane) wakeUp() {
	if l.unpark() == nil {
		go l.run()
	}
}

// unpark takes the connection out of the lot. The error is net.ErrClosed when somebody else did.
func (l *lane) unpark() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := l.parked
	if p == nil || l.closed {
		return net.ErrClosed
	}
	l.parked = nil
	nc, err := p.unpark()
	if err != nil {
		return err
	}
	l.next = nextWait
	return l.connect(nc)
}
