package server

import (
	"context"
	"time"

	"github.com/rouse-server/rouse/server/http2"
)

const (
	// patience is how long a connection that was in use lately is kept for a request that may be on its way.
	patience = time.Second
	// longIdle is how long a connection must have been idle for its next request not to be waited for.
	longIdle = 5 * time.Second
	// handshakePatience is how long clients that are in the middle of a TLS handshake are waited for.
	handshakePatience = 3 * time.Second
	// look is how often the open connections are looked at while draining.
	look = 10 * time.Millisecond
)

// Drain stops accepting and ends every connection when its client has what it asked for: HTTP/1.1 connections get
// Connection: close on their next reply, HTTP/2 ones GOAWAY twice (RFC 9113 §6.8). It returns within the timeout the number
// of connections that had to be cut off. hurry closes idle connections at once, for a user who waits at a terminal.
func (s *Server) Drain(timeout time.Duration, hurry bool) (cut int) {
	begun := time.Now()
	s.draining.Store(true)
	for _, a := range s.loops() {
		a.stop()
	}
	for _, c := range s.open() {
		if goAway := c.http2(); goAway != nil {
			go goAway() // a client that does not read must not hold the others up
		}
	}
	keep := patience
	if hurry {
		keep = 0
	}
	s.awaitRequests(begun, min(keep, timeout), min(handshakePatience, timeout), timeout)
	ctx, cancel := context.WithDeadline(context.Background(), begun.Add(timeout))
	defer cancel()
	for _, c := range s.open() {
		if engine := c.http2engine(); engine != nil {
			go c.depart(ctx, engine)
		}
	}
	if s.http.Shutdown(ctx) != nil || !s.emptyWithin(ctx) {
		cut = len(s.open())
	}
	s.Close()
	return cut
}

// awaitRequests waits for requests that may be on their way: for so long on idle and new connections (those that have been
// idle for long are closed at once), and for handshakes to end. What is silent then is closed; HTTP/2 connections are left to
// their final GOAWAY, unless there is no time for it. HTTP/1 requests are waited for to their end: net/http, once it shuts
// down, drops one that it has half read, and the connection of one that it answers.
func (s *Server) awaitRequests(begun time.Time, keep, keepHandshakes, timeout time.Duration) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		<-tick.C
		waited := time.Since(begun)
		open := s.open()
		arriving, unfinished := 0, 0
		for _, c := range open {
			doing, since := c.now()
			isHTTP1 := c.http2() == nil
			switch {
			case doing == active || doing == receiving:
				if isHTTP1 {
					unfinished++
				}
			case doing == handshaking && keep > 0:
				if waited < keepHandshakes {
					arriving++
				} else {
					c.Close()
				}
			case c.readable():
				arriving++
			case doing == idle && since-waited > longIdle, min(waited, since) >= keep && (keep == 0 || isHTTP1):
				c.Close()
			case isHTTP1:
				unfinished++ // idle since a moment ago
			}
		}
		quiet := waited >= keep && (arriving == 0 || waited >= keepHandshakes) && unfinished == 0
		if len(open) == 0 || quiet || waited >= timeout {
			return
		}
	}
}

// depart ends a connection of HTTP/2 in the lane when its last stream has ended.
func (c *connection) depart(ctx context.Context, engine *http2.Conn) {
	engine.Shutdown()
	select {
	case <-engine.Done():
		c.transport.flush()
		c.Close()
	case <-ctx.Done():
	}
}

// emptyWithin waits until no connection is open.
func (s *Server) emptyWithin(ctx context.Context) bool {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for len(s.open()) > 0 {
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
	}
	return true
}
