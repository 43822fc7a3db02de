package server

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"
)

// sink is a reply that goes nowhere.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) Write(b []byte) (int, error) { return len(b), nil }
func (s *sink) WriteHeader(int)             {}

// BenchmarkChain is what the handler chain adds to each request, with its line in the log and without.
func BenchmarkChain(b *testing.B) {
	for _, level := range []slog.Level{slog.LevelInfo, slog.LevelError} {
		b.Run(level.String(), func(b *testing.B) {
			s := New(Parts{Config: Default(), Site: Plain(saying("here")), Log: slog.New(slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{Level: level}))})
			near, far := net.Pipe()
			defer near.Close()
			defer far.Close()
			c := &connection{Conn: near, socket: &Socket{}, server: s}
			r, err := http.NewRequestWithContext(context.WithValue(b.Context(), connectionKey{}, c), "GET", "/", nil)
			if err != nil {
				b.Fatal(err)
			}
			w := &sink{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				s.answer(w, r)
			}
		})
	}
}

// BenchmarkRequest is one keep-alive request over loopback, server and client together.
func BenchmarkRequest(b *testing.B) {
	l := listen(b)
	w := build(b, saying("here"), nil)
	w.Server.log = quietLog()
	w.serve(b, Socket{Listener: l})
	c := dial(b, l)
	c.SetDeadline(time.Time{})
	request, reply := []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		for got := 0; !bytes.HasSuffix(reply[:got], []byte("here")); {
			n, err := c.Read(reply[got:])
			if err != nil {
				b.Fatal(err)
			}
			got += n
		}
	}
}

// BenchmarkFrames is what following HTTP/2's frames adds to each write of 16 KiB.
func BenchmarkFrames(b *testing.B) {
	f := &frames{to: io.Discard}
	data := frame(0, 0, 1, 16<<10)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Write(data); err != nil {
			b.Fatal(err)
		}
	}
}
