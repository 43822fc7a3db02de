package http2

import (
	"testing"

	"golang.org/x/net/http2"
)

// memory is an Output that takes everything at once.
type memory struct {
	b      []byte
	writes int
}

func (m *memory) Write(b []byte) error {
	m.b = append(m.b[:0], b...)
	m.writes++
	return nil
}

func (m *memory) Queued() int { return 0 }

// asking returns a connection that is open, and the bytes of requests on it, whose fields are in HPACK's tables. The
// identifiers of their streams are to be set by renumber.
func asking(t testing.TB, o Options, count int) (*Conn, *memory, []byte) {
	t.Helper()
	out := &memory{}
	c := New(&o, out)
	var sent sink
	w := &wire{Framer: http2.NewFramer(&sent, nil)}
	w.reset()
	w.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: maxWindow})
	w.WriteWindowUpdate(0, maxWindow-firstWindow)
	fields := get("/index.html", "user-agent", "x", "accept", "*/*", "accept-encoding", "gzip")
	w.open(fields, true)
	if used, err := c.Receive(append([]byte(preface), sent.b...)); err != nil || used != len(preface)+len(sent.b) {
		t.Fatal(used, err)
	}
	sent.b = nil
	for range count {
		w.open(fields, true)
	}
	return c, out, sent.b
}

// sink keeps what is written.
type sink struct{ b []byte }

func (s *sink) Write(b []byte) (int, error) {
	s.b = append(s.b, b...)
	return len(b), nil
}

// renumber gives the requests in b the next streams.
func renumber(b []byte, next uint32) uint32 {
	for len(b) > 0 {
		f := parseFrame(b)
		appendFrame(b[:0], f.length, f.kind, f.flags, next)
		next += 2
		b = b[frameHead+f.length:]
	}
	return next
}

func BenchmarkRepeat(b *testing.B) {
	for name, size := range map[string]int{"1KiB": 1 << 10, "10KiB": 10 << 10} {
		b.Run(name, func(b *testing.B) {
			o := repeating(b, make([]byte, size))
			c, _, requests := asking(b, o, 16)
			next := uint32(3)
			b.ReportAllocs()
			for b.Loop() {
				if next > maxStreamID-100 {
					b.Fatal("no streams are left")
				}
				next = renumber(requests, next)
				c.Receive(requests)
				c.window = maxWindow
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/16, "ns/request")
		})
	}
}
