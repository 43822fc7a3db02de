package dispatch

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// load is many clients that connect again and again, one connection after the other each.
type load struct {
	t        *testing.T
	answered atomic.Int64
	stopped  atomic.Bool
	all      sync.WaitGroup

	mu   sync.Mutex
	lost map[string]int // by what happened
}

// ones makes the load of so many clients, each of which asks as ask does; ask returns an error when its answer is wrong.
func ones(t *testing.T, clients int, ask func() error) *load {
	l := &load{t: t, lost: map[string]int{}}
	for range clients {
		l.all.Go(func() {
			for !l.stopped.Load() {
				if err := ask(); err != nil {
					l.mu.Lock()
					l.lost[cause(err)]++
					l.mu.Unlock()
				} else {
					l.answered.Add(1)
				}
			}
		})
	}
	t.Cleanup(func() { l.stop() })
	return l
}

// cause leaves out the addresses, so that what happens often is one thing.
func cause(err error) string {
	if wrapped, ok := errors.AsType[*net.OpError](err); ok {
		return wrapped.Op + ": " + wrapped.Err.Error()
	}
	return err.Error()
}

// more waits until so many more were answered.
func (l *load) more(count int64) {
	l.t.Helper()
	want := l.answered.Load() + count
	until(l.t, fmt.Sprintf("%d more answers", count), func() bool { return l.answered.Load() >= want })
}

// stop ends the load, and returns how many connections were lost.
func (l *load) stop() int {
	l.stopped.Store(true)
	l.all.Wait()
	count := 0
	for _, n := range l.lost {
		count += n
	}
	return count
}

// lostNone ends the load, and fails the test if anything was lost.
func (l *load) lostNone() {
	l.t.Helper()
	if n := l.stop(); n > 0 {
		l.t.Errorf("%d were lost of %d: %v", n, int64(n)+l.answered.Load(), l.lost)
	}
}

// greeted asks and expects to be greeted by one of these.
func greeted(address string, names ...string) func() error {
	return func() error {
		who, err := ask(address)
		if err != nil {
			return err
		}
		for _, name := range names {
			if who == name {
				return nil
			}
		}
		return fmt.Errorf("answered by %q", who)
	}
}

// page asks a web server for its page.
func page(address, want string) func() error {
	return func() error {
		c, err := dialFrom("", address)
		if err != nil {
			return err
		}
		defer c.Close()
		fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		b, err := io.ReadAll(c)
		if err != nil {
			return err
		}
		if text := string(b); len(text) < len(want) || text[len(text)-len(want):] != want {
			return fmt.Errorf("answered %q", text)
		}
		return nil
	}
}
