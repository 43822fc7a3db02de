package files

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/server/reply"
	"github.com/rouse-server/rouse/server/tree"
)

// settle waits until no change of a file can go unnoticed any more.
func settle(t testing.TB, name string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if identityOf(info).settled(time.Now()) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not settled", name)
		}
	}
}

// lane asks a handler as the lane does: with a cache and a stream of which it notes what came there.
type lane struct {
	t       testing.TB
	handler http.Handler
	cache   *reply.Cache
	now     time.Duration
}

func newLane(t testing.TB, h http.Handler) *lane {
	return &lane{t, h, reply.NewCache(reply.Limits{Bytes: 8 << 20, Body: 64 << 10, Life: time.Second, Trust: 10}), 0}
}

// ask returns what the client gets but for the date, and what was found.
func (l *lane) ask(r *reply.Request) (string, reply.Finding) {
	l.t.Helper()
	known, finding := l.cache.Find(r, l.now)
	if finding != reply.Good {
		request, err := r.HTTP(l.t.Context())
		if err != nil {
			l.t.Fatal(err)
		}
		stream := &spilled{header: http.Header{}}
		w := l.cache.Record(r, known, finding, stream)
		l.handler.ServeHTTP(w, request)
		if known = w.Finish(); known == nil {
			known = reply.Render(r, stream.status, stream.header, stream.Bytes())
		}
	}
	return string(known.AppendHTTP1(nil, nil, false)), finding
}

// spilled is what went to the stream.
type spilled struct {
	bytes.Buffer
	header http.Header
	status int
}

func (s *spilled) Header() http.Header    { return s.header }
func (s *spilled) WriteHeader(status int) { s.status = status }

func get(target string, pairs ...string) *reply.Request {
	r := &reply.Request{Host: []byte("example.com"), Target: []byte(target)}
	for i := 0; i < len(pairs); i += 2 {
		field := map[string]reply.Field{"Accept": reply.Accept, "Accept-Encoding": reply.AcceptEncoding, "If-None-Match": reply.IfNoneMatch,
			"If-Modified-Since": reply.IfModifiedSince, "Sec-Fetch-Mode": reply.SecFetchMode}[pairs[i]]
		r.Fields[field] = []byte(pairs[i+1])
	}
	return r
}

func TestMarks(t *testing.T) {
	o := compressing()
	o.Static, o.CleanURLs, o.Markdown = true, true, true
	o.List = func(w http.ResponseWriter, r *http.Request, dir, urlPath string) { io.WriteString(w, dir) }
	dir := folder(t, map[string]string{"a.txt": digits(3000), "small.txt": "small", "empty.txt": "", "b.css": digits(3000), "b.css.gz": "gz", "dir/index.html": "index",
		"page.html": "page", "page.md": "# page", "list/x": "", "long.bin": digits(70_000), "huge.txt": digits(3000)})
	if err := os.Truncate(dir+"/huge.txt", wholeSize+1); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"b.css.gz", "huge.txt", "page.md", "a.txt"} {
		settle(t, filepath.Join(dir, name))
	}
	h := serving(t, dir, tree.Options{}, o)
	tag := ask(h, "GET", "/a.txt").Header().Get("ETag")
	date := ask(h, "GET", "/a.txt").Header().Get("Last-Modified")
	l := newLane(t, h)
	for _, test := range []struct {
		r    *reply.Request
		begs string // of the status line, from the status on
		kept bool
	}{
		{get("/a.txt"), "200", true}, {get("/a.txt", "Accept-Encoding", "gzip"), "200", true}, {get("/a.txt", "Accept-Encoding", "br, gzip"), "200", true},
		{get("/small.txt"), "200", true}, {get("/empty.txt"), "200", true}, {get("/b.css", "Accept-Encoding", "gzip"), "200", true}, {get("/dir/"), "200", true},
		{get("/dir"), "308", true}, {get("/page.html"), "308", true}, {get("/page"), "200", true}, {get("/page", "Accept", "text/markdown"), "200", true},
		{get("/missing"), "404", true}, {get("/%00"), "404", true}, {get("/a.txt", "If-None-Match", tag), "304", true}, {get("/a.txt", "If-Modified-Since", date), "304", true},
		{get("/a.txt", "If-None-Match", "*"), "304", false}, {get("/list/"), "200", false}, {get("/long.bin"), "200", false}, {get("/huge.txt", "Accept-Encoding", "gzip"), "200", false},
	} {
		for _, head := range []bool{false, true} {
			test.r.Head = head
			first, _ := l.ask(test.r)
			if !strings.HasPrefix(first, "HTTP/1.1 "+test.begs) {
				t.Errorf("%s HEAD %t: %.20q", test.r.Target, head, first)
			}
			kept := test.kept || head && string(test.r.Target) == "/long.bin" || head && string(test.r.Target) == "/huge.txt"
			for i, want := range []reply.Finding{reply.Wanted, reply.Good, reply.Due, reply.Good} {
				if i == 2 {
					l.now += 10 * time.Second // a file alone is asked before that
				}
				again, finding := l.ask(test.r)
				if !kept {
					want = reply.Wanted
				}
				if finding != want {
					t.Errorf("%s %q HEAD %t: finding %d at try %d, want %d", test.r.Target, test.r.Fields, head, finding, i, want)
				}
				if again != first && string(test.r.Target) != "/huge.txt" { // which is encoded while it is sent
					t.Errorf("%s %q HEAD %t:\n%.300q\nand then\n%.300q", test.r.Target, test.r.Fields, head, first, again)
				}
			}
		}
	}
}

// A file that changes is told within a life, and one that has just changed is not kept.
func TestMarkedFileChanges(t *testing.T) {
	dir, h := site(t, map[string]string{"a.txt": "one"})
	name := filepath.Join(dir, "a.txt")
	settle(t, name)
	l := newLane(t, h)
	for _, content := range []string{"one", "two", "more than two"} {
		write(t, name, content)
		for range 3 {
			l.now += 10 * time.Second // a file alone is asked before that
			if got, finding := l.ask(get("/a.txt")); !strings.HasSuffix(got, "\r\n\r\n"+content) {
				t.Errorf("%d: %q, want %q", finding, got, content)
			}
		}
		settle(t, name)
		for range 3 {
			l.ask(get("/a.txt"))
		}
		if got, finding := l.ask(get("/a.txt")); finding != reply.Good || !strings.HasSuffix(got, "\r\n\r\n"+content) {
			t.Errorf("once settled: %d, %q", finding, got)
		}
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	l.now += 10 * time.Second // a file alone is asked before that
	if got, finding := l.ask(get("/a.txt")); finding != reply.Due || !strings.HasPrefix(got, "HTTP/1.1 404 ") {
		t.Errorf("once it is gone: %d, %.20q", finding, got)
	}
}

// What appears beside a file that was sent is sent in its place after one life, without which the chain is not asked for long.
func TestMarkedFolderChanges(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.txt"), strings.Repeat("as it is ", 100))
	settle(t, dir)
	l := newLane(t, serving(t, dir, tree.Options{}, Options{Static: true}))
	ask := func(want reply.Finding, encoded bool) {
		t.Helper()
		got, finding := l.ask(get("/a.txt", "Accept-Encoding", "gzip"))
		if finding != want || strings.Contains(got, "Content-Encoding: gzip") != encoded {
			t.Errorf("finding %d, want %d; encoded is to be %t: %.300q", finding, want, encoded, got)
		}
	}
	ask(reply.Unknown, false)
	ask(reply.Wanted, false)
	for range 5 {
		l.now += 3 * time.Second / 2
		ask(reply.Good, false)
	}
	write(t, filepath.Join(dir, "a.txt.gz"), "short")
	ask(reply.Good, false) // still in its life
	l.now += 3 * time.Second / 2
	ask(reply.Due, true)
}

func TestMarkedFallback(t *testing.T) {
	o := compressing()
	o.SPA = true
	dir, h := siteWith(t, o, map[string]string{"index.html": digits(3000)})
	settle(t, dir+"/index.html")
	l := newLane(t, h)
	for _, r := range []*reply.Request{get("/route", "Accept", "text/html"), get("/route", "Sec-Fetch-Mode", "navigate", "Accept-Encoding", "gzip"), get("/route", "Sec-Fetch-Mode", "cors")} {
		first, _ := l.ask(r)
		for i, want := range []reply.Finding{reply.Wanted, reply.Good, reply.Due, reply.Good} {
			if i == 2 {
				l.now += 10 * time.Second // a file alone is asked before that
			}
			if again, finding := l.ask(r); finding != want || again != first {
				t.Errorf("%q: %d, %.100q and then %.100q", r.Fields, finding, first, again)
			}
		}
	}
}

// What is known is not encoded again.
func TestKnownIsNotMadeAgain(t *testing.T) {
	o := compressing()
	dir, h := siteWith(t, o, map[string]string{"a.txt": digits(3000), "b.bin": "body"})
	settle(t, dir+"/a.txt")
	settle(t, dir+"/b.bin")
	l := newLane(t, h)
	for _, r := range []*reply.Request{get("/a.txt", "Accept-Encoding", "gzip"), get("/b.bin")} {
		for range 2 {
			l.ask(r)
		}
		before, _ := l.ask(r)
		busy := compressing() // which has encoded nothing yet, and will not
		busy.Encoders = NewEncoders(1)
		busy.Encoders.whole <- struct{}{}
		l.handler = serving(t, dir, tree.Options{}, busy)
		l.now += 10 * time.Second // a file alone is asked before that
		known, finding := l.cache.Find(r, l.now)
		if finding != reply.Due {
			t.Fatal(finding)
		}
		request, err := r.HTTP(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w := l.cache.Record(r, known, finding, &spilled{header: http.Header{}})
		l.handler.ServeHTTP(w, request)
		if w.Finish() != known {
			t.Errorf("%s: it is not the same", r.Target)
		}
		if after, _ := l.ask(r); after != before {
			t.Errorf("%q and then %q", before, after)
		}
	}
}

func TestSettled(t *testing.T) {
	now := time.Now()
	at := func(ago time.Duration, fraction bool) Identity {
		when := now.Add(-ago)
		id := Identity{}
		id.modified.Sec, id.changed.Sec = when.Unix(), when.Unix()
		if fraction {
			id.modified.Nsec, id.changed.Nsec = int64(when.Nanosecond()), int64(when.Nanosecond())
		}
		return id
	}
	for _, test := range []struct {
		id   Identity
		want bool
	}{
		{at(0, true), false}, {at(tick/2, true), false}, {at(2*tick, true), true}, {at(-time.Hour, true), false}, {at(time.Hour, true), true},
		{at(0, false), false}, {at(coarseTick/4, false), false}, {at(2*coarseTick, false), true},
	} {
		if got := test.id.settled(now); got != test.want {
			t.Errorf("%+v: %t", test.id, got)
		}
	}
	future := at(time.Hour, true)
	future.modified.Sec += 7200
	if !future.settled(now) {
		t.Error("a time of modification that was set to the future keeps a file from being settled")
	}
}
