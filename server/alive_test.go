package server

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

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
