package reply

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// requests makes a cache with replies, and a request for each.
func requests(b *testing.B, n int) (*Cache, []*Request) {
	c := NewCache(Limits{Bytes: 256 << 20, Body: 64 << 10, Life: time.Hour})
	h := says(strings.Repeat("x", 1024), "Vary", "accept-encoding")
	all := make([]*Request, n)
	for i := range all {
		all[i] = plain("/folder/file-"+strconv.Itoa(i)+".html", AcceptEncoding, "gzip, deflate, br, zstd", Accept, "*/*")
		record(b, c, all[i], nil, wantedFor(c, all[i]), h)
	}
	return c, all
}

func BenchmarkFind(b *testing.B) {
	for _, n := range []int{1, 1000, 100_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			c, all := requests(b, n)
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				if i++; i == len(all) {
					i = 0
				}
				if _, finding := c.Find(all[i], 0); finding != Good {
					b.Fatal(finding)
				}
			}
		})
	}
}

func BenchmarkFindParallel(b *testing.B) {
	c, _ := requests(b, 1)
	b.RunParallel(func(p *testing.PB) {
		r := plain("/folder/file-0.html", AcceptEncoding, "gzip, deflate, br, zstd", Accept, "*/*")
		for p.Next() {
			c.Find(r, 0)
		}
	})
}

func BenchmarkMiss(b *testing.B) {
	c := NewCache(limits())
	h := says(strings.Repeat("x", 1024), "Content-Length", "1024")
	s := newStream()
	request, err := plain("/").HTTP(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i++
		r := plain("/" + strconv.Itoa(i))
		known, finding := c.Find(r, 0)
		clear(s.header)
		w := c.Record(r, known, finding, s)
		h(w, request)
		w.Finish()
	}
}
