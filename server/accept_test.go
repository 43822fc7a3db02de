package server

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
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

func (quietConn) Close() error         { return nil }
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

// A server that is about to leave takes no client with it: from Pause to Resume everybody waits in the kernel's queue, and
// who was taken before is counted.
func TestPauseResume(t *testing.T) {
	runLoop(t, func(l *loop) {
		l.listen.knock()
		synctest.Wait()
		l.world.Pause()
		if !l.isParked() || l.world.Open() != 1 {
			t.Errorf("parked: %t, open: %d", l.isParked(), l.world.Open())
		}
		l.world.Pause() // twice is once
		for range 3 {
			l.listen.knock()
		}
		time.Sleep(time.Hour)
		if l.taken.Load() != 1 {
			t.Errorf("%d connections were taken during the pause", l.taken.Load()-1)
		}
		l.world.Resume()
		synctest.Wait()
		if l.taken.Load() != 4 || l.world.Open() != 4 || l.isParked() {
			t.Errorf("after Resume %d were taken, %d are open", l.taken.Load(), l.world.Open())
		}
		l.world.Resume() // without a pause nothing
		l.world.Pause()
		l.world.Resume()
		l.world.Pause() // before the loop has woken
		if !l.isParked() {
			t.Error("not parked after a quick Resume and Pause")
		}
		l.world.Resume()
		l.listen.knock()
		synctest.Wait()
		if l.taken.Load() != 5 {
			t.Error("the loop does not accept any more")
		}
	})
}

// A drain ends a paused loop too, gives the socket back, and may come twice.
func TestStop(t *testing.T) {
	runLoop(t, func(l *loop) {
		l.world.Pause()
		l.stop()
		synctest.Wait()
		if err := <-l.ended; err != nil {
			t.Error(err)
		}
		l.ended <- nil
		if l.listen.closes != 1 {
			t.Errorf("the socket was closed %d times", l.listen.closes)
		}
		l.stop()
		l.world.Resume()
		l.world.Pause()
		l.listen.knock()
		synctest.Wait()
		if l.taken.Load() != 0 {
			t.Error("a stopped loop took a connection")
		}
	})
}

// A client that gives up before it is served is no reason to stop, to wait, or to fill the log.
func TestAcceptClientsThatLeft(t *testing.T) {
	runLoop(t, func(l *loop) {
		begun := time.Now()
		for range 30 {
			for _, err := range []error{syscall.ECONNABORTED, syscall.EINTR, syscall.EPROTO, os.NewSyscallError("accept4", syscall.ECONNABORTED)} {
				l.listen.results <- err
			}
			synctest.Wait()
		}
		l.listen.knock()
		synctest.Wait()
		if l.taken.Load() != 1 || time.Since(begun) != 0 || l.world.log.String() != "" {
			t.Errorf("%d taken after %s, log %s", l.taken.Load(), time.Since(begun), l.world.log)
		}
	})
}

// A server that has run out of descriptors waits, longer and longer but at most a second, says so from time to time, and
// goes on when there are some again.
func TestAcceptOutOfDescriptors(t *testing.T) {
	runLoop(t, func(l *loop) {
		begun := time.Now()
		for range 100 {
			l.listen.results <- syscall.EMFILE
		}
		l.listen.knock()
		for l.taken.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		// 5, 10, 20 … 640 ms and then 92 times a second.
		if took := time.Since(begun).Round(10 * time.Millisecond); took != 93*time.Second+280*time.Millisecond {
			t.Errorf("it took %s", took)
		}
		said := l.world.log.entries(t, "cannot accept connections; they wait")
		if len(said) < 5 || len(said) > 10 || said[0]["socket"] != "fd:3" || !strings.Contains(fmt.Sprint(said[0]["err"]), "too many open files") || said[0]["level"] != "ERROR" {
			t.Errorf("%d lines: %v", len(said), said)
		}
		// Afterwards it starts small again.
		begun = time.Now()
		l.listen.results <- syscall.ENFILE
		l.listen.knock()
		for l.taken.Load() == 1 {
			time.Sleep(time.Millisecond)
		}
		if took := time.Since(begun); took > 10*time.Millisecond {
			t.Errorf("the next shortage takes %s", took)
		}
	})
}

// A socket that launchd or a shutdown(2) has made useless for ever ends the service with a sentence, so that the manager
// makes a new one; a single refusal does not.
func TestAcceptUselessSocket(t *testing.T) {
	runLoop(t, func(l *loop) {
		for range 3 {
			for range 9 {
				l.listen.results <- os.NewSyscallError("accept4", syscall.EINVAL)
			}
			l.listen.knock()
			time.Sleep(time.Minute)
		}
		if l.taken.Load() != 3 || len(l.ended) > 0 {
			t.Fatalf("%d taken, ended: %d", l.taken.Load(), len(l.ended))
		}
		for range 10 {
			l.listen.results <- os.NewSyscallError("accept4", syscall.EINVAL)
		}
		err := <-l.ended
		l.ended <- err
		if !errors.Is(err, syscall.EINVAL) || !strings.Contains(err.Error(), "fd:3: the socket does not listen any more") || !strings.Contains(err.Error(), "launchd") {
			t.Errorf("it ended with %v", err)
		}
		l.world.Pause() // does not wait for a loop that has ended
	})
}

// The service ends when one of its sockets is useless, rather than serving half of what it says it serves.
func TestServeEndsWithUselessSocket(t *testing.T) {
	noLeaks(t)
	bad, good := newScript(), listen(t)
	for range 10 {
		bad.results <- syscall.EINVAL
	}
	w := build(t, saying("x"), nil)
	w.serve(t, Socket{Listener: bad, Name: "bad"}, Socket{Listener: good, Name: "good"})
	if err := w.end(t); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("Serve gave %v", err)
	}
	if _, err := good.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the other socket is still open: %v", err)
	}
}

// The watchdog is told of life only while connections are taken and requests answered; otherwise systemd restarts the service.
func TestAlive(t *testing.T) {
	runLoop(t, func(l *loop) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for range 3 {
			if err := l.world.Alive(ctx); err != nil {
				t.Error(err)
			}
		}
		l.listen.knock()
		synctest.Wait()
		if l.taken.Load() != 1 {
			t.Error("a sign of life stops the loop")
		}
		l.world.Pause()
		if err := l.world.Alive(ctx); err != nil {
			t.Errorf("a paused server is said to be dead: %v", err)
		}
		l.world.Resume()
	})
	hang := make(chan bool)
	for name, c := range map[string]struct {
		content http.HandlerFunc
		want    string
	}{
		"a handler that hangs":  {func(http.ResponseWriter, *http.Request) { <-hang }, "a request of our own was not answered"},
		"a handler that panics": {func(http.ResponseWriter, *http.Request) { panic("oh") }, ""},
		"one that breaks off":   {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, ""},
		"one that answers": {func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodHead || r.URL.Path != "/" || w.Header() == nil {
				t.Errorf("it was asked %s %s", r.Method, r.URL)
			}
			w.WriteHeader(http.StatusTeapot)
			w.Write([]byte("x"))
		}, ""},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), bound)
		if c.want != "" {
			ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
		}
		w := build(t, c.content, nil)
		err := w.Alive(ctx)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if requests := w.log.entries(t, "request"); len(requests) > 0 {
			t.Errorf("%s: the log tells of %v", name, requests)
		}
		cancel()
	}
	close(hang)
}

// An accept loop that stands still is found out: nobody can connect then, though everything else may look well.
func TestAliveStuckLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listener := newScript()
		w := build(t, saying("x"), nil)
		a := newAccepter(w.Server, &Socket{Listener: listener, Name: "fd:3"})
		w.accepters = []*accepter{a}
		ended := make(chan error, 1)
		go func() { ended <- a.run() }()
		listener.knock() // is handed on to nobody
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := w.Alive(ctx); err == nil || !strings.Contains(err.Error(), "the accept loop of fd:3 does not turn") {
			t.Errorf("%v", err)
		}
		w.ready.Close()
		a.stop()
		<-ended
	})
}

// undeadlined is a listener that cannot be interrupted, as that of a single connection.
type undeadlined struct{ net.Listener }

// A server of inetd's single connection can be paused and asked for life although its Accept cannot be interrupted.
func TestPauseSingleConnection(t *testing.T) {
	noLeaks(t)
	w := build(t, saying("x"), nil)
	w.serve(t, Socket{Listener: undeadlined{listen(t)}, Name: "inetd:"})
	w.Pause()
	if err := w.Alive(within(t)); err != nil {
		t.Error(err)
	}
	w.Resume()
}

// A signal that comes before the first connection could be accepted ends the program, whoever holds the sockets.
func TestEndBeforeBegin(t *testing.T) {
	noLeaks(t)
	for name, end := range map[string]func(*world){
		"Close": func(w *world) { w.Close() },
		"Drain": func(w *world) { w.Drain(bound, true) },
	} {
		for _, held := range []bool{false, true} {
			w := build(t, saying("x"), nil)
			end(w)
			l := listen(t)
			go func() { w.ended <- w.Serve([]Socket{{Listener: l, Name: name, Bound: held}}) }()
			if err := w.end(t); err != nil {
				t.Errorf("%s, bound: %t: %v", name, held, err)
			}
			if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("%s, bound: %t: the socket stays open: %v", name, held, err)
			}
		}
	}
	for range 50 { // and at the same time
		w := build(t, saying("x"), nil)
		go func() {
			w.ended <- w.Serve([]Socket{{Listener: listen(t), Name: "fd:3", Bound: true}, {Listener: listen(t), Name: "fd:4"}})
		}()
		w.Close()
		if err := w.end(t); err != nil {
			t.Error(err)
		}
	}
}
