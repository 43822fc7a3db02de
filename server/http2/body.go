package http2

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

var errShortBody = errors.New("http2: the request's body is shorter than its content-length")

// body is the body of a request. It is under the connection's lock.
type body struct {
	exchange *exchange
	window   window
	declared int64 // content-length; -1: unknown
	got      int64
	unread   []byte // what came
	at       int    // and how much of it was read
	err      error  // what follows; nil: more may come
	readable chan struct{}
	readBy   time.Time
}

// Read waits for a part of the body. At its end the trailers that were announced are in Request.Trailer.
func (b *body) Read(p []byte) (n int, err error) {
	x := b.exchange
	c := x.conn
	c.enter()
	defer c.exit()
	x.goOn()
	for {
		switch {
		case b.at < len(b.unread):
			n = copy(p, b.unread[b.at:])
			b.at += n
			b.returned(n)
			return n, nil
		case b.err != nil:
			if b.err == io.EOF {
				x.takeTrailers()
			}
			return 0, b.err
		case !b.readBy.IsZero() && !time.Now().Before(b.readBy):
			b.fail(os.ErrDeadlineExceeded)
			continue
		}
		if b.readable == nil {
			b.readable = make(chan struct{}, 1)
		}
		await(c, b.readable, b.readBy)
	}
}

// takeTrailers puts those that were announced where the handler looks for them.
func (x *exchange) takeTrailers() {
	for name, values := range x.arrived {
		if _, announced := x.trailer[name]; announced {
			x.trailer[name] = values
		}
	}
}

// Close gives up what was not read.
func (b *body) Close() error {
	c := b.exchange.conn
	c.enter()
	defer c.exit()
	b.err = http.ErrBodyReadAfterClose
	b.drop()
	wake(b.readable)
	return nil
}

// status100 is the header block ":status: 100" (RFC 7541 §6.2.2).
const status100 = "\x08\x03100"

// goOn sends 100 to a client that waits for it.
func (x *exchange) goOn() {
	if !x.expects {
		return
	}
	x.expects = false
	if !x.headed && x.over == nil && !x.stream.answered {
		x.conn.writeHead(x.stream.id, false, []byte(status100), nil)
	}
}

// returned gives the client back what was read.
func (b *body) returned(n int) {
	x := b.exchange
	if b.at == len(b.unread) {
		b.unread, b.at = b.unread[:0], 0
	}
	x.conn.refund(n)
	if !x.stream.ended && x.over == nil {
		x.conn.writeWindowUpdate(x.stream.id, b.window.give(n))
	}
}

// came takes a part of the body.
func (b *body) came(p []byte) {
	if b.at > 0 && cap(b.unread)-len(b.unread) < len(p) {
		n := copy(b.unread, b.unread[b.at:])
		b.unread, b.at = b.unread[:n], 0
	}
	b.unread = append(b.unread, p...)
	wake(b.readable)
}

// fail ends the body; the first reason counts.
func (b *body) fail(why error) {
	if b.err == nil {
		b.err = why
	}
	wake(b.readable)
}

// drop forgets what was not read.
func (b *body) drop() {
	n := len(b.unread) - b.at
	b.unread, b.at = nil, 0
	if n > 0 {
		b.exchange.conn.refund(n)
	}
}
