package server

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// Quiet returns nil when no connection was open for the given time, and the context's error when that ends first. Connections
// on sockets for administration do not count, here and in Open: whoever watches the server, and keeps a connection open for
// that, must not keep it from its rest.
func (s *Server) Quiet(ctx context.Context, span time.Duration) error {
	for {
		open, since := s.openSince()
		wait := span - since
		if open == 0 && wait <= 0 {
			return nil
		}
		var passed <-chan time.Time // never, while a connection is open
		if open == 0 {
			passed = time.After(wait)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.emptied:
		case <-passed:
		}
	}
}

// openSince returns how many connections are open and, when none is, for how long.
func (s *Server) openSince() (open int, since time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clients, s.clock() - time.Duration(s.lastClosed.Load())
}

// Open returns how many connections of clients are open.
func (s *Server) Open() int {
	open, _ := s.openSince()
	return open
}

// Pause stops taking connections from the sockets. When it has returned, every connection that was taken is counted by Open,
// and all others wait in the kernel's queue.
func (s *Server) Pause() {
	for _, a := range s.loops() {
		a.pause()
	}
}

// Resume takes connections again.
func (s *Server) Resume() {
	for _, a := range s.loops() {
		a.resume()
	}
}

// Alive returns nil when every accept loop has come round and the handler chain has answered a request, before the context
// ends: what the manager's watchdog is told.
func (s *Server) Alive(ctx context.Context) error {
	for _, a := range s.loops() {
		before := a.turns.Load()
		if !a.nudge() {
			continue
		}
		for a.turns.Load() == before && !a.isParked() {
			select {
			case <-ctx.Done():
				return fmt.Errorf("the accept loop of %s does not turn: %w", a.socket.Name, ctx.Err())
			case <-time.After(time.Millisecond):
			}
		}
	}
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		defer func() { recover() }() // http.ErrAbortHandler, which net/http takes otherwise
		if r, err := http.NewRequestWithContext(ctx, http.MethodHead, "/", nil); err == nil {
			s.answer(unseen{http.Header{}}, r)
		}
	}()
	select {
	case <-answered:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("a request of our own was not answered: %w", ctx.Err())
	}
}

// unseen is the answer to a request that the server asked itself.
type unseen struct{ header http.Header }

func (u unseen) Header() http.Header         { return u.header }
func (u unseen) Write(b []byte) (int, error) { return len(b), nil }
func (u unseen) WriteHeader(int)             {}
