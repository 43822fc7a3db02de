package http2

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// rig is a connection in memory, and a client of it.
type rig struct {
	t testing.TB
	*wire
	c    *Conn
	sent sink // by the client
	tank *tank
}

// tank is an Output that keeps everything, and can be stopped.
type tank struct {
	mu      sync.Mutex
	b       []byte // what nobody has looked at
	holds   bool   // nothing is sent
	queued  int
	failed  error
	arrived chan struct{}
}

func (o *tank) Write(b []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failed != nil {
		return o.failed
	}
	o.b = append(o.b, b...)
	if o.holds {
		o.queued += len(b)
	}
	select {
	case o.arrived <- struct{}{}:
	default:
	}
	return nil
}

func (o *tank) Queued() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.queued
}

// hold lets nothing be sent any more.
func (o *tank) hold() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.holds = true
}

// let lets everything be sent.
func (o *tank) let() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.holds, o.queued = false, 0
}

// newRig begins a connection: the preface, the settings and a large window are exchanged.
func newRig(t testing.TB, o Options, settings ...http2.Setting) *rig {
	t.Helper()
	r := &rig{t: t, tank: &tank{arrived: make(chan struct{}, 1)}}
	r.c = New(&o, r.tank)
	r.wire = &wire{Framer: http2.NewFramer(&r.sent, nil)}
	r.reset()
	r.sent.b = []byte(preface)
	r.WriteSettings(settings...)
	r.WriteWindowUpdate(0, 1<<24)
	if err := r.push(); err != nil {
		t.Fatal(err)
	}
	r.frames()
	t.Cleanup(func() {
		r.tank.let()
		r.c.Close()
		awaitHandlers(t, r.c)
	})
	return r
}

// push gives the connection what the client sent.
func (r *rig) push() error {
	b := r.sent.b
	r.sent.b = nil
	for len(b) > 0 {
		n := min(len(b), frameHead+maxFrame)
		used, err := r.c.Receive(b[:n])
		if err != nil {
			return err
		}
		if used == 0 {
			r.t.Fatalf("%d bytes of a frame are missing", n)
		}
		b = b[used:]
	}
	return nil
}

// frames returns what was written since the last call.
func (r *rig) frames() (all []http2.Frame) {
	r.t.Helper()
	r.tank.mu.Lock()
	b := r.tank.b
	r.tank.b = nil
	r.tank.mu.Unlock()
	from := bytes.NewReader(b)
	for {
		f := http2.NewFramer(nil, from)
		f.AllowIllegalReads = true
		one, err := f.ReadFrame()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			r.t.Fatal(err)
		}
		all = append(all, one)
	}
}

// await reads what is written until a stream has ended.
func (r *rig) await(stream uint32) (o outcome) {
	r.t.Helper()
	late := time.After(10 * time.Second)
	for {
		for _, f := range r.frames() {
			r.take(&o, stream, f)
		}
		if o.end != "" {
			return o
		}
		select {
		case <-r.tank.arrived:
		case <-late:
			o.end = "nothing more came"
		}
	}
}

// sweep lets time pass: what waits now is seen, and then is too late by d.
func (r *rig) sweep(d time.Duration) (over bool) {
	now := time.Now()
	return r.c.Sweep(now) || r.c.Sweep(now.Add(d))
}

// blocking are options under which a handler waits until its request is broken off.
func blocking() Options {
	return handled(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
}

// codeOf returns the code that a connection ended with.
func codeOf(err error) string {
	if wrong, ok := errors.AsType[*connectionError](err); ok {
		return wrong.code.String()
	}
	if err == nil {
		return "none"
	}
	return err.Error()
}
