package reply

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What a Recording renders for HTTP/1.1 is what net/http sends, to the byte, but for the date; and what it does not render is
// what net/http sends in chunks, or ends by closing the connection.
func TestRenderedAsByNetHTTP(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 7))
	next := &nextHandler{}
	dial := reference(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r) }), "HTTP/1.1")
	cache := NewCache(limits())
	rendered := 0
	for range 3000 {
		a := anyAnswer(random)
		head, closes := random.IntN(4) == 0, random.IntN(8) == 0
		next.Handler = a
		want := overHTTP1(t, dial, head, closes)
		finding := []Finding{Unknown, Wanted}[random.IntN(2)]
		r := plain("/")
		r.Head, r.Close = head, closes
		got, passed := record(t, cache, r, nil, finding, a.ServeHTTP)
		if got == nil {
			if !bytes.Contains(want, []byte("\r\nTransfer-Encoding: chunked\r\n")) {
				t.Errorf("%s, HEAD %t: it went to the stream, and net/http sends %.300q", a, head, want)
			}
			if body := bytes.Join(a.writes, nil); !bytes.Equal(passed.body, body) {
				t.Errorf("%s: the stream got %d bytes of %d", a, len(passed.body), len(body))
			}
			continue
		}
		rendered++
		if b := got.AppendHTTP1(nil, []byte("Date: now\r\n"), closes); !bytes.Equal(b, want) {
			t.Errorf("%s, HEAD %t, close %t:\n got %.300q\nwant %.300q", a, head, closes, b, want)
		}
	}
	if rendered < 1500 {
		t.Errorf("only %d were rendered", rendered)
	}
}

// Over HTTP/2 it is the same list of fields in the same order, and the block that says so leaves the dynamic table alone.
func TestRenderedAsByNetHTTP2(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 7))
	next := &nextHandler{}
	dial := reference(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r) }), "HTTP/2.0")
	cache := NewCache(limits())
	rendered := 0
	for range 1500 {
		a := anyAnswer(random)
		head := random.IntN(4) == 0
		next.Handler = a
		fields, body := overHTTP2(t, dial, head)
		r := plain("/")
		r.Scope, r.Head = HTTP2, head
		got, _ := record(t, cache, r, nil, Wanted, a.ServeHTTP)
		if got == nil {
			if a.header["Date"] == nil && (a.size() <= 4096 || a.header["Content-Length"] != nil && a.status != 204 && a.status != 304) {
				t.Errorf("%s, HEAD %t: it went to the stream", a, head)
			}
			continue
		}
		rendered++
		if got.Tail != nil {
			t.Errorf("%s: the tail is %q", a, got.Tail)
		}
		if mine := decode(t, got.Head); mine != fields || !bytes.Equal(got.Body, body) {
			t.Errorf("%s, HEAD %t:\n got %.300q\nwant %.300q\nbodies of %d and %d bytes", a, head, mine, fields, len(got.Body), len(body))
		}
	}
	if rendered < 1000 {
		t.Errorf("only %d were rendered", rendered)
	}
}

func TestDates(t *testing.T) {
	var dates Dates
	when := time.Date(2026, 8, 3, 1, 2, 3, 999, time.FixedZone("", 7200))
	d := dates.At(when)
	if string(d.HTTP1) != "Date: Sun, 02 Aug 2026 23:02:03 GMT\r\n" {
		t.Errorf("%q", d.HTTP1)
	}
	if got := decode(t, d.HTTP2); got != "date: Sun, 02 Aug 2026 23:02:03 GMT\n" {
		t.Errorf("%q", got)
	}
	if dates.At(when.Add(time.Millisecond)) != d || dates.At(when.Add(time.Second)) == d {
		t.Error("it is not rendered once a second")
	}
	for _, year := range []int{2027, 2025} { // the clock may be set
		if d := dates.At(when.AddDate(year-2026, 0, 0)); !strings.Contains(string(d.HTTP1), strconv.Itoa(year)) || !strings.Contains(d.Log, strconv.Itoa(year)) {
			t.Errorf("%d: %q, %q", year, d.HTTP1, d.Log)
		}
	}
}

func TestRender(t *testing.T) {
	header := http.Header{"Content-Type": {"text/plain"}, "Content-Length": {"100000"}}
	r := plain("/")
	if got := string(Render(r, 200, header, nil).AppendHTTP1(nil, []byte("Date: now\r\n"), false)); got != "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\nContent-Type: text/plain\r\nDate: now\r\n\r\n" {
		t.Errorf("%q", got)
	}
	if got := string(Render(r, 404, http.Header{}, []byte("gone")).AppendHTTP1(nil, []byte("Date: now\r\n"), true)); got != "HTTP/1.1 404 Not Found\r\nDate: now\r\nContent-Length: 4\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\ngone" {
		t.Errorf("%q", got)
	}
}

func BenchmarkRender(b *testing.B) {
	header := http.Header{
		"Content-Type": {"text/html; charset=utf-8"}, "Content-Length": {"1024"}, "Etag": {`"abcdefghijklmnopqrstuv"`}, "Last-Modified": {"Thu, 01 Jan 2026 00:00:00 GMT"},
		"Accept-Ranges": {"bytes"}, "Vary": {"accept-encoding"}, "Cache-Control": {"max-age=86400"},
	}
	for name, scope := range map[string]Scope{"HTTP1": 0, "HTTP2": HTTP2} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var names []string
			d := drawing{scope: scope, status: 200}
			for b.Loop() {
				d.b, names = d.b[:0], sortedNames(names[:0], header)
				d.begin(header, names)
				d.end(nil, 0)
			}
		})
	}
}
