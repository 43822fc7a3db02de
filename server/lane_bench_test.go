package server

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// What repeats cost over the ways that there are to ask. Of the profile of these cmd/rouse/default.pgo is made:
//
//	go test -run=NONE -bench=Lane -benchtime=4s -cpuprofile=cmd/rouse/default.pgo ./server
func BenchmarkLane(b *testing.B) {
	plain, secure, page := served(b)
	b.Run("plain", func(b *testing.B) { repeat(b, dial(b, plain), len(page)) })
	b.Run("TLS", func(b *testing.B) { repeat(b, dialTLS(b, secure, "http/1.1"), len(page)) })
	b.Run("HTTP2", func(b *testing.B) {
		client := browser(b, "h2")
		for b.Loop() {
			reply, err := client.Get("https://" + secure.Addr().String() + "/page.html")
			if err != nil {
				b.Fatal(err)
			}
			io.Copy(io.Discard, reply.Body)
			reply.Body.Close()
		}
	})
	b.Run("handshake", func(b *testing.B) {
		for b.Loop() {
			c := dialTLS(b, secure, "http/1.1")
			ask(b, c, bufio.NewReader(c), pageRequest(), len(page))
			c.Close()
		}
	})
	b.Run("resumed", func(b *testing.B) {
		config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		for b.Loop() {
			c := tls.Client(dial(b, secure), config)
			ask(b, c, bufio.NewReader(c), pageRequest(), len(page))
			c.Close()
		}
	})
}

// Nothing is allocated for a reply that is sent again, by the whole way from the socket and back. (crypto/tls allocates a reader
// for each read of a record.)
func TestLaneAllocates(t *testing.T) {
	plain, _, page := served(t)
	c := dial(t, plain)
	replies, request := bufio.NewReader(c), pageRequest()
	for range 3 { // unknown, wanted, kept
		ask(t, c, replies, request, len(page))
	}
	if n := testing.AllocsPerRun(1000, func() { ask(t, c, replies, request, len(page)) }); n != 0 {
		t.Errorf("%v allocations for each request", n)
	}
}

// served is a page, and a server of it that says nothing.
func served(t testing.TB) (plain, secure net.Listener, page []byte) {
	t.Helper()
	page = bytes.Repeat([]byte("0123456789abcdef"), 64)
	config := Default()
	config.Root = t.TempDir()
	file := filepath.Join(config.Root, "page.html")
	if err := os.WriteFile(file, page, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, time.Now(), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(25 * time.Millisecond) // the case itself: a file that has just changed may change again unnoticed
	plain, secure = listen(t), listen(t)
	w := &world{ended: make(chan error, 1)}
	w.Server = New(Parts{Config: config, Log: quietLog(), Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return selfSigned() }})
	site, err := w.NewSite(config, Material{})
	if err != nil {
		t.Fatal(err)
	}
	w.Use(site)
	w.serve(t, Socket{Listener: plain}, Socket{Listener: secure, TLS: true})
	return plain, secure, page
}

// repeat asks for the same over one connection.
func repeat(b *testing.B, c net.Conn, size int) {
	replies, request := bufio.NewReader(c), pageRequest()
	for b.Loop() {
		ask(b, c, replies, request, size)
	}
}

func ask(b testing.TB, c net.Conn, replies *bufio.Reader, request []byte, size int) {
	if _, err := c.Write(request); err != nil {
		b.Fatal(err)
	}
	for {
		line, err := replies.ReadSlice('\n')
		if err != nil {
			b.Fatal(err)
		}
		if len(line) == 2 {
			break
		}
	}
	if _, err := replies.Discard(size); err != nil {
		b.Fatal(err)
	}
}

func pageRequest() []byte {
	return []byte("GET /page.html HTTP/1.1\r\nHost: localhost\r\nUser-Agent: benchmark\r\n\r\n")
}
