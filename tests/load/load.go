// Package load is clients that ask again and again and never try anything twice: what they do not get is lost, and counted.
package load

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// usualPause is the longest that a client waits after a reply, as people and programs do.
const usualPause = 20 * time.Millisecond

// Lost is a request without a whole reply.
type Lost struct {
	Client string // the client's own address and port; empty: it was not connected
	Err    error
}

func (l Lost) Error() string { return l.Client + ": " + l.Err.Error() }

func (l Lost) Unwrap() error { return l.Err }

// Load is a crowd of clients. The zero value is ready; End ends it.
type Load struct {
	Pause time.Duration // the longest that clients that keep a connection wait after a reply; 0: 20 ms

	answered atomic.Int64
	ending   atomic.Bool
	clients  sync.WaitGroup

	mu   sync.Mutex
	lost []Lost
}

// KeepConnections starts clients that keep a connection until a reply says that it will be closed.
func (l *Load) KeepConnections(clients int, connect func() (net.Conn, error)) {
	l.start(clients, connect, func(c net.Conn) error {
		for !l.ending.Load() {
			closes, err := Ask(c)
			if err != nil {
				return fmt.Errorf("on a kept connection: %w", err)
			}
			l.answered.Add(1)
			if closes {
				return nil
			}
			l.rest()
		}
		return nil
	})
}

// NewConnections starts clients that make a connection for each request.
func (l *Load) NewConnections(clients int, connect func() (net.Conn, error)) {
	l.start(clients, connect, func(c net.Conn) error {
		if _, err := Ask(c); err != nil {
			return fmt.Errorf("on a new connection: %w", err)
		}
		l.answered.Add(1)
		return nil
	})
}

func (l *Load) start(clients int, connect func() (net.Conn, error), use func(net.Conn) error) {
	for range clients {
		l.clients.Go(func() {
			for !l.ending.Load() {
				c, err := connect()
				if err != nil {
					l.lose(Lost{Err: fmt.Errorf("connect: %w", err)})
					time.Sleep(usualPause)
					continue
				}
				if err := use(c); err != nil {
					l.lose(Lost{c.LocalAddr().String(), err})
				}
				c.Close()
			}
		})
	}
}

// UseClient starts a client that uses a library, such as one for HTTP/2, where a client may send again by itself what the
// server has said it did not take (RFC 9113 §8.7). Its transport should connect by Dial.
func (l *Load) UseClient(client *http.Client, url string) {
	l.clients.Go(func() {
		for !l.ending.Load() {
			if from, err := get(client, url); err != nil {
				l.lose(Lost{from, fmt.Errorf("by a client library: %w", err)})
			} else {
				l.answered.Add(1)
			}
			l.rest()
		}
	})
}

// lastKey is the context's key of where a request leaves the client's address of its latest connection.
type lastKey struct{}

// Dial connects for the transport of a client of UseClient: a connection that is lost before the transport has it is known, too.
func Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var dialer net.Dialer
	c, err := dialer.DialContext(ctx, network, address)
	if last, ok := ctx.Value(lastKey{}).(*atomic.Value); ok && err == nil {
		last.Store(c.LocalAddr().String())
	}
	return c, err
}

// get asks once. from is the client's address on the connection that it made or used last.
func get(client *http.Client, url string) (from string, err error) {
	var last atomic.Value
	last.Store("")
	ctx := context.WithValue(context.Background(), lastKey{}, &last)
	used := func(c httptrace.GotConnInfo) { last.Store(c.Conn.LocalAddr().String()) }
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: used}), http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	reply, err := client.Do(request)
	if err == nil {
		err = whole(reply)
	}
	return last.Load().(string), err
}

// rest waits as long as a client does between two requests.
func (l *Load) rest() { time.Sleep(rand.N(cmp.Or(l.Pause, usualPause))) }

// patience is how long a reply may take on a loaded machine.
const patience = 30 * time.Second

// Ask sends a request for / and reads the whole reply, which must be 200; closes tells whether it is the connection's last.
func Ask(c net.Conn) (closes bool, err error) {
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		return false, err
	}
	reply, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return false, err
	}
	return reply.Close, whole(reply)
}

func whole(reply *http.Response) error {
	_, err := io.Copy(io.Discard, reply.Body)
	if reply.StatusCode != http.StatusOK {
		err = errors.Join(err, fmt.Errorf("status %s", reply.Status))
	}
	return errors.Join(err, reply.Body.Close())
}

func (l *Load) lose(one Lost) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = append(l.lost, one)
}

// Await waits until so many more requests are answered.
func (l *Load) Await(t testing.TB, more int64, limit time.Duration) {
	t.Helper()
	until := l.answered.Load() + more
	for end := time.Now().Add(limit); l.answered.Load() < until; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			answered, lost := l.End()
			t.Fatalf("%d more requests were not answered within %s; in all %d were, and %d lost: %v", more, limit, answered, len(lost), lost)
		}
	}
}

// End ends the clients and returns how many requests were answered, and what was lost.
func (l *Load) End() (answered int64, lost []Lost) {
	l.ending.Store(true)
	l.clients.Wait()
	return l.answered.Load(), l.lost
}
