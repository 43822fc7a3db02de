package files

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/rouse-server/rouse/server/reply"
	"github.com/rouse-server/rouse/server/tree"
)

// nowhere is a stream on which files go nowhere, unread.
type nowhere struct{ header http.Header }

func (n nowhere) Header() http.Header         { return n.header }
func (n nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n nowhere) WriteHeader(int)             {}

func (n nowhere) ReadFrom(r io.Reader) (int64, error) {
	limited := r.(*io.LimitedReader)
	size := limited.N
	limited.N = 0
	return size, nil
}

// BenchmarkMiss answers a request for which nothing is kept, but for what the connection does: the first one (Unknown), the
// second one, whose reply is kept (Wanted), and one that is asked for again when its life is over (Due).
func BenchmarkMiss(b *testing.B) {
	dir := folder(b, map[string]string{"folder/page.html": digits(1024)})
	h := serving(b, dir, tree.Options{}, Options{IndexFiles: []string{"index.html"}, Charset: true})
	settle(b, dir+"/folder/page.html")
	for name, wanted := range map[string]reply.Finding{"unknown": reply.Unknown, "wanted": reply.Wanted, "due": reply.Due} {
		b.Run(name, func(b *testing.B) {
			life := time.Hour
			if wanted == reply.Due {
				life = 0
			}
			c := reply.NewCache(reply.Limits{Bytes: 1 << 20, Body: 64 << 10, Life: life})
			r := &reply.Request{Host: []byte("example.com"), Target: []byte("/folder/page.html")}
			stream := nowhere{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				known, finding := c.Find(r, 0)
				if wanted != reply.Due {
					known, finding = nil, wanted
				}
				request, err := r.HTTP(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				clear(stream.header)
				w := c.Record(r, known, finding, stream)
				h.ServeHTTP(w, request)
				w.Finish()
			}
		})
	}
}
