package server

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"
)

// Ctrl-C at a terminal ends the program at once, although browsers keep connections open.
func TestDrainHurry(t *testing.T) {
	t.Parallel()
	plain, secure := listen(t), listen(t)
	w := build(t, saying("here"), nil).serve(t, Socket{Listener: plain}, Socket{Listener: secure, TLS: true})
	v, untouched, shaking := visit(t, plain), visit(t, plain), dial(t, secure)
	v.ask(t)
	v.hear(t, false)
	h2 := dialTLS(t, secure, "h2")
	greet(t, h2)
	w.await(t, 2, idle)
	w.await(t, 1, handshaking)
	begun := time.Now()
	cut := w.drain(t, bound, true)
	w.gone(t, cut, 0)
	if took := time.Since(begun); took >= 2*patience { // HTTP/2 takes as much without hurry
		t.Errorf("it took %s", took)
	}
	v.ends(t)
	untouched.ends(t)
	shaking.Read(make([]byte, 1))
}

// An HTTP/2 client is told twice: first that the server will leave, with every stream still allowed, so that a request that
// is on its way is answered; then which stream was the last (RFC 9113 §6.8).
func TestDrainHTTP2(t *testing.T) {
	t.Parallel()
	plain, secure := listen(t), listen(t)
	w := build(t, saying("here"), nil).serve(t, Socket{Listener: plain}, Socket{Listener: secure, TLS: true})
	h2, h2c := dialTLS(t, secure, "h2"), dial(t, plain)
	clients := []net.Conn{h2, h2c}
	for _, c := range clients {
		greet(t, c)
		get(t, c, 1)
		if stream, body := hear2(t, c, 0); stream != 1 || string(body) != "here" {
			t.Errorf("stream %d: %q", stream, body)
		}
	}
	w.await(t, 2, idle)
	cut := w.drain(t, bound, false)
	for _, c := range clients {
		if _, payload := hear2(t, c, frameGoAway); string(payload) != goAway[frameHeadSize:] {
			t.Errorf("the first GOAWAY says % x", payload)
		}
		get(t, c, 3)
		if stream, body := hear2(t, c, 0); stream != 3 || string(body) != "here" {
			t.Errorf("the request after the first GOAWAY: stream %d, %q", stream, body)
		}
	}
	for _, c := range clients {
		if _, payload := hear2(t, c, frameGoAway); binary.BigEndian.Uint32(payload) != 3 || binary.BigEndian.Uint32(payload[4:]) != 0 {
			t.Errorf("the last GOAWAY says % x", payload)
		}
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Errorf("the connection does not end well: %v", err)
		}
	}
	w.gone(t, cut, 0)
}
