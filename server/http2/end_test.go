package http2

import (
	"context"
	"errors"
	"io"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// goAways returns the last streams of the GOAWAY frames among frames.
func goAways(frames []http2.Frame) (last []uint32) {
	for _, f := range frames {
		if g, ok := f.(*http2.GoAwayFrame); ok {
			last = append(last, g.LastStreamID)
		}
	}
	return last
}

func isDone(c *Conn) bool {
	select {
	case <-c.Done():
		return true
	default:
		return false
	}
}

// A server that ends tells its clients twice, answers what is under way, and then is done.
func TestEnd(t *testing.T) {
	t.Parallel()
	begun, answer := make(chan bool), make(chan bool)
	r := newRig(t, handled(func(w http.ResponseWriter, _ *http.Request) {
		begun <- true
		<-answer
	}))
	r.c.GoAway()
	r.c.GoAway()
	if got := goAways(r.frames()); len(got) != 1 || got[0] != maxStreamID {
		t.Fatalf("GoAway writes %v", got)
	}
	stream := r.open(get("/"), true) // it may have been on its way
	r.push()
	<-begun
	r.c.Shutdown()
	if got := goAways(r.frames()); len(got) != 1 || got[0] != stream {
		t.Fatalf("Shutdown writes %v", got)
	}
	late := r.open(get("/", "x-a", "late"), true)
	r.WriteData(late, true, []byte("x"))
	r.WriteRSTStream(late, http2.ErrCodeCancel)
	if err := r.push(); err != nil || isDone(r.c) || !r.c.Busy() {
		t.Fatalf("a stream beyond the last one: %v, done %t", err, isDone(r.c))
	}
	answer <- true
	if o := r.await(stream); o.end != "END_STREAM" {
		t.Errorf("a request that was under way gets %v", o)
	}
	<-r.c.Done()
	r.WritePing(false, [8]byte{})
	if err := r.push(); !errors.Is(err, ErrShutdown) {
		t.Errorf("afterwards Receive says %v", err)
	}
	if !r.c.Sweep(time.Now()) {
		t.Error("Sweep says that it goes on")
	}
}

// Before the preface there is nothing to say; what is to be said follows the settings.
func TestEndAtTheBeginning(t *testing.T) {
	t.Parallel()
	o := blocking()
	out := &tank{}
	c := New(&o, out)
	c.GoAway()
	if len(out.b) > 0 {
		t.Errorf("%q is written before the preface", out.b)
	}
	c.Receive([]byte(preface))
	r := &rig{t: t, tank: out}
	if frames := r.frames(); len(frames) != 3 || frames[0].Header().Type != http2.FrameSettings || len(goAways(frames)) != 1 {
		t.Errorf("after the preface: %v", frames)
	}
	c.Shutdown()
	if !isDone(c) {
		t.Error("an idle connection is not done at once")
	}
	c = New(&o, out)
	c.Shutdown()
	if !isDone(c) {
		t.Error("a connection without preface is not done at once")
	}
}

// The client's GOAWAY ends the connection behind what is open.
func TestEndByClient(t *testing.T) {
	t.Parallel()
	r := newRig(t, repeating(t, []byte("x")))
	r.open(get("/"), true)
	r.WriteGoAway(0, http2.ErrCodeNo, nil)
	if err := r.push(); !errors.Is(err, ErrShutdown) || !isDone(r.c) {
		t.Errorf("Receive says %v", err)
	}
}

// Whatever a handler waits for, it ends with its connection.
func TestCloseFreesHandlers(t *testing.T) {
	t.Parallel()
	failed := make(chan error)
	for name, one := range map[string]func(w http.ResponseWriter, r *http.Request) error{
		"reading": func(_ http.ResponseWriter, r *http.Request) error {
			_, err := io.ReadAll(r.Body)
			return err
		},
		"writing": func(w http.ResponseWriter, _ *http.Request) error {
			_, err := w.Write(make([]byte, 1<<20))
			return err
		},
		"working": func(_ http.ResponseWriter, r *http.Request) error {
			<-r.Context().Done()
			return context.Cause(r.Context())
		},
	} {
		for _, how := range []string{"Close", "RST_STREAM", "failure"} {
			r := newRig(t, handled(func(w http.ResponseWriter, r *http.Request) { failed <- one(w, r) }))
			stream := r.open(get("/"), false)
			if err := r.push(); err != nil {
				t.Fatal(err)
			}
			switch how {
			case "Close":
				r.c.Close()
			case "RST_STREAM":
				r.WriteRSTStream(stream, http2.ErrCodeCancel)
				r.push()
			default:
				r.tank.mu.Lock()
				r.tank.failed = io.ErrClosedPipe
				r.tank.mu.Unlock()
				r.WritePing(false, [8]byte{})
				if err := r.push(); !errors.Is(err, io.ErrClosedPipe) {
					t.Errorf("a failed output: Receive says %v", err)
				}
			}
			select {
			case err := <-failed:
				if err == nil {
					t.Errorf("%s, %s: no error", name, how)
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("%s, %s: the handler goes on", name, how)
			}
			awaitHandlers(t, r.c)
			if r.c.Busy() {
				t.Errorf("%s, %s: busy", name, how)
			}
		}
	}
}
