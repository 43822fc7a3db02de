package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// An idle server exits after exactly the time that was asked for, counted from the end of the last connection, and never
// while one is open.
func TestQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, saying("x"), nil)
		quiet := make(chan time.Time, 1)
		go func() {
			if err := w.Quiet(t.Context(), 5*time.Minute); err != nil {
				t.Error(err)
			}
			quiet <- time.Now()
		}()
		begun := time.Now()
		one, two := &connection{}, &connection{}
		time.Sleep(4 * time.Minute)
		w.remember(one)
		time.Sleep(10 * time.Minute) // busy for longer than the span
		w.remember(two)
		w.forget(one)
		time.Sleep(10 * time.Minute)
		w.forget(two)
		for range 3 { // short visits, each within the span
			time.Sleep(4 * time.Minute)
			w.remember(one)
			time.Sleep(time.Second)
			w.forget(one)
		}
		last := time.Now()
		synctest.Wait()
		if len(quiet) > 0 {
			t.Fatalf("quiet after %s", (<-quiet).Sub(begun))
		}
		if got := <-quiet; got.Sub(last) != 5*time.Minute {
			t.Errorf("quiet %s after the last connection", got.Sub(last))
		}
		// Asked again, after a knock in the last moment, it counts from that.
		w.remember(one)
		w.forget(one)
		last = time.Now()
		if err := w.Quiet(t.Context(), time.Minute); err != nil || time.Since(last) != time.Minute {
			t.Errorf("%v after %s", err, time.Since(last))
		}
		if err := w.Quiet(t.Context(), time.Second); err != nil || time.Since(last) != time.Minute {
			t.Errorf("%v after %s: it was quiet already", err, time.Since(last))
		}
	})
}

// A server that ends for another reason does not go on waiting for quiet.
func TestQuietCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := build(t, saying("x"), nil)
		for _, open := range []bool{false, true} {
			if open {
				w.remember(&connection{})
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			begun := time.Now()
			if err := w.Quiet(ctx, time.Hour); !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != time.Minute {
				t.Errorf("open: %t: %v after %s", open, err, time.Since(begun))
			}
			cancel()
		}
	})
}

// Every kind of connection counts as open from accept to close: one that was forgotten would be cut off by an idle exit, one
// too many would keep the server for ever.
func TestOpenCounts(t *testing.T) {
	noLeaks(t)
	plain, secure := listen(t), listen(t)
	w := build(t, saying("here"), nil).serve(t, Socket{Listener: plain}, Socket{Listener: secure, TLS: true})
	counts := func(n int) {
		t.Helper()
		eventually(t, "the count is right", func() bool { return w.Open() == n })
	}
	untouched, shaking := dial(t, plain), dial(t, secure)
	counts(2)
	asking := visit(t, plain)
	asking.ask(t)
	asking.hear(t, false)
	h1, h2 := dialTLS(t, secure, "http/1.1"), dialTLS(t, secure, "h2")
	greet(t, h2)
	get(t, h2, 1)
	hear2(t, h2, 0)
	counts(5)
	garbage := dial(t, secure)
	io.WriteString(garbage, "\x00\x01\x02\x03\x04\x05\x06\x07")
	io.Copy(io.Discard, garbage)
	counts(5)
	for i, c := range []io.Closer{untouched, shaking, asking, h1, h2} {
		c.Close()
		counts(4 - i)
	}
	if w.Open() != 0 {
		t.Errorf("%d connections are open", w.Open())
	}
}

// Whoever watches the server on a socket for administration does not keep it awake, and is cut off when it goes.
func TestQuietWithoutAdministrators(t *testing.T) {
	noLeaks(t)
	site, admin := listen(t), listen(t)
	w := build(t, saying("here"), nil).serve(t, Socket{Listener: site}, Socket{Listener: admin, Admin: true})
	watcher := visit(t, admin)
	watcher.say(t, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
	if reply, err := http.ReadResponse(watcher.replies, nil); err != nil || reply.StatusCode != 200 {
		t.Fatalf("%v, %v", reply, err)
	} else if _, err := io.Copy(io.Discard, reply.Body); err != nil {
		t.Fatal(err)
	}
	if err := w.Quiet(within(t), time.Millisecond); err != nil || w.Open() != 0 || len(w.open()) != 1 {
		t.Errorf("%v, %d clients, %d connections", err, w.Open(), len(w.open()))
	}
	client := visit(t, site)
	client.ask(t)
	client.hear(t, false)
	if w.Open() != 1 {
		t.Errorf("%d clients", w.Open())
	}
	client.Close()
	if err := w.Quiet(within(t), time.Millisecond); err != nil {
		t.Error(err)
	}
	w.Close()
	if _, err := watcher.replies.ReadByte(); err == nil {
		t.Error("the watcher hears more")
	}
}
