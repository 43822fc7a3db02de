package server

import (
	"errors"
	"net"
	"syscall"
	"time"
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
	l.parked = p
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
		lot, err := newLot(func(p *parked) { go p.owner.(*lane).wake() })
		s.lot, s.noLot = lot, err != nil
	}
	return s.lot
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
	if p == nil {
		return net.ErrClosed
	}
	l.parked = nil
	nc, err := p.unpark()
	if err != nil {
		return err
	}
	l.transport.Conn = nc
	raw, err := bottom(nc).(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	l.rouse(raw)
	l.next = nextWait
	return nc.SetReadDeadline(time.Time{})
}
