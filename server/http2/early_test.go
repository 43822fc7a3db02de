package http2

import (
	"errors"
	"io"
	"net/http"
	"os"
	"testing"
	"time"
)

// A reply does not have to wait for the request's end: what still comes is taken for a while, and thrown away.
func TestEarlyReply(t *testing.T) {
	t.Parallel()
	refuses := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusMethodNotAllowed) }
	for _, one := range []struct {
		name string
		then func(r *rig, stream uint32)
		want string // of RST_STREAM; empty: none
	}{
		{"the rest", func(r *rig, stream uint32) { r.WriteData(stream, true, []byte("12345")) }, ""},
		{"trailers", func(r *rig, stream uint32) { r.headers(stream, pairs("x-a", "b"), true) }, ""},
		{"too much", func(r *rig, stream uint32) { r.WriteData(stream, false, []byte("123456")) }, "RST_STREAM PROTOCOL_ERROR"},
		{"nothing", func(r *rig, _ uint32) { r.sweep(2 * linger) }, "RST_STREAM NO_ERROR"},
		{"the end of the server", func(r *rig, _ uint32) { r.c.Shutdown() }, "RST_STREAM NO_ERROR"},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, handled(refuses))
			stream := r.open(get("/", "content-length", "5"), false)
			r.push()
			if o := r.await(stream); o.end != "END_STREAM" || o.status[0] != "405" {
				t.Fatalf("an early reply is %v", o)
			}
			one.then(r, stream)
			if err := r.push(); err != nil && !errors.Is(err, ErrShutdown) {
				t.Fatal(err)
			}
			var o outcome
			for _, f := range r.frames() {
				r.take(&o, stream, f)
			}
			if o.end != one.want || r.c.Busy() {
				t.Errorf("then the stream gets %q, want %q", o.end, one.want)
			}
		})
	}
	r := newRig(t, handled(refuses))
	stream := r.open(get("/"), false)
	r.push()
	r.await(stream)
	for range 4 {
		r.WriteData(stream, false, make([]byte, maxFrame))
	}
	r.push()
	if o := r.await(stream); o.end != "RST_STREAM NO_ERROR" {
		t.Errorf("a body that nobody reads gets %v", o)
	}
	r.WriteData(stream, true, nil) // it was on its way
	r.headers(stream, pairs("x-a", "b"), true)
	if err := r.push(); err != nil || len(r.frames()) > 0 {
		t.Errorf("what comes after RST_STREAM: %v", err)
	}
}

// Deadlines hold for what has begun and for what begins.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	got := make(chan error, 1)
	for _, d := range []time.Duration{-time.Second, 20 * time.Millisecond} {
		r := newRig(t, handled(func(w http.ResponseWriter, r *http.Request) {
			control := http.NewResponseController(w)
			if err := control.SetReadDeadline(time.Now().Add(d)); err != nil {
				t.Error(err)
			}
			_, err := r.Body.Read(make([]byte, 1))
			got <- err
			w.WriteHeader(http.StatusRequestTimeout)
		}))
		stream := r.open(get("/"), false)
		r.push()
		if err := <-got; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("reading: %v", err)
		}
		if o := r.await(stream); o.end != "END_STREAM" || o.status[0] != "408" {
			t.Errorf("a late body gets %v", o)
		}

		r = newRig(t, handled(func(w http.ResponseWriter, r *http.Request) {
			control := http.NewResponseController(w)
			control.SetWriteDeadline(time.Now().Add(time.Hour))
			control.SetWriteDeadline(time.Now().Add(d))
			_, err := w.Write(make([]byte, 100_000))
			got <- err
		}))
		stream = r.open(get("/"), true)
		r.push()
		if err := <-got; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("writing: %v", err)
		}
		if o := r.await(stream); o.end != "RST_STREAM INTERNAL_ERROR" {
			t.Errorf("a late reply gets %v", o)
		}
	}
}

// A client that sends its body only when asked is asked, once, when the handler reads.
func TestContinue(t *testing.T) {
	t.Parallel()
	r := newRig(t, handled(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			b, _ := io.ReadAll(r.Body)
			w.Write(b)
		}
	}))
	stream := r.open(get("/", "expect", "100-Continue"), false)
	r.push()
	for o := (outcome{}); len(o.status) == 0; {
		<-r.tank.arrived
		for _, f := range r.frames() {
			r.take(&o, stream, f)
		}
		if len(o.status) > 0 && o.status[0] != "100" {
			t.Fatalf("it gets %v", o)
		}
	}
	r.WriteData(stream, true, []byte("hello"))
	r.push()
	if o := r.await(stream); o.body != "hello" || len(o.status) != 1 {
		t.Errorf("it gets %v", o)
	}
	stream = r.open(get("/no", "expect", "100-continue"), false)
	r.push()
	if o := r.await(stream); o.status[0] != "200" || o.end != "END_STREAM" {
		t.Errorf("where nobody reads the body it gets %v", o)
	}
	awaitHandlers(t, r.c)
	if r.c.Busy() {
		t.Error("a body that will not come is waited for")
	}
}
