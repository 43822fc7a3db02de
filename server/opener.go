package server

import (
	"net"
	"syscall"
)

// opener deals with the first request of new connections where they are accepted. A client that sends a request at once, gets
// a kept reply and closes is served by four system calls, and nobody else hears of it; all others become connections.
type opener struct {
	// first answers what a new client has sent: it appends the reply to out and tells how much of in it answers, and whether
	// the client wants the connection closed. It must not wait. Where it cannot answer, ok is false.
	first func(from *peer, in, out []byte) (n int, reply []byte, close, ok bool)
	// admit takes a connection that goes on: with what was received and is not answered (nil: nothing was received yet; empty:
	// all was answered), and what could not be sent; with close it ends when that is sent. The bytes hold until it returns.
	admit func(nc net.Conn, unread, unsent []byte, close bool)

	in  []byte // of the last client
	out []byte // to it
}

const (
	openerReads = 16 << 10 // bytes: more than a plain request has
	openerKeeps = 64 << 10 // bytes of the buffer for replies
)

// open owns the descriptor of a new connection. One whose bytes fill the buffer has more to come and is not answered here: to
// close it would reset it, and its client could lose the reply (RFC 9112 §9.6).
func (o *opener) open(fd int, from *peer) {
	if o.in == nil {
		o.in = make([]byte, openerReads)
	}
	n, err := readNow(uintptr(fd), o.in)
	switch {
	case err == syscall.EAGAIN, err == syscall.EINTR:
		o.admit(from.adopt(fd), nil, nil, false)
		return
	case err != 0, n == 0: // reset, or closed without a word
		closeNow(fd)
		return
	}
	in := o.in[:n]
	used, reply, last, ok := 0, o.out[:0], false, false
	if n < len(o.in) {
		used, reply, last, ok = o.first(from, in, o.out[:0])
	}
	if !ok {
		o.admit(from.adopt(fd), in, nil, false)
		return
	}
	if cap(reply) <= openerKeeps {
		o.out = reply[:0]
	}
	sent, err := writeNow(uintptr(fd), reply)
	switch sent = max(sent, 0); {
	case err != 0 && err != syscall.EAGAIN && err != syscall.EINTR, last && sent == len(reply):
		closeNow(fd)
	default:
		o.admit(from.adopt(fd), in[used:], reply[sent:], last)
	}
}
