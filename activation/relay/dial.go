package relay

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

// To returns a Dial that tries the addresses in turn, each as net.Dial takes it, and gives the first connection that it
// gets. Without addresses it always fails.
func To(network string, addresses ...string) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		var first error
		if len(addresses) == 0 {
			first = errors.New("its address is not known yet")
		}
		for _, address := range addresses {
			var dialer net.Dialer
			c, err := dialer.DialContext(ctx, network, address)
			if err == nil {
				return c, nil
			}
			if first == nil {
				first = err
			}
		}
		return nil, first
	}
}

// The pauses between attempts to reach a server.
const (
	shortestPause = time.Millisecond
	longestPause  = 100 * time.Millisecond
)

// shortage is how long a client waits for a descriptor for its server. It holds one itself: when all that there are belong to
// clients who wait, only their end lets others on.
const shortage = time.Second

// reach dials until the server answers. All other errors are waited out alike: a server that starts may refuse, have no socket
// file yet, or one with modes that are not right yet; a full queue and a want of ports pass too.
func (s Server) reach(ctx context.Context) (net.Conn, error) {
	if s.Patience <= 0 {
		c, err := s.Dial(ctx)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoServer, err)
		}
		return c, nil
	}
	started := time.Now()
	ctx, cancel := context.WithTimeout(ctx, s.Patience)
	defer cancel()
	var last error
	for pause := shortestPause; ; pause = min(2*pause, longestPause) {
		c, err := s.Dial(ctx)
		if err == nil {
			return c, nil
		}
		if timeout, ok := errors.AsType[net.Error](err); last == nil || !ok || !timeout.Timeout() { // else it is only our own limit
			last = err
		}
		if (errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)) && time.Since(started) >= min(shortage, s.Patience) {
			return nil, fmt.Errorf("%w: %w", ErrNoServer, err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, fmt.Errorf("%w within %s: %w", ErrNoServer, time.Since(started).Round(time.Millisecond), last)
		}
	}
}
