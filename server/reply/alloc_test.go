//go:build !race

package reply

import (
	"strings"
	"testing"
	"time"
)

// A reply is sent again without allocating. (Under the race detector sync.Pool drops what it is given.)
func TestNoAllocation(t *testing.T) {
	c := NewCache(limits())
	h := says(strings.Repeat("x", 1000), "Vary", "accept-encoding", "Etag", `"tag"`)
	r := plain("/some/folder/"+strings.Repeat("long", 200), AcceptEncoding, "gzip, deflate, br, zstd")
	keep(t, c, r, 0, h)
	date, b := []byte("Date: now\r\n"), make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(1000, func() {
		found, finding := c.Find(r, 0)
		if finding != Good || c.Peek(r, 0) != found {
			t.Fatal(finding)
		}
		b = found.AppendHTTP1(b[:0], date, false)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	var dates Dates
	now := time.Now()
	if n := testing.AllocsPerRun(1000, func() { dates.At(now) }); n != 0 {
		t.Errorf("the date: %v allocations", n)
	}
}

// What is not kept costs few.
func TestFewAllocations(t *testing.T) {
	c := NewCache(limits())
	h := says("body", "Content-Length", "4")
	s := newStream()
	r := plain("/a/file.html", AcceptEncoding, "gzip")
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := r.HTTP(t.Context()); err != nil {
			t.Fatal(err)
		}
	}); n > 5 {
		t.Errorf("a request: %v allocations", n)
	}
	request, err := r.HTTP(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(1000, func() {
		clear(s.header)
		w := c.Record(r, nil, Unknown, s)
		h(w, request)
		w.Finish()
	}); n > 5 { // the field, the reply, its host, its head and its body
		t.Errorf("a reply: %v allocations", n)
	}
}
