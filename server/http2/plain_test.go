package http2

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/rouse-server/rouse/server/reply"
)

// What a kept reply may answer, and what of it is told.
func TestPlain(t *testing.T) {
	t.Parallel()
	var plain *reply.Request
	o := repeating(t, nil)
	kept := o.Repeat
	o.Scope = 7
	o.Repeat = func(r *reply.Request) *reply.Reply {
		plain = r
		return kept(r)
	}
	o.Answer = func(http.ResponseWriter, *http.Request, *reply.Request) {}
	r := newRig(t, o)
	ask := func(fields []hpack.HeaderField, ends bool) {
		t.Helper()
		plain = nil
		stream := r.open(fields, ends)
		if err := r.push(); err != nil {
			t.Fatal(err)
		}
		if o := r.await(stream); strings.HasPrefix(o.end, "nothing") {
			t.Fatalf("%v: %v", fields, o)
		}
	}
	all := []string{"accept", "1", "accept-encoding", "2", "if-modified-since", "3", "if-none-match", "4", "origin", "5", "sec-fetch-mode", "6",
		"user-agent", "7", "referer", "8", "forwarded", "9", "x-forwarded-for", "10", "x-real-ip", "", "cookie", "x", "cookie", "y", "te", "trailers"}
	ask(get("/a%20b?c=d", all...), true)
	if plain == nil {
		t.Fatal("a request with all fields is not plain")
	}
	got := fmt.Sprintf("%d %t %s %s %s %s %s %s %s %q", plain.Scope, plain.Head, plain.Host, plain.Target, plain.Fields, plain.UserAgent, plain.Referer,
		plain.Forwarded, plain.XForwardedFor, plain.XRealIP)
	if want := `7 false localhost /a%20b?c=d [1 2 3 4 5 6] 7 8 9 10 ""`; got != want || plain.XRealIP == nil {
		t.Errorf("it is %s, want %s", got, want)
	}
	ask(pairs(":method", "HEAD", ":scheme", "https", ":path", "/", "host", "[::1]:8080"), true)
	if plain == nil || !plain.Head || string(plain.Host) != "[::1]:8080" || plain.Fields[reply.Accept] != nil {
		t.Errorf("HEAD with host is %+v", plain)
	}
	for _, odd := range [][]string{
		{"range", "bytes=0-1"}, {"if-range", "x"}, {"if-match", "x"}, {"if-unmodified-since", "x"}, {"authorization", "x"}, {"expect", "x"},
		{"content-length", "0"}, {"trailer", "x"}, {"te", "gzip"}, {"te", "trailers", "te", "trailers"}, {"connection", "close"}, {"host", "localhost"}, {"upgrade", "h2c"},
		{"access-control-request-method", "GET"}, {"accept", "a", "accept", "b"}, {"user-agent", "a", "user-agent", "a"}, {"accept", " a"},
		{"accept", "a\t"}, {"referer", "ü"},
	} {
		if ask(get("/", odd...), true); plain != nil {
			t.Errorf("a request with %q is plain", odd)
		}
	}
	for _, path := range []string{"//x", "*", "/a b", "/%", "/%4", "/%zz", "/ä", "/a#b", "/\"", "/" + strings.Repeat("x", 4096)} {
		if ask(get(path), true); plain != nil {
			t.Errorf("%q is plain", path)
		}
	}
}
