package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rouse-server/rouse/server/http2"
)

// phase is what a connection is doing.
type phase int

const (
	handshaking phase = iota // the TLS handshake goes on, or the PROXY header is awaited
	fresh                    // nothing was read of a first request
	active                   // a request is being read or answered
	receiving                // a part of one was received, and the lane waits for more
	idle                     // between requests
)

// connection is one client from accept to close, as net/http sees it: above TLS.
type connection struct {
	net.Conn  // the transport, or TLS over it
	transport *transport
	socket    *Socket
	server    *Server
	tls       *tls.ConnectionState // nil on a plain connection
	frames    *frames              // set when HTTP/2 is spoken
	matched   int                  // bytes of HTTP/2's preface that were read so far; -1: it is HTTP/1
	ahead     []byte               // what the lane received and left to net/http
	accepted  time.Time
	origin    netip.Addr // whom it is counted for; invalid: nobody

	phase atomic.Int32
	since atomic.Int64 // when the phase began, by the server's clock

	mu        sync.Mutex
	lane      *lane       // while it is there
	engine    *http2.Conn // in the lane, set when HTTP/2 is spoken there
	parked    *parked     // while it rests
	closed    bool
	interrupt context.CancelFunc // of the request that is answered in the lane; may be called later
	once      sync.Once
}

// Faces of a connection for net/http, which asks what it is given for its methods: plain may use sendfile; secureHTTP1 is
// HTTP/1.1 over TLS, whose state becomes Request.TLS. HTTP/2 over TLS is the connection itself, with neither: net/http speaks
// HTTP/2 on connections of ours only where it believes them to be in clear text (it insists on a *tls.Conn otherwise, and the
// frames could not be seen). [Server.secured] sets Request.TLS there.
type (
	plain       struct{ *connection }
	secureHTTP1 struct{ *connection }
)

func (c plain) ReadFrom(r io.Reader) (int64, error) { return c.transport.ReadFrom(r) }

func (c secureHTTP1) ConnectionState() tls.ConnectionState { return *c.tls }

func (c *connection) base() *connection { return c }

// administers tells whether the connection is on a socket for administration.
func (c *connection) administers() bool { return c.socket != nil && c.socket.Admin }

// baseOf finds ours in what net/http hands back.
func baseOf(c net.Conn) *connection {
	if ours, ok := c.(interface{ base() *connection }); ok {
		return ours.base()
	}
	return nil
}

// Read watches for HTTP/2's preface. On HTTP/1 the first byte of a request makes the connection active; net/http says so
// only when it has read the whole head.
func (c *connection) Read(b []byte) (int, error) {
	n, err := c.read(b)
	if n > 0 {
		if c.matched >= 0 {
			c.match(b[:n])
		}
		if c.frames == nil {
			if c.matched < 0 && c.tls != nil && c.tls.NegotiatedProtocol == "h2" {
				return 0, io.EOF // HTTP/2 was agreed on, and its preface did not come: the connection ends (RFC 9113 §3.4)
			}
			c.enter(active)
		}
	}
	return n, err
}

// read takes what the lane left first.
func (c *connection) read(b []byte) (n int, err error) {
	if len(c.ahead) == 0 {
		return c.Conn.Read(b)
	}
	n = copy(b, c.ahead)
	c.ahead = c.ahead[n:]
	return n, nil
}

func (c *connection) match(b []byte) {
	n := min(len(b), len(preface)-c.matched)
	if string(b[:n]) != preface[c.matched:c.matched+n] {
		c.matched = -1
		return
	}
	if c.matched += n; c.matched == len(preface) {
		c.matched = -1
		c.speakHTTP2()
	}
}

func (c *connection) speakHTTP2() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frames = &frames{to: c.Conn, wanted: c.server.draining.Load()}
}

func (c *connection) Write(b []byte) (int, error) {
	if bytes.HasPrefix(b, []byte(tooLong)) {
		c.server.refusedHead()
	}
	if c.frames != nil { // set by the reader before anything is written
		return c.frames.Write(b)
	}
	return c.Conn.Write(b)
}

// tooLong is how net/http begins its answer to a head that is too long, of which nobody else hears.
const tooLong = "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"

// Close is called by net/http, by the drain and at the end of a handshake; the first one counts.
func (c *connection) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		if l := c.inLane(); l != nil && c.tls != nil {
			l.unpark() // for TLS's farewell
		}
		c.mu.Lock()
		conn := c.Conn
		if c.parked != nil {
			conn = c.parked
		}
		c.closed = true
		if c.interrupt != nil {
			c.interrupt()
		}
		c.mu.Unlock()
		err = conn.Close()
		c.server.forget(c)
	})
	return err
}

// cut closes the connection without TLS's farewell, which may wait for the client.
func (c *connection) cut() {
	c.mu.Lock()
	transport, resting := c.transport.Conn, c.parked != nil
	c.mu.Unlock()
	if !resting {
		transport.Close()
	}
	c.Close()
}

// secure puts TLS over the transport.
func (c *connection) secure(over net.Conn, state tls.ConnectionState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Conn, c.tls = over, &state
	c.enter(fresh)
}

// enter begins a phase.
func (c *connection) enter(p phase) { c.enterAt(p, c.server.clock()) }

func (c *connection) enterAt(p phase, now time.Duration) {
	if c.phase.Swap(int32(p)) != int32(p) {
		c.since.Store(int64(now))
	}
}

// now returns the phase and how long it has lasted.
func (c *connection) now() (phase, time.Duration) {
	doing := phase(c.phase.Load())
	if engine := c.http2engine(); engine != nil && engine.Busy() {
		doing = active
	}
	return doing, c.server.clock() - time.Duration(c.since.Load())
}

// http2 returns what tells the client of HTTP/2 to open no more streams, nil on HTTP/1.
func (c *connection) http2() (goAway func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.engine != nil:
		return c.engine.GoAway
	case c.frames != nil:
		return func() { c.frames.GoAway() }
	}
	return nil
}

// inLane returns the connection's lane, nil when it has none.
func (c *connection) inLane() *lane {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lane
}

// http2engine returns what speaks HTTP/2 in the lane, nil elsewhere.
func (c *connection) http2engine() *http2.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.engine
}

// changed is net/http's ConnState hook.
func changed(nc net.Conn, state http.ConnState) {
	c := baseOf(nc)
	if c == nil {
		return
	}
	switch state {
	case http.StateActive:
		c.enter(active)
	case http.StateIdle:
		c.enter(idle)
	}
}

// readable tells whether something waits to be read.
func (c *connection) readable() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.parked != nil {
		return c.parked.readable()
	}
	return c.transport.readable()
}
