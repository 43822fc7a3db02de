package files

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rouse-server/rouse/server/cache"
)

func TestMemory(t *testing.T) {
	o := usual()
	o.Memory, o.Small = cache.New[Identity](cache.Limits{Bytes: 1 << 20}), 20_000
	dir, h := siteWith(t, o, map[string]string{"a.css": digits(20_000), "large.css": digits(20_001)})
	fresh := ask(h, "GET", "/a.css")
	wantHeader(t, fresh, "X-Cache", "")
	for _, test := range []struct {
		fields []string
		status int
		body   string
	}{
		{nil, 200, digits(20_000)}, {[]string{"Range", "bytes=5-14"}, 206, "5678901234"}, {[]string{"Range", "bytes=-5"}, 206, "56789"},
		{[]string{"If-None-Match", fresh.Header().Get("ETag")}, 304, ""}, {[]string{"Range", "bytes=90000-"}, 416, ""},
	} {
		w := ask(h, "GET", "/a.css", test.fields...)
		if w.Code != test.status || w.Body.String() != test.body {
			t.Errorf("%v: %d with %d bytes", test.fields, w.Code, w.Body.Len())
		}
		wantHeader(t, w, "X-Cache", "HIT")
	}
	hit := ask(h, "GET", "/a.css")
	for name := range fresh.Header() {
		wantHeader(t, hit, name, fresh.Header().Get(name))
	}
	parts := ask(h, "GET", "/a.css", "Range", "bytes=0-0,19999-")
	if parts.Code != 206 || parts.Body.Len() < 100 {
		t.Errorf("parts: %d %q", parts.Code, parts.Body)
	}
	for range 2 {
		wantHeader(t, ask(h, "GET", "/large.css"), "X-Cache", "", "Content-Length", "20001")
	}
	write(t, filepath.Join(dir, "a.css"), "changed")
	if w := ask(h, "GET", "/a.css"); w.Body.String() != "changed" || w.Header().Get("X-Cache") != "" {
		t.Errorf("a changed file: %q, %v", w.Body, w.Header())
	}
	if err := os.Remove(filepath.Join(dir, "a.css")); err != nil {
		t.Fatal(err)
	}
	if w := ask(h, "GET", "/a.css"); w.Code != 404 {
		t.Errorf("a removed file: %d", w.Code)
	}
}

func TestReprDigest(t *testing.T) {
	o := compressing()
	o.Digest, o.Static = true, true
	_, h := siteWith(t, o, map[string]string{"a.css": digits(1000), "b.css": "x", "b.css.br": "brotli"})
	digest := func(body []byte) string { return reprDigest(sha256.Sum256(body)) }
	whole := digest([]byte(digits(1000)))
	wantHeader(t, ask(h, "GET", "/a.css"), "Repr-Digest", whole)
	wantHeader(t, ask(h, "HEAD", "/a.css"), "Repr-Digest", whole)
	wantHeader(t, ask(h, "GET", "/a.css", "Range", "bytes=0-4"), "Repr-Digest", whole)
	for range 2 {
		w := ask(h, "GET", "/a.css", "Accept-Encoding", "gzip")
		wantHeader(t, w, "Repr-Digest", digest(w.Body.Bytes()), "Content-Encoding", "gzip")
	}
	wantHeader(t, ask(h, "GET", "/b.css", "Accept-Encoding", "br"), "Repr-Digest", digest([]byte("brotli")))
	for _, fields := range [][]string{{"If-None-Match", "*"}, {"If-Match", `"x"`}, {"Range", "bytes=5000-"}} {
		wantHeader(t, ask(h, "GET", "/a.css", fields...), "Repr-Digest", "")
	}
	wantHeader(t, ask(h, "GET", "/missing"), "Repr-Digest", "")
	if got := reprDigest(sha256.Sum256([]byte(`{"hello": "world"}` + "\n"))); got != "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:" { // RFC 9530 Appendix B.1
		t.Error(fmt.Sprint("the RFC's example is ", got))
	}
}
