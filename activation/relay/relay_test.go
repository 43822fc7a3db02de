package relay

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	proxyproto "github.com/pires/go-proxyproto"
)

// A client that says all and then listens, as nc and HTTP/1.0 do, gets the whole answer, and a server that ends first hears
// the client out.
func TestHalfClose(t *testing.T) {
	for _, c := range []struct{ from, to string }{{"tcp4", "tcp4"}, {"tcp4", "unix"}, {"unix", "tcp4"}, {"unix", "unix"}} {
		r := carry(t, c.from, c.to, None, nil)
		says(t, r.client, "question")
		closeWrite(t, r.client)
		hears(t, r.server, "question")
		hearsEnd(t, r.server)
		says(t, r.server, "answer")
		hears(t, r.client, "answer")
		if n := r.relay.Count(); n != 1 {
			t.Errorf("%v: %d clients are counted", c, n)
		}
		r.server.Close()
		hearsEnd(t, r.client)
		if err := r.end(t); err != nil {
			t.Errorf("%v: %v", c, err)
		}

		r = carry(t, c.from, c.to, None, nil)
		says(t, r.server, "banner")
		closeWrite(t, r.server)
		hears(t, r.client, "banner")
		hearsEnd(t, r.client)
		says(t, r.client, "last words")
		r.client.Close()
		hears(t, r.server, "last words")
		hearsEnd(t, r.server)
		if err := r.end(t); err != nil {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// Whoever breaks a connection off breaks the other one off too: nobody takes half an answer for a whole one.
func TestReset(t *testing.T) {
	r := carry(t, "tcp4", "tcp4", None, nil)
	says(t, r.client, "question")
	hears(t, r.server, "question")
	r.client.(*net.TCPConn).SetLinger(0)
	r.client.Close()
	if _, err := r.server.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server read %v", err)
	}
	if err := r.end(t); err == nil {
		t.Error("the relay says that all is well")
	}

	r = carry(t, "tcp4", "tcp4", None, nil)
	says(t, r.client, "question")
	hears(t, r.server, "question")
	says(t, r.server, "half an ans")
	r.server.(*net.TCPConn).SetLinger(0)
	r.server.Close()
	got, err := io.ReadAll(r.client)
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client read %q, %v", got, err)
	}
	if err := r.end(t); err == nil {
		t.Error("the relay says that all is well")
	}
}

// A server that refuses a long request answers, and closes while the client still sends: the client gets that answer.
func TestEarlyAnswer(t *testing.T) {
	r := carry(t, "tcp4", "tcp4", None, nil)
	sent := make(chan error, 1)
	go func() {
		for block := make([]byte, 1<<16); ; {
			if _, err := r.client.Write(block); err != nil {
				sent <- err
				return
			}
		}
	}()
	hears(t, r.server, "\x00\x00\x00\x00")
	answer := strings.Repeat("too long ", 1000)
	says(t, r.server, answer)
	r.server.Close() // with unread bytes: a reset (RFC 2525 §2.17)
	got := make([]byte, len(answer))
	if n, err := io.ReadFull(r.client, got); string(got) != answer {
		t.Errorf("the client read %d bytes, %v", n, err)
	}
	_, err := io.Copy(io.Discard, r.client)
	if sending := <-sent; !errors.Is(err, syscall.ECONNRESET) && !errors.Is(sending, syscall.ECONNRESET) { // it is told once
		t.Errorf("after the answer the client read %v, and writing ended with %v: no reset", err, sending)
	}
	r.end(t)
}

// Much in both directions at once arrives whole and in order.
func TestBulk(t *testing.T) {
	for _, c := range []struct{ from, to string }{{"tcp4", "tcp4"}, {"tcp4", "unix"}, {"unix", "unix"}} {
		r := carry(t, c.from, c.to, None, nil)
		up, down := bytes.Repeat([]byte("up and so on, "), 1<<18), bytes.Repeat([]byte("down it goes, "), 1<<18)
		send := func(to net.Conn, what []byte) { to.Write(what); to.(interface{ CloseWrite() error }).CloseWrite() }
		go send(r.client, up)
		go send(r.server, down)
		arrived := make(chan []byte)
		go func() { b, _ := io.ReadAll(r.server); arrived <- b }()
		if b, err := io.ReadAll(r.client); err != nil || !bytes.Equal(b, down) {
			t.Errorf("%v: %d bytes came down, %v", c, len(b), err)
		}
		if b := <-arrived; !bytes.Equal(b, up) {
			t.Errorf("%v: %d bytes came up", c, len(b))
		}
		if err := r.end(t); err != nil {
			t.Errorf("%v: %v", c, err)
		}
	}
}

// The program is told by the PROXY protocol who its client is, before anything else.
func TestHeader(t *testing.T) {
	for _, network := range []string{"tcp4", "tcp6", "unix"} {
		for version, header := range map[int]Header{1: V1, 2: V2} {
			r := carry(t, network, "tcp4", header, []byte("peeked, "))
			says(t, r.client, "question")
			reader := bufio.NewReader(r.server)
			got, err := proxyproto.Read(reader)
			if err != nil {
				t.Fatalf("%s %s: %v", network, header, err)
			}
			if int(got.Version) != version {
				t.Errorf("%s %s: version %d", network, header, got.Version)
			}
			if network == "unix" {
				if !got.Command.IsLocal() || got.SourceAddr != nil {
					t.Errorf("unix %s: %+v", header, got)
				}
			} else if got.SourceAddr.String() != r.client.LocalAddr().String() || got.DestinationAddr.String() != r.client.RemoteAddr().String() {
				t.Errorf("%s %s: from %s to %s, want from %s to %s", network, header, got.SourceAddr, got.DestinationAddr, r.client.LocalAddr(), r.client.RemoteAddr())
			}
			text := make([]byte, len("peeked, question"))
			if _, err := io.ReadFull(reader, text); string(text) != "peeked, question" {
				t.Errorf("%s %s: then %q, %v", network, header, text, err)
			}
			r.server.Close()
			r.client.Close()
			r.end(t)
		}
	}
	for h, want := range map[Header]string{None: "", V1: "PROXY UNKNOWN\r\n", V2: "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"} {
		if got := h.Local(); string(got) != want {
			t.Errorf("%s: %q", h, got)
		}
	}
}

// What was read of a client already goes first, also where the server speaks before it reads.
func TestPeeked(t *testing.T) {
	first := strings.Repeat("peeked ", 1<<20)
	r := carry(t, "tcp4", "tcp4", None, []byte(first))
	says(t, r.server, "banner")
	hears(t, r.client, "banner")
	says(t, r.client, "the rest")
	closeWrite(t, r.client)
	hears(t, r.server, first+"the rest")
	r.server.Close()
	hearsEnd(t, r.client)
	if err := r.end(t); err != nil {
		t.Error(err)
	}
}

// A client waits for a server that starts slowly, and is reset after the server's patience has ended.
func TestSlowStart(t *testing.T) {
	front, back := listen(t, "tcp4"), listen(t, "tcp4")
	address := back.Addr().String()
	var attempts atomic.Int32
	slow := Server{Patience: limit, Dial: func(ctx context.Context) (net.Conn, error) {
		if attempts.Add(1) < 5 {
			return nil, syscall.ECONNREFUSED
		}
		return To("tcp", address)(ctx)
	}}
	relay, client, ended := New(), dial(t, front), make(chan error, 1)
	taken := relay.Take(accept(t, front))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if relay.Connected(ctx) == nil {
		t.Error("a client without server is said to have one")
	}
	go func() { ended <- taken.Carry(t.Context(), nil, slow) }()
	if err := relay.Connected(t.Context()); err != nil {
		t.Error(err)
	}
	server := accept(t, back)
	says(t, server, "at last")
	hears(t, client, "at last")
	server.Close()
	client.Close()
	<-ended

	back.Close()
	client = dial(t, front)
	taken = relay.Take(accept(t, front))
	err := taken.Carry(t.Context(), nil, Server{Patience: 50 * time.Millisecond, Dial: To("tcp", address)})
	if !errors.Is(err, ErrNoServer) || !errors.Is(err, syscall.ECONNREFUSED) {
		t.Error(err)
	}
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client that was given up read %v", err)
	}
	if relay.Count() != 0 {
		t.Errorf("%d clients are counted", relay.Count())
	}
}

// The addresses are tried in turn; the error is that of the first.
func TestTo(t *testing.T) {
	gone, there := listen(t, "tcp4"), listen(t, "tcp4")
	gone.Close()
	c, err := To("tcp", gone.Addr().String(), there.Addr().String())(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if c.RemoteAddr().String() != there.Addr().String() {
		t.Errorf("connected to %s", c.RemoteAddr())
	}
	c.Close()
	if _, err := To("tcp", gone.Addr().String())(t.Context()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Error(err)
	}
}

// Vanished peers are found out: keep-alive is on towards both sides.
func TestKeepAlive(t *testing.T) {
	r := carry(t, "tcp4", "tcp4", None, nil)
	says(t, r.client, "x")
	hears(t, r.server, "x")
	r.relay.mu.Lock()
	server := r.taken.server
	r.relay.mu.Unlock()
	for _, c := range []net.Conn{r.taken.Conn, server} {
		raw, err := c.(syscall.Conn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		on := 0
		raw.Control(func(fd uintptr) { on, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_KEEPALIVE) })
		if on == 0 || err != nil {
			t.Errorf("SO_KEEPALIVE is %d, %v", on, err)
		}
	}
}

// Close is bounded: who does not end in time is reset, who waits for a server at once, and who comes later too.
func TestClose(t *testing.T) {
	r := carry(t, "tcp4", "tcp4", None, nil)
	says(t, r.client, "x")
	hears(t, r.server, "x")
	front := listen(t, "tcp4")
	waiting := dial(t, front)
	taken, given := r.relay.Take(accept(t, front)), make(chan error, 1)
	go func() {
		given <- taken.Carry(context.Background(), nil, Server{Patience: limit, Dial: func(context.Context) (net.Conn, error) { return nil, syscall.ECONNREFUSED }})
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	started := time.Now()
	if err := r.relay.Close(ctx); err == nil || !strings.Contains(err.Error(), "1 connections") {
		t.Error(err)
	}
	if spent := time.Since(started); spent > 5*time.Second {
		t.Errorf("closing took %s", spent)
	}
	if err := <-given; !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if err := r.end(t); err == nil {
		t.Error("a connection that was reset is said to have ended in order")
	}
	for _, c := range []net.Conn{r.client, r.server, waiting} {
		if _, err := c.Read(make([]byte, 1)); !isReset(err) {
			t.Errorf("read %v", err)
		}
	}
	late := dial(t, front)
	if err := r.relay.Take(accept(t, front)).Carry(t.Context(), nil, Server{}); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := late.Read(make([]byte, 1)); !isReset(err) {
		t.Errorf("read %v", err)
	}
}

// Close waits for those that end in order.
func TestCloseGracefully(t *testing.T) {
	r := carry(t, "tcp4", "tcp4", None, nil)
	r.relay.Connected(t.Context())
	closed := make(chan error)
	go func() { closed <- r.relay.Close(t.Context()) }()
	says(t, r.server, "the end")
	r.server.Close()
	hears(t, r.client, "the end")
	r.client.Close()
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

// A client for whom there is no server is dropped, and not counted any more.
func TestDrop(t *testing.T) {
	front, relay := listen(t, "tcp4"), New()
	client := dial(t, front)
	taken := relay.Take(accept(t, front))
	if relay.Count() != 1 {
		t.Error("it is not counted")
	}
	taken.Drop()
	if relay.Count() != 0 {
		t.Error("it is still counted")
	}
	if _, err := client.Read(make([]byte, 1)); !isReset(err) {
		t.Errorf("it read %v", err)
	}
}

// The count is exact while many come and go.
func TestCount(t *testing.T) {
	front, back := listen(t, "tcp4"), listen(t, "tcp4")
	go func() {
		for {
			c, err := back.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(c, c); c.Close() }()
		}
	}()
	relay := New()
	log, _ := quiet()
	door := NewDoor(front, "front", log, func(c net.Conn) {
		taken := relay.Take(c)
		go taken.Carry(context.Background(), nil, to(back))
	})
	door.Open()
	defer door.Close()
	var clients []net.Conn
	for i := range 50 {
		c := dial(t, front)
		says(t, c, fmt.Sprint("hello ", i))
		hears(t, c, fmt.Sprint("hello ", i))
		clients = append(clients, c)
	}
	if n := relay.Count(); n != 50 {
		t.Errorf("%d clients are counted", n)
	}
	for _, c := range clients {
		c.Close()
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if err := relay.Close(ctx); err != nil {
		t.Error(err)
	}
}

// A client whose server gets no descriptor is given up soon: it holds one that others wait for.
func TestShortage(t *testing.T) {
	l := listen(t, "tcp4")
	client := dial(t, l)
	taken := New().Take(accept(t, l))
	started := time.Now()
	err := taken.Carry(t.Context(), nil, Server{Patience: time.Minute, Dial: func(context.Context) (net.Conn, error) { return nil, syscall.EMFILE }})
	if !errors.Is(err, ErrNoServer) || !errors.Is(err, syscall.EMFILE) || time.Since(started) > time.Minute/2 {
		t.Errorf("%v after %s", err, time.Since(started))
	}
	if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client read %v", err)
	}
}
