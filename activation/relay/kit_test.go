package relay

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// limit bounds every wait of these tests; it is reached only when something is broken.
const limit = 20 * time.Second

func listen(t testing.TB, network string) Listener {
	t.Helper()
	address := map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"}[network]
	if network == "unix" {
		dir, err := os.MkdirTemp("", "relay") // socket paths are short
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		address = filepath.Join(dir, "s")
	}
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	l, err := config.Listen(t.Context(), network, address)
	if err != nil {
		t.Skipf("cannot listen on %s: %v", network, err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(Listener)
}

// dial returns a connection to the listener that fails after a while.
func dial(t testing.TB, l net.Listener) net.Conn {
	t.Helper()
	c, err := net.DialTimeout(l.Addr().Network(), l.Addr().String(), limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(limit))
	return c
}

func accept(t testing.TB, l Listener) net.Conn {
	t.Helper()
	l.SetDeadline(time.Now().Add(limit))
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(limit))
	return c
}

func to(l net.Listener) Server { return Server{Dial: To(l.Addr().Network(), l.Addr().String())} }

// relayed is a client, and the server's end of what it is carried to.
type relayed struct {
	relay  *Relay
	client net.Conn
	server net.Conn
	taken  *Client
	ended  chan error
}

// carry lets a client of one network be carried to a server of another one.
func carry(t testing.TB, from, network string, header Header, peeked []byte) relayed {
	t.Helper()
	front, back := listen(t, from), listen(t, network)
	r := relayed{relay: New(), client: dial(t, front), ended: make(chan error, 1)}
	r.taken = r.relay.Take(accept(t, front))
	server := to(back)
	server.Header = header
	go func() { r.ended <- r.taken.Carry(context.Background(), peeked, server) }()
	r.server = accept(t, back)
	return r
}

// end waits for the end of Carry.
func (r relayed) end(t testing.TB) error {
	t.Helper()
	select {
	case err := <-r.ended:
		if n := r.relay.Count(); n != 0 {
			t.Errorf("%d clients are counted after the end", n)
		}
		return err
	case <-time.After(limit):
		t.Fatal("the relay does not end")
		return nil
	}
}

// hears reads exactly so much.
func hears(t testing.TB, c net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v; want %q", got[:n], err, want)
	}
}

func says(t testing.TB, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

func hearsEnd(t testing.TB, c net.Conn) {
	t.Helper()
	if n, err := c.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Fatalf("read %d bytes, %v; want the end", n, err)
	}
}

func isReset(err error) bool {
	return err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded)
}

func closeWrite(t testing.TB, c net.Conn) {
	t.Helper()
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
}

// quiet is a log that is looked at afterwards.
func quiet() (*slog.Logger, *bytes.Buffer) {
	var b bytes.Buffer
	return slog.New(slog.NewTextHandler(&b, nil)), &b
}
