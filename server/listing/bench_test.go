package listing

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/server/compress"
	"github.com/rouse-server/rouse/server/tree"
)

// made are the entries of a folder that was not.
func made(n int) []tree.Entry {
	entries := make([]tree.Entry, n)
	for i := range entries {
		k := i * 7919 % n // in no order
		entries[i] = tree.Entry{Name: fmt.Sprintf("Some file with a name %06d.txt", k), Size: int64(k) * 1000, Modified: then.Add(time.Duration(k) * time.Second), Directory: k%10 == 0}
	}
	return entries
}

// nowhere is a client that takes everything.
type nowhere struct {
	header http.Header
	bytes  int
}

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) WriteHeader(int)             {}
func (n *nowhere) Write(b []byte) (int, error) { n.bytes += len(b); return len(b), nil }

func BenchmarkListing(b *testing.B) {
	for _, n := range []int{100, 10_000, 100_000} {
		entries := made(n)
		for _, format := range []string{"html", "json", "zstd"} {
			b.Run(fmt.Sprintf("%s/%d", format, n), func(b *testing.B) {
				l := New(nil, Options{Codings: compress.Codings()})
				r := httptest.NewRequest("GET", "/", nil)
				if format == "zstd" {
					r.Header.Set("Accept-Encoding", "zstd")
				}
				b.ReportAllocs()
				w := &nowhere{header: http.Header{}}
				for b.Loop() {
					w.bytes = 0
					body := l.newBody(w, r)
					if format == "json" {
						writeJSON(body, choose(entries, query{}))
					} else {
						l.writePage(body, newView("/", entries, query{}))
					}
					if err := body.end(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(w.bytes), "B/page")
			})
		}
	}
}

// The whole way, with the system's part in it.
func BenchmarkFolder(b *testing.B) {
	root := b.TempDir()
	for i := range 10_000 {
		if err := os.WriteFile(filepath.Join(root, fmt.Sprintf("Some file with a name %06d.txt", i)), nil, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	l := New(open(b, root, tree.Options{}), Options{})
	b.ReportAllocs()
	for b.Loop() {
		handler(l).ServeHTTP(&nowhere{header: http.Header{}}, httptest.NewRequest("GET", "/", nil))
	}
}

func TestHundredThousandEntries(t *testing.T) {
	t.Parallel()
	entries := made(100_000)
	l := New(nil, Options{})
	for name, write := range map[string]func(*body){
		"html": func(b *body) { l.writePage(b, newView("/", entries, query{})) },
		"json": func(b *body) { writeJSON(b, choose(entries, query{})) },
	} {
		w := &nowhere{header: http.Header{}}
		body := l.newBody(w, httptest.NewRequest("GET", "/", nil))
		write(body)
		if err := body.end(); err != nil {
			t.Fatal(err)
		}
		if cap(body.b) > 2*pieceSize || w.bytes < 8<<20 {
			t.Errorf("%s: %d bytes went through a buffer of %d", name, w.bytes, cap(body.b))
		}
	}
}

// gone is a client that has left.
type gone struct{ nowhere }

func (g *gone) Write(b []byte) (int, error) { g.bytes += len(b); return 0, io.ErrClosedPipe }

func TestNobodyWaitsForTheListing(t *testing.T) {
	t.Parallel()
	l := New(nil, Options{Codings: compress.Codings()})
	for _, coding := range []string{"identity", "gzip"} {
		w := &gone{nowhere{header: http.Header{}}}
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Encoding", coding)
		body := l.newBody(w, r)
		l.writePage(body, newView("/", made(100_000), query{}))
		if err := body.end(); err == nil || w.bytes > 10*pieceSize {
			t.Errorf("%s: %d bytes written for nobody, %v", coding, w.bytes, err)
		}
	}
	if strings.Contains(script, "</script") || strings.Contains(styleSheet, "</style") {
		t.Error("a part of the page ends its element")
	}
}
