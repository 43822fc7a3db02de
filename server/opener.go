package server

import (
	"net"
	"syscall"
)

// opener deals with the first request of new clients, where they are accepted or where they rest until they say something. A client that
// sends a request, gets a kept reply and closes is served without a goroutine of its own; nobody else hears of one that does so at once.
type opener struct {
	// first answers what a new client has said: it appends the reply to out and tells how much of in it answers, and whether the client
	// wants the connection closed. It must not wait. Where it cannot answer, ok is false.
	first func(from caller, in, out []byte) (n int, reply []byte, close, ok bool)
	// rest keeps a client that has nothing to read for us now: it was answered, or has said nothing yet. Where it cannot (or is nil) the
	// client is admitted.
	rest func(fd int, from *peer, answered bool) bool
	// admit takes a connection that goes on, with what was heard. The bytes hold until it returns.
	admit func(nc net.Conn, h heard)

	in  []byte // of the last client
	out []byte // to it
}

// caller is who a client is, as far as anybody wants to know.
type caller interface{ addr() net.Addr }

const (
	openerReads = 16 << 10 // bytes: more than a plain request has
	openerKeeps = 64 << 10 // bytes of the buffer for replies
)

// heard is what came of a client's first words.
type heard struct {
	outcome
	unread []byte // what was received and is not answered; nil: nothing was received yet; empty: all was answered
	unsent []byte // what could not be sent
	asked  bool   // a request was answered
	last   bool   // the client wants the connection closed when all is sent
}

type outcome int

const (
	silent   outcome = iota // nothing was said yet
	gone                    // reset, or closed without a word
	answered                // and all of that was sent
	more                    // it goes on
)

// hear reads what a client has said and answers it, if it can. One whose bytes fill the buffer has more to come and is not answered
// here: to close it would reset it, and its client could lose the reply (RFC 9112 §9.6).
func (o *opener) hear(fd int, from caller) heard {
	if o.in == nil {
		o.in = make([]byte, openerReads)
	}
	n, err := readNow(uintptr(fd), o.in)
	switch {
	case err == syscall.EAGAIN, err == syscall.EINTR:
		return heard{outcome: silent}
	case err != 0, n == 0:
		return heard{outcome: gone}
	}
	in := o.in[:n]
	used, reply, last, ok := 0, o.out[:0], false, false
	if n < len(o.in) {
		used, reply, last, ok = o.first(from, in, o.out[:0])
	}
	if !ok {
		return heard{outcome: more, unread: in}
	}
	if cap(reply) <= openerKeeps {
		o.out = reply[:0]
	}
	sent, err := writeNow(uintptr(fd), reply)
	sent = max(sent, 0)
	switch {
	case err != 0 && err != syscall.EAGAIN && err != syscall.EINTR:
		return heard{outcome: gone}
	case sent == len(reply) && (last || used == len(in)):
		return heard{outcome: answered, unread: in[used:], asked: true, last: last}
	}
	return heard{more, in[used:], reply[sent:], true, last}
}

// open owns the descriptor of a new connection.
func (o *opener) open(fd int, from *peer) {
	h := o.hear(fd, from)
	switch {
	case h.outcome == gone, h.outcome == answered && h.last:
		closeNow(fd)
	case h.outcome == more, o.rest == nil, !o.rest(fd, from, h.outcome == answered):
		o.admit(from.adopt(fd), h)
	}
}
