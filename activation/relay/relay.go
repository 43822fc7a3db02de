// Package relay copies bytes between a client and a server, both ways, until both have said all.
//
// The connections of package net stay visible to it, so that on Linux the kernel moves the bytes by itself (splice(2)); TCP
// keep-alive is on, as package net switches it on for all that it accepts, dials or makes of a descriptor.
package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Server is where clients are carried to.
type Server struct {
	Dial     func(context.Context) (net.Conn, error) // one attempt; see To
	Header   Header                                  // what is sent to it before the bytes of each client
	Patience time.Duration                           // how long a client waits for it to listen; 0: one attempt
}

var (
	// ErrClosed says that the relay was closed.
	ErrClosed = errors.New("the relay is closed")
	// ErrNoServer says that a client was given up, as its server did not answer.
	ErrNoServer = errors.New("the server did not answer")
)

// Relay counts the clients that were taken, and ends what is left of them when it is closed.
type Relay struct {
	mu      sync.Mutex
	clients map[*Client]bool
	waiting int                // clients that have no server yet
	changed chan struct{}      // closed and replaced whenever a client got its server or ended
	ctx     context.Context    // ends when the relay is closed: nobody waits for a server any more
	cancel  context.CancelFunc // ends it
}

// New returns a relay that has no clients.
func New() *Relay {
	r := &Relay{clients: map[*Client]bool{}, changed: make(chan struct{})}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// Client is a connection that was taken. Either Carry or Drop ends it.
type Client struct {
	Conn   net.Conn // best a *net.TCPConn or *net.UnixConn; whoever looks at what it says first gives that to Carry
	relay  *Relay
	server net.Conn // guarded by the relay's mu
	over   bool     // the same
}

// Take counts a client from now on: call it before anything else is accepted. Once the relay is closed it is closed at
// once, and Carry says so.
func (r *Relay) Take(conn net.Conn) *Client {
	c := &Client{Conn: conn, relay: r}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		abort(conn)
		c.over = true
		return c
	}
	r.clients[c] = true
	r.waiting++
	return c
}

// Carry connects the client to the server, sends the header and what was read of the client already, and copies until
// both sides have ended: the end of one side's bytes is passed on as such (shutdown(2)), a reset as a reset. While the
// server does not listen the client waits, until the server's patience or the context ends; then it is reset, as it would be
// without anybody between. It returns when both connections are closed; nil says that both sides ended in order.
func (c *Client) Carry(ctx context.Context, peeked []byte, to Server) error {
	defer c.end()
	header, err := to.Header.of(c.Conn)
	if err != nil {
		reset(c.Conn)
		return err
	}
	server, err := c.reach(ctx, to)
	if err != nil {
		reset(c.Conn)
		return err
	}
	return both(c.Conn, server, append(header, peeked...))
}

// reach connects to the client's server, as long as the relay is open.
func (c *Client) reach(ctx context.Context, to Server) (net.Conn, error) {
	closed := c.relay.ctx
	if closed.Err() != nil {
		return nil, ErrClosed
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(closed, cancel)()
	server, err := to.reach(ctx)
	switch {
	case err == nil && !c.connected(server):
		abort(server)
		return nil, ErrClosed
	case err != nil && closed.Err() != nil:
		return nil, ErrClosed
	}
	return server, err
}

// Drop resets the client: there is no server for it.
func (c *Client) Drop() {
	reset(c.Conn)
	c.end()
}

// connected notes the client's server, and tells whether it may be served still.
func (c *Client) connected(server net.Conn) bool {
	r := c.relay
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.over || r.ctx.Err() != nil {
		return false
	}
	c.server = server
	r.waiting--
	r.tell()
	return true
}

func (c *Client) end() {
	r := c.relay
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.over {
		return
	}
	c.over = true
	if c.server == nil {
		r.waiting--
	}
	delete(r.clients, c)
	r.tell()
}

// tell wakes whoever waits for a change.
func (r *Relay) tell() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// Count is the number of clients that were taken and have not ended.
func (r *Relay) Count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.clients)
}

// Waiting is the number of clients that were taken and have no server yet.
func (r *Relay) Waiting() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.waiting
}

// Connected waits until every client that was taken has a server, or the context ends, whose error it returns then.
func (r *Relay) Connected(ctx context.Context) error {
	return r.until(ctx, func() bool { return r.waiting == 0 })
}

func (r *Relay) until(ctx context.Context, done func() bool) error {
	for {
		r.mu.Lock()
		ok, changed := done(), r.changed
		r.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close takes no client any more, and resets at once those that have no server yet. The others may end in order until the
// context ends; then they are reset too, which the error tells.
func (r *Relay) Close(ctx context.Context) error {
	r.mu.Lock()
	r.cancel()
	r.mu.Unlock()
	empty := func() bool { return len(r.clients) == 0 }
	if r.until(ctx, empty) == nil {
		return nil
	}
	r.mu.Lock()
	left := len(r.clients)
	for c := range r.clients {
		abort(c.Conn)
		if c.server != nil {
			abort(c.server)
		}
	}
	r.mu.Unlock()
	// Who copies notices at once; this bounds the wait for who took a client and looks at it still.
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	r.until(ctx, empty)
	if left == 0 {
		return nil
	}
	return fmt.Errorf("%d connections had not ended in time and were reset", left)
}
