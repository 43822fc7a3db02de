package server

import (
	"bytes"
	"context"
	"errors"
	"net"

	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rouse-server/rouse/server/http2"
	"github.com/rouse-server/rouse/server/reply"
)

// lane is a connection's way to the replies that are kept. It answers plain requests: from a kept reply, or by the chain,
// whose reply it may keep. Of HTTP/1.1 everything else is net/http's, from the first byte that the lane does not understand on;
// HTTP/2 stays here.
//
// It runs on a goroutine of its own, most of the time inside of RawConn.Read: there it waits until the connection is readable,
// reads and answers, without the read that finds nothing which net.Conn.Read begins with.
type lane struct {
	*connection
	*exchange // nil while it rests
	raw       syscall.RawConn
	isReady   func(fd uintptr) bool  // the method ready; nil while it rests
	restless  atomic.Bool            // it cannot rest
	asked     bool                   // a request was answered
	over      bool                   // the connection ends when all is sent
	drained   bool                   // the last read took all that there was
	again     bool                   // the next read is the second one
	name      atomic.Pointer[string] // its client as the log has it; nil: nobody has asked
	scope     reply.Scope
	http2     *http2.Conn // nil: HTTP/1.1
	output    output      // of http2
	was       phase       // before the last read
	next      step

	received   *[receivedSize]byte // nil: nothing is held
	from, have int                 // where in it begins and ends what is not answered yet
	cipher     *[receivedSize]byte // what of TLS was received and not read yet; nil: nothing
}

// exchange is what a connection of HTTP/1.1 needs while it is awake.
type exchange struct {
	request reply.Request // the last one that was recognized
	size    int           // its length
	kept    *reply.Reply  // what is kept for it
	finding reply.Finding
	sent    []sentReply // in the write that is being made up
	large   large
	about   context.Context // what requests tell of their connection; nil: nobody has asked
	client  string          // its address as net/http tells it; empty: nobody has asked
}

// forget makes it ready for another connection.
func (x *exchange) forget() *exchange {
	x.large.reset(nil)
	x.request, x.kept, x.about, x.client = reply.Request{}, nil, nil, ""
	return x
}

// step is what a connection in the lane does next.
type step int

const (
	nextWait   step = iota // for what the client sends
	nextAnswer             // by the chain, what was recognized last
	nextFlush              // before anything else is read
	nextLeave              // to net/http
	nextRest               // until the client sends something
	nextEnd
)

// enterLane takes a connection into the lane, if it can: it must have a descriptor, and the site must allow it.
func (s *Server) enterLane(c *connection) (*lane, bool) {
	if s.config.Lane == "off" || c.administers() || s.serving.Load().replies == nil {
		return nil, false
	}
	if s.draining.Load() {
		return nil, false
	}
	if told, ok := c.transport.Conn.(interface{ Unread() int }); ok && told.Unread() > 0 { // it was read before it came to us
		return nil, false
	}
	descriptor, ok := bottom(c.transport.Conn).(syscall.Conn)
	if !ok {
		return nil, false
	}
	raw, err := descriptor.SyscallConn()
	if err != nil {
		return nil, false
	}
	l := &lane{connection: c, scope: s.scope(c)}
	c.mu.Lock()
	c.lane = l
	c.mu.Unlock()
	l.rouse(raw)
	if c.tls != nil && c.tls.NegotiatedProtocol == "h2" {
		l.speakHTTP2()
	}
	s.watch()
	return l, true
}

// rouse gets what the connection needs while it is awake.
func (l *lane) rouse(raw syscall.RawConn) {
	l.raw, l.isReady, l.exchange = raw, l.ready, l.server.buffers.exchange()
	l.transport.beEager(raw, &l.server.buffers, l.wakeUp)
}

// lull gives it back.
func (l *lane) lull() {
	l.server.buffers.exchanges.Put(l.exchange.forget())
	l.raw, l.isReady, l.exchange = nil, nil, nil
	l.transport.beUnable()
}

// context is that of requests.
func (l *lane) context() context.Context {
	return context.WithValue(context.Background(), connectionKey{}, l.connection)
}

// scope tells connections apart that get other replies: by their socket, by TLS, and by whether browsers know its certificate.
func (s *Server) scope(c *connection) reply.Scope {
	return scopeOf(c.socket, c.tls != nil, c.tls != nil && s.serving.Load().untrusted(c))
}

func scopeOf(socket *Socket, tls, untrusted bool) reply.Scope {
	scope := reply.Scope(socket.number) << 3
	if tls {
		scope |= 2
	}
	if untrusted {
		scope |= 4
	}
	return scope
}

// begin does what came before the lane: behind a PROXY header, with the last words of the handshake, or when the connection was
// accepted. What is unsent of the reply to that goes out first.
func (l *lane) begin(unsent []byte) {
	if t := l.transport; l.tls == nil && len(t.unread) > 0 {
		l.received = l.server.buffers.receive()
		l.have = copy(l.received[:], t.unread) // a PROXY header's buffer is smaller
		t.take(nil)
	}
	if len(unsent) > 0 || l.over {
		l.enter(active)
		l.transport.post(unsent)
		l.next = nextFlush
	} else {
		l.next = l.proceed()
	}
	l.run()
}

func (l *lane) run() {
	for {
		switch l.next {
		case nextWait:
			l.next = l.await()
		case nextAnswer:
			l.next = l.answer()
		case nextFlush:
			l.next = l.flushed()
		case nextLeave:
			l.leave()
			return
		case nextRest:
			if l.park() {
				return
			}
			l.next = nextWait
		default:
			l.end()
			return
		}
	}
}

// await waits for what the client sends and answers it from kept replies, as long as nothing else is to be done.
func (l *lane) await() step {
	l.drained, l.again, l.next = false, false, nextWait
	err := l.raw.Read(l.isReady)
	switch {
	case err == nil:
		return l.next
	case errors.Is(err, os.ErrDeadlineExceeded): // the watch has come by
		l.transport.SetReadDeadline(time.Time{})
		return nextRest
	}
	return nextEnd
}

// ready is called when the connection may be readable. After a read that did not fill the buffer there is nothing more, and
// what comes later will be told (epoll(7), kqueue(2)); but the end of a client that says all it has to say at once came with
// its request, so the first read is followed by another.
func (l *lane) ready(fd uintptr) bool {
	for {
		if l.drained {
			l.drained = false
			return false
		}
		l.was = phase(l.phase.Swap(int32(active))) // before the bytes leave the kernel, where the drain would see them
		n, err := l.receive(fd)
		switch {
		case err == syscall.EAGAIN:
			l.phase.Store(int32(l.was))
			return false
		case err == syscall.EINTR:
			continue
		case err != 0:
			l.next = nextEnd
			return true
		case n == 0:
			l.next = l.ended()
			return true
		}
		if l.next = l.proceed(); l.next != nextWait {
			return true
		}
		if phase(l.phase.Load()) == active { // of TLS a part came, and nothing to read: that does not prolong anything
			l.phase.Store(int32(l.was))
		}
		l.drained, l.again = l.again && n < receivedSize/2, true
	}
}

// receive reads what there is: into the buffer, or for TLS to take it.
func (l *lane) receive(fd uintptr) (n int, err syscall.Errno) {
	buffers := &l.server.buffers
	if l.tls != nil {
		if l.cipher == nil {
			l.cipher = buffers.receive()
		}
		n, err = readNow(fd, l.cipher[:])
		if n = max(n, 0); n > 0 {
			l.transport.take(l.cipher[:n])
		}
	} else {
		if l.received == nil {
			l.received = buffers.receive()
		}
		n, err = readNow(fd, l.received[l.have:])
		n = max(n, 0)
		l.have += n
	}
	if n == 0 {
		l.release()
	}
	return n, err
}

// ended is the step after the client's end. One that has sent half a request gets net/http's answer.
func (l *lane) ended() step {
	if left := l.have - l.from; l.http2 == nil && (left >= leastHead || left > 0 && !l.asked) {
		return nextLeave
	}
	return nextEnd
}

// proceed does what was received, as far as it can.
func (l *lane) proceed() step {
	for {
		if l.have > l.from {
			if next := l.consume(); next != nextWait {
				return next
			}
		}
		if l.tls == nil {
			break
		}
		if l.received == nil {
			l.received = l.server.buffers.receive()
		}
		l.compact() // or there may be no room, and nothing read would look like the end
		n, err := l.Conn.Read(l.received[l.have:])
		l.have += n
		if n == 0 && errors.Is(err, errNothing) {
			break
		}
		if n == 0 {
			return l.ended()
		}
	}
	l.release()
	return nextWait
}

// compact makes room behind what is not answered yet.
func (l *lane) compact() {
	if l.from == l.have {
		l.from, l.have = 0, 0
	} else if l.from > 0 {
		l.have = copy(l.received[:], l.received[l.from:l.have])
		l.from = 0
	}
}

// release gives buffers back that nothing is in.
func (l *lane) release() {
	l.compact()
	if l.have == 0 && l.received != nil {
		l.server.buffers.received.Put(l.received)
		l.received = nil
	}
	if l.cipher != nil && len(l.transport.unread) == 0 {
		l.server.buffers.received.Put(l.cipher)
		l.cipher = nil
	}
}

// discard gives all buffers back.
func (l *lane) discard() {
	l.from, l.have = 0, 0
	if l.received != nil {
		l.server.buffers.received.Put(l.received)
	}
	if l.cipher != nil {
		l.server.buffers.received.Put(l.cipher)
	}
	l.received, l.cipher = nil, nil
}

// end closes the connection.
func (l *lane) end() {
	l.discard()
	if l.http2 != nil {
		if l.over {
			l.linger()
		}
		l.http2.Close()
	}
	l.Close()
	l.server.buffers.exchanges.Put(l.exchange.forget())
}

// linger lets the client of HTTP/2 read why the connection ends.
func (l *lane) linger() {
	l.mu.Lock()
	l.lane = nil // for the watch, which would end it
	l.mu.Unlock()
	l.transport.take(nil)
	if l.transport.bePatient() == nil {
		l.part()
	}
}

// consume does what is in the buffer.
func (l *lane) consume() step {
	if l.http2 == nil && l.tls == nil && !l.asked {
		switch b := l.received[l.from:l.have]; {
		case bytes.HasPrefix(b, []byte(preface)):
			l.speakHTTP2()
		case strings.HasPrefix(preface, string(b)):
			l.pause(receiving)
			return nextWait
		}
	}
	if l.http2 != nil {
		return l.frames()
	}
	return l.requests()
}

// pause notes that nothing goes on until the client sends more.
func (l *lane) pause(p phase) {
	if p != receiving || l.was != receiving && l.was != fresh { // a head has one time, however slowly it comes
		l.since.Store(int64(l.server.clock()))
	}
	l.phase.Store(int32(p))
}

// flushed waits until all is sent.
func (l *lane) flushed() step {
	if l.transport.flush() != nil {
		return nextEnd
	}
	if l.http2 != nil {
		l.http2.Sent()
	}
	if l.over {
		return nextEnd
	}
	return l.proceed()
}

// leave gives the connection to net/http, with what was received and not answered.
func (l *lane) leave() {
	c := l.connection
	if l.received != nil {
		c.ahead = bytes.Clone(l.received[l.from:l.have])
	}
	c.transport.unread = bytes.Clone(c.transport.unread)
	l.discard()
	c.transport.SetReadDeadline(time.Time{}) // of the watch, which may just have come by
	c.mu.Lock()
	c.lane = nil
	c.mu.Unlock()
	if c.transport.bePatient() != nil {
		c.Close()
		return
	}
	c.enter(active)
	if c.tls != nil {
		c.matched = -1
		l.server.ready.give(secureHTTP1{c})
		return
	}
	l.server.ready.give(plain{c})
}

// textOf is an address as net/http tells it.
func textOf(a net.Addr) string {
	if a == nil {
		return ""
	}
	return a.String()
}
