package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/server/rules"
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
			s := New(Parts{Config: Default(), Log: slog.New(slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{Level: level}))})
			s.Use(bare(Default(), saying("here")))
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

// BenchmarkSite is the whole chain of a site with most of its options on, down to a file: security headers, CORS, metrics,
// and 20 rules for headers, of which one matches; and how it answers without a file.
func BenchmarkSite(b *testing.B) {
	var config Config
	w := site(b, map[string]string{"index.html": "here", "a.css": "a"}, func(c *Config, _ string) {
		c.SecurityHeaders, c.Health, c.Metrics = "true", true, true
		c.CORSAllowOrigins = List{"https://friend.example"}
		for i := range 19 {
			c.Advanced.Headers = append(c.Advanced.Headers, rules.Header{Source: fmt.Sprintf("/folder%d/**/*.{html,htm}", i), Headers: map[string]string{"X-Folder": "yes"}})
		}
		c.Advanced.Headers = append(c.Advanced.Headers, rules.Header{Source: "**/*.css", Headers: map[string]string{"X-Css": "yes"}})
		c.Advanced.Redirects = []rules.Redirect{{Source: "/old/{**}", Destination: "/new/$1", Kind: 301}}
		c.Advanced.Rewrites = []rules.Rewrite{{Source: "/short/{*}", Destination: "/$1.css"}}
		c.Advanced.VirtualHosts = []VirtualHost{{Host: "*.other.example", Root: c.Root}}
		config = *c
	})
	w.access = quietLog()
	w.use(b, config)
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	ctx := context.WithValue(b.Context(), connectionKey{}, &connection{Conn: near, socket: &Socket{}, server: w.Server})
	for _, target := range []string{"/a.css", "/short/a", "/old/x", "/missing", "/health"} {
		b.Run(strings.ReplaceAll(target[1:], "/", "-"), func(b *testing.B) {
			r := asking("GET", target, "Origin", "https://friend.example").WithContext(ctx)
			reply := &sink{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(reply.header)
				w.answer(reply, r)
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
