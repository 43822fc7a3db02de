package reply

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// check compares the queue with the shards and the limits.
func check(t testing.TB, c *Cache) (entries int) {
	t.Helper()
	c.queue.Lock()
	defer c.queue.Unlock()
	var bytes int64
	var older *Reply
	for one := c.queue.oldest; one != nil; older, one = one, one.newer {
		if one.older != older || !one.queued {
			t.Fatalf("%s is linked wrong", one.target)
		}
		found := false
		for other := c.shards[one.key%shards].first[one.key]; other != nil; other = other.sibling {
			found = found || other == one
		}
		if !found {
			t.Fatalf("%s is in the queue alone", one.target)
		}
		bytes += one.size
		entries++
	}
	if older != c.queue.newest || bytes != c.queue.bytes || bytes > c.queue.most {
		t.Fatalf("%d bytes in the queue, which counts %d of %d", bytes, c.queue.bytes, c.queue.most)
	}
	inShards := 0
	for i := range c.shards {
		c.shards[i].RLock()
		for _, one := range c.shards[i].first {
			for ; one != nil; one = one.sibling {
				inShards++
			}
		}
		if n := len(c.shards[i].tasks); n > 0 {
			t.Errorf("%d tasks are left", n)
		}
		c.shards[i].RUnlock()
	}
	if inShards != entries {
		t.Fatalf("%d replies in the shards, %d in the queue", inShards, entries)
	}
	return entries
}

func TestFindsWhatWasKept(t *testing.T) {
	c := NewCache(limits())
	h := says("hello", "Content-Type", "text/plain")
	for i, want := range []Finding{Unknown, Wanted, Good, Good} {
		made, finding := ask(t, c, plain("/a"), 0, h)
		if finding != want || string(made.Body) != "hello" || made.Status != 200 || made.Host != "example.com" {
			t.Errorf("%d: %v %+v", i, finding, made)
		}
	}
	for name, r := range map[string]*Request{
		"target": plain("/b"), "query": plain("/a?"), "host": {Host: []byte("example.co"), Target: []byte("m/a")}, "port": {Host: []byte("example.com:80"), Target: []byte("/a")},
		"HEAD": {Head: true, Host: []byte("example.com"), Target: []byte("/a")}, "scope": {Scope: 2, Host: []byte("example.com"), Target: []byte("/a")},
	} {
		if found, finding := c.Find(r, 0); found != nil || finding != Unknown {
			t.Errorf("another %s finds it: %v", name, finding)
		}
	}
	if found := c.Peek(plain("/a"), 0); found == nil || string(found.Body) != "hello" {
		t.Errorf("Peek returns %v", found)
	}
	if found := c.Peek(plain("/b"), 0); found != nil {
		t.Errorf("Peek returns %v", found)
	}
	check(t, c)
}

func TestNothingKept(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"no mark":       func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "x") },
		"Set-Cookie":    says("x", "Set-Cookie", "a=b"),
		"private":       says("x", "Cache-Control", "max-age=1, Private"),
		"no-store":      says("x", "Cache-Control", "no-store"),
		"Vary":          says("x", "Vary", "accept-encoding, user-agent"),
		"Vary *":        says("x", "Vary", "*"),
		"Date":          says("x", "Date", "Thu, 01 Jan 2026 00:00:00 GMT"),
		"close":         says("x", "Connection", "close"),
		"long":          says(strings.Repeat("x", 70000), "Content-Length", "70000"),
		"status":        func(w http.ResponseWriter, r *http.Request) { Mark(w, nil); w.WriteHeader(500) },
		"flush":         func(w http.ResponseWriter, r *http.Request) { Mark(w, nil); w.(http.Flusher).Flush() },
		"early hints":   func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(103); Mark(w, nil); w.WriteHeader(200) },
		"forbidden":     func(w http.ResponseWriter, r *http.Request) { Mark(w, nil); w.WriteHeader(200); Forbid(w) },
		"forbidden 1st": func(w http.ResponseWriter, r *http.Request) { Forbid(w); Mark(w, nil); w.WriteHeader(200) },
		"declined":      func(w http.ResponseWriter, r *http.Request) { Decline(w); Mark(w, nil); w.WriteHeader(200) },
		"too late":      func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200); Mark(w, nil) },
		"too short":     func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Length", "2"); says("x")(w, r) },
	} {
		c := NewCache(limits())
		for range 4 {
			if _, finding := ask(t, c, plain("/"), 0, h); finding != Unknown && finding != Wanted {
				t.Errorf("%s: %v", name, finding)
			}
		}
		if n := check(t, c); n > 0 {
			t.Errorf("%s: %d are kept", name, n)
		}
	}
	c := NewCache(Limits{Life: time.Second, Body: 1000})
	for range 4 {
		if _, finding := ask(t, c, plain("/"), 0, says("x")); finding != Unknown {
			t.Errorf("without memory: %v", finding)
		}
	}
}

func TestVariants(t *testing.T) {
	c := NewCache(limits())
	h := func(w http.ResponseWriter, r *http.Request) {
		says("for "+r.Header.Get("Accept-Encoding")+r.Header.Get("Origin"), "Vary", "Origin , ACCEPT-encoding")(w, r)
	}
	requests := []*Request{plain("/"), plain("/", AcceptEncoding, ""), plain("/", AcceptEncoding, "gzip"), plain("/", Origin, "gzip"), plain("/", AcceptEncoding, "gz", Origin, "ip")}
	for _, r := range requests {
		keep(t, c, r, 0, h)
	}
	for _, r := range requests {
		r.Fields[Accept] = []byte("text/html") // nothing depends on it
		found, finding := c.Find(r, 0)
		if want := "for " + string(r.Fields[AcceptEncoding]) + string(r.Fields[Origin]); finding != Good || string(found.Body) != want {
			t.Errorf("%q: %v, %v", want, finding, found)
		}
	}
	if n := check(t, c); n != len(requests) {
		t.Errorf("%d are kept, want %d", n, len(requests))
	}
	for i := range 20 {
		keep(t, c, plain("/", AcceptEncoding, strconv.Itoa(i)), 0, h)
	}
	if n := check(t, c); n != mostVariants {
		t.Errorf("%d variants are kept", n)
	}
	if _, finding := c.Find(plain("/", AcceptEncoding, "19"), 0); finding != Good {
		t.Error("the newest has gone")
	}
	long := strings.Repeat("x", longestValue+1)
	for range 3 {
		if _, finding := ask(t, c, plain("/", AcceptEncoding, long), 0, h); finding == Good {
			t.Error("a variant with a long field is kept")
		}
	}
	keep(t, c, plain("/", AcceptEncoding, long[1:]), 0, h)
}

func TestConditions(t *testing.T) {
	const tag, date, other = `"tag"`, "Thu, 01 Jan 2026 00:00:00 GMT", "Fri, 02 Jan 2026 00:00:00 GMT"
	h := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", tag)
		w.Header().Set("Last-Modified", date)
		Mark(w, nil)
		if strings.Contains(r.Header.Get("If-None-Match"), tag) || r.Header.Get("If-Modified-Since") >= date {
			w.WriteHeader(304)
			return
		}
		io.WriteString(w, "body")
	}
	for _, test := range []struct {
		r      *Request
		status int
		kept   bool
	}{
		{plain("/"), 200, true}, {plain("/", IfNoneMatch, tag), 304, true}, {plain("/", IfNoneMatch, "W/"+tag), 304, false}, {plain("/", IfNoneMatch, `"x", `+tag), 304, false},
		{plain("/", IfNoneMatch, `"x"`), 200, false}, {plain("/", IfNoneMatch, ""), 200, true}, {plain("/", IfModifiedSince, date), 304, true},
		{plain("/", IfModifiedSince, "x"), 304, false}, {plain("/", IfModifiedSince, ""), 200, false}, {plain("/", IfNoneMatch, tag, IfModifiedSince, other), 304, true},
		{plain("/", IfNoneMatch, `"x"`, IfModifiedSince, date), 200, false},
	} {
		c := NewCache(limits())
		keep(t, c, plain("/"), 0, h) // which no conditional request may find
		for range 2 {
			if made, finding := ask(t, c, test.r, 0, h); made.Status != test.status || finding == Good && test.r.condition() != 0 {
				t.Errorf("%q: %d, %v", test.r.Fields, made.Status, finding)
			}
		}
		found, finding := c.Find(test.r, 0)
		if (finding == Good) != test.kept || found != nil && found.Status != test.status {
			t.Errorf("%q: %v, %v", test.r.Fields, finding, found)
		}
		if finding == Wanted {
			c.Record(test.r, nil, Wanted, newStream()).Abandon()
		}
		if found, finding := c.Find(plain("/"), 0); finding != Good || found.Status != 200 {
			t.Errorf("%q: then without condition: %v", test.r.Fields, finding)
		}
		check(t, c)
	}
}
