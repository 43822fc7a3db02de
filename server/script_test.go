package server

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// script is a listener whose Accept gives what the test puts in. Its deadline works as a net.Listener's.
type script struct {
	net.Listener
	results chan any // a net.Conn or an error

	mu          sync.Mutex
	interrupted chan struct{}
	closed      chan struct{}
	closes      int
}

func newScript() *script {
	return &script{results: make(chan any, 100), interrupted: make(chan struct{}), closed: make(chan struct{})}
}

func (l *script) Accept() (net.Conn, error) {
	l.mu.Lock()
	interrupted := l.interrupted
	l.mu.Unlock()
	select { // as the runtime: a passed deadline comes before what waits
	case <-interrupted:
		return nil, &net.OpError{Op: "accept", Err: os.ErrDeadlineExceeded}
	case <-l.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case r := <-l.results:
		if c, ok := r.(net.Conn); ok {
			return c, nil
		}
		return nil, &net.OpError{Op: "accept", Err: r.(error)}
	case <-interrupted:
		return nil, &net.OpError{Op: "accept", Err: os.ErrDeadlineExceeded}
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *script) SetDeadline(at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closes > 0 {
		return net.ErrClosed
	}
	select {
	case <-l.interrupted:
		if at.IsZero() {
			l.interrupted = make(chan struct{})
		}
	default:
		if !at.IsZero() {
			close(l.interrupted)
		}
	}
	return nil
}

func (l *script) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closes++; l.closes == 1 {
		close(l.closed)
	}
	return nil
}

// knock puts a connection in.
func (l *script) knock() { l.results <- quietConn{} }

// quietConn is a connection on which nothing ever comes.
type quietConn struct{ net.Conn }

func (quietConn) Close() error { return nil }

func (quietConn) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// loop runs an accept loop in a synctest bubble, and takes what it hands on.
type loop struct {
	*accepter
	world  *world
	listen *script
	ended  chan error
	taken  atomic.Int64
}

func runLoop(t *testing.T, play func(l *loop)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		listener := newScript()
		w := build(t, saying("x"), nil)
		l := &loop{newAccepter(w.Server, &Socket{Listener: listener, Name: "fd:3"}), w, listener, make(chan error, 1), atomic.Int64{}}
		w.accepters = []*accepter{l.accepter}
		go func() { l.ended <- l.run() }()
		go func() {
			for {
				if _, err := w.ready.Accept(); err != nil {
					return
				}
				l.taken.Add(1)
			}
		}()
		synctest.Wait()
		play(l)
		l.stop()
		w.ready.Close()
		synctest.Wait()
		if len(l.ended) != 1 {
			t.Error("the loop goes on after stop")
		}
	})
}
