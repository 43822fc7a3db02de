package compress

import (
	"io"
	"testing"
)

func BenchmarkAccepted(b *testing.B) {
	offered := Codings()
	for name, fields := range map[string][]string{
		"browser": {"gzip, deflate, br, zstd"},
		"weights": {"gzip;q=0.8, br;q=1.0, *;q=0.1, identity;q=0.5"},
		"none":    nil,
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Accepted(fields, offered)
			}
		})
	}
}

func BenchmarkCompressible(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Compressible("text/html; charset=utf-8")
		Compressible("application/manifest+json")
	}
}

func BenchmarkWriter(b *testing.B) {
	text := page(20 << 10)
	for _, c := range Codings() {
		for _, l := range []Level{Fastest, Default, Best} {
			b.Run(string(c)+"/"+string(l), func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(text)))
				var size count
				for b.Loop() {
					size = 0
					w, err := NewWriter(&size, c, l)
					if err != nil {
						b.Fatal(err)
					}
					if _, err := w.Write(text); err != nil {
						b.Fatal(err)
					}
					if err := w.Close(); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(text))/float64(size), "ratio")
			})
		}
	}
}

// BenchmarkNewEncoder is what a writer costs where none is idle.
func BenchmarkNewEncoder(b *testing.B) {
	text := page(20 << 10)
	for _, c := range Codings() {
		for _, l := range []Level{Fastest, Default, Best} {
			b.Run(string(c)+"/"+string(l), func(b *testing.B) {
				b.ReportAllocs()
				number, _ := l.number(c)
				for b.Loop() {
					e, err := newEncoder(io.Discard, c, number)
					if err != nil {
						b.Fatal(err)
					}
					e.Write(text)
					e.Close()
				}
			})
		}
	}
}

// count is a destination that counts bytes.
type count int64

func (n *count) Write(p []byte) (int, error) {
	*n += count(len(p))
	return len(p), nil
}
