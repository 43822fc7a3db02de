package files

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/rouse-server/rouse/server/cache"
	"github.com/rouse-server/rouse/server/compress"
)

// compressing are options as a server has them that compresses on the fly.
func compressing() Options {
	o := usual()
	o.Codings = compress.Codings()
	o.Cache = cache.New[Variant](cache.Limits{Bytes: 64 << 20})
	return o
}

// decode undoes a coding with another implementation than that which made it, where there is one.
func decode(t testing.TB, coding string, body []byte) string {
	t.Helper()
	var r io.Reader = bytes.NewReader(body)
	var err error
	switch coding {
	case "zstd":
		r, err = zstd.NewReader(r)
	case "br":
		r = brotli.NewReader(r)
	case "gzip":
		r, err = gzip.NewReader(r)
	case "deflate":
		r, err = zlib.NewReader(r)
	}
	if err != nil {
		t.Fatal(coding, err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(coding, err)
	}
	return string(plain)
}

func TestOnTheFly(t *testing.T) {
	text := strings.Repeat("hello, world. ", 100)
	_, h := siteWith(t, compressing(), map[string]string{"a.txt": text, "199.txt": digits(199), "200.txt": digits(200), "a.png": text, "a.woff2": text, "a.svg": text, "index.html": text})
	for _, test := range []struct{ target, accept, want string }{
		{"/a.txt", "identity, gzip", "gzip"}, {"/a.txt", "deflate", "deflate"}, {"/a.txt", "br", "br"}, {"/a.txt", "zstd", "zstd"},
		{"/a.txt", "gzip, br, zstd, deflate", "zstd"}, {"/a.txt", "gzip;q=1, br;q=0.5", "gzip"}, {"/a.txt", "gzip;q=0", ""}, {"/a.txt", "*", "zstd"},
		{"/a.txt", "identity;q=0, br", "br"}, {"/a.txt", "x-unknown", ""}, {"/a.txt", "", ""}, {"/199.txt", "gzip", ""}, {"/200.txt", "gzip", "gzip"},
		{"/a.png", "gzip", ""}, {"/a.woff2", "gzip", ""}, {"/a.svg", "gzip", "gzip"}, {"/", "gzip", "gzip"},
	} {
		for range 2 { // made, and kept
			w := ask(h, "GET", test.target, "Accept-Encoding", test.accept)
			wantHeader(t, w, "Content-Encoding", test.want, "Content-Length", strconv.Itoa(w.Body.Len()))
			if plain := decode(t, test.want, w.Body.Bytes()); w.Code != 200 || plain != text && len(plain) > 200 {
				t.Errorf("%s %s: %d with %d bytes", test.target, test.accept, w.Code, len(plain))
			}
			vary := "accept-encoding"
			if test.target == "/a.png" || test.target == "/a.woff2" {
				vary = ""
			}
			wantHeader(t, w, "Vary", vary)
		}
	}
	head := ask(h, "HEAD", "/a.txt", "Accept-Encoding", "gzip")
	wantHeader(t, head, "Content-Encoding", "", "Vary", "accept-encoding", "Content-Length", strconv.Itoa(len(text)))
	part := ask(h, "GET", "/a.txt", "Accept-Encoding", "gzip", "Range", "bytes=0-4")
	wantHeader(t, part, "Content-Encoding", "", "Content-Range", "bytes 0-4/1400", "Vary", "accept-encoding", "ETag", head.Header().Get("ETag"))
	if part.Code != 206 || part.Body.String() != "hello" {
		t.Errorf("a range: %d %q", part.Code, part.Body)
	}
}

// Each representation has its own tag, and each tag revalidates.
func TestTagsOfRepresentations(t *testing.T) {
	_, h := siteWith(t, compressing(), map[string]string{"a.txt": digits(1000)})
	tag := func(accept string) string {
		return ask(h, "GET", "/a.txt", "Accept-Encoding", accept).Header().Get("ETag")
	}
	plain, gz, br := tag(""), tag("gzip"), tag("br")
	if gz != strings.TrimSuffix(plain, `"`)+`-gzip"` || br != strings.TrimSuffix(plain, `"`)+`-br"` {
		t.Errorf("tags are %s, %s, %s", plain, gz, br)
	}
	for _, test := range []struct {
		accept, seen string
		want         int
		tag          string
	}{
		{"gzip", gz, 304, gz}, {"gzip", plain, 304, plain}, {"gzip, br", gz, 304, gz}, {"gzip, br", `"x", ` + br, 304, br}, {"", plain, 304, plain},
		{"gzip", "*", 304, gz}, {"gzip", "W/" + gz, 304, gz},
		{"", gz, 200, plain}, {"br", gz, 200, br}, {"gzip", `"x"`, 200, gz},
	} {
		w := ask(h, "GET", "/a.txt", "Accept-Encoding", test.accept, "If-None-Match", test.seen)
		if w.Code != test.want {
			t.Errorf("%+v: %d", test, w.Code)
		}
		wantHeader(t, w, "ETag", test.tag, "Vary", "accept-encoding")
		if test.want == 304 {
			wantHeader(t, w, "Content-Encoding", "", "Content-Length", "", "Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT")
		}
	}
	if w := ask(h, "HEAD", "/a.txt", "Accept-Encoding", "gzip", "If-None-Match", gz); w.Code != 304 {
		t.Errorf("HEAD: %d", w.Code)
	}
	w := ask(h, "GET", "/a.txt", "Accept-Encoding", "gzip", "If-Match", `"x"`)
	if w.Code != 412 || w.Body.Len() > 0 {
		t.Errorf("If-Match: %d %q", w.Code, w.Body)
	}
	wantHeader(t, w, "Content-Encoding", "", "Content-Length", "0")
}

// A file is compressed once, and again when it has changed.
func TestCompressedOnce(t *testing.T) {
	o := compressing()
	o.Memory = cache.New[Identity](cache.Limits{Bytes: 1 << 20}) // so that X-Cache tells
	dir, h := siteWith(t, o, map[string]string{"a.txt": digits(1000)})
	for i, want := range []string{"", "HIT", "HIT"} {
		w := ask(h, "GET", "/a.txt", "Accept-Encoding", "gzip")
		wantHeader(t, w, "X-Cache", want)
		if decode(t, "gzip", w.Body.Bytes()) != digits(1000) {
			t.Errorf("wrong bytes the %d. time", i)
		}
	}
	write(t, filepath.Join(dir, "a.txt"), strings.Repeat("x", 1000))
	w := ask(h, "GET", "/a.txt", "Accept-Encoding", "gzip")
	wantHeader(t, w, "X-Cache", "")
	if decode(t, "gzip", w.Body.Bytes()) != strings.Repeat("x", 1000) {
		t.Error("what was compressed before is served for a changed file")
	}
}

// What is too large to be kept is compressed while it is sent, without a length.
func TestLargeIsStreamed(t *testing.T) {
	o := compressing()
	o.Digest = true
	noise := make([]byte, wholeSize/2+1)
	rand.NewChaCha8([32]byte{}).Read(noise)
	text := hex.EncodeToString(noise)
	_, h := siteWith(t, o, map[string]string{"a.txt": text})
	server := httptest.NewServer(h)
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/a.txt", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept-Encoding", "zstd")
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.ContentLength != -1 || response.Header.Get("Content-Encoding") != "zstd" || response.Header.Get("Repr-Digest") != "" {
		t.Errorf("length %d, %v, %v", response.ContentLength, response.Header, err)
	}
	if decode(t, "zstd", body) != text {
		t.Error("wrong bytes")
	}
	if w := ask(h, "GET", "/a.txt", "Accept-Encoding", "zstd", "If-None-Match", response.Header.Get("ETag")); w.Code != 304 {
		t.Errorf("revalidated: %d", w.Code)
	}
}

// A file that is cut while it is compressed and sent must not look like a whole one.
func TestStreamedFileIsCut(t *testing.T) {
	dir, h := siteWith(t, compressing(), nil)
	file := sparse(t, filepath.Join(dir, "a.txt"), 1<<30)
	server := httptest.NewServer(h)
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/a.txt", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept-Encoding", "deflate")
	client := server.Client()
	client.Timeout = 20 * time.Second
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := file.Truncate(1); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, response.Body); err == nil || os.IsTimeout(err) {
		t.Errorf("the reply ends with %v", err)
	}
}

func TestNoTags(t *testing.T) {
	o := compressing()
	o.Tag = None
	_, h := siteWith(t, o, map[string]string{"a.txt": digits(1000)})
	for _, accept := range []string{"", "gzip"} {
		wantHeader(t, ask(h, "GET", "/a.txt", "Accept-Encoding", accept), "ETag", "", "Content-Encoding", accept, "Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT")
	}
}

// Content tags are the same wherever a file lies, whenever it was written.
func TestContentTags(t *testing.T) {
	o := usual()
	o.Tag = Content
	_, one := siteWith(t, o, map[string]string{"a.txt": "content", "b.txt": "other"})
	dir, two := siteWith(t, o, map[string]string{"a.txt": "content"})
	if err := os.Chtimes(filepath.Join(dir, "a.txt"), time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	tag := ask(one, "GET", "/a.txt").Header().Get("ETag")
	if len(tag) != 24 || ask(two, "GET", "/a.txt").Header().Get("ETag") != tag || ask(one, "GET", "/b.txt").Header().Get("ETag") == tag {
		t.Errorf("the tag is %s", tag)
	}
	if w := ask(one, "GET", "/a.txt", "If-None-Match", tag); w.Code != 304 {
		t.Errorf("revalidated: %d", w.Code)
	}
}

func BenchmarkCompressed(b *testing.B) {
	_, h := siteWith(b, compressing(), map[string]string{"a.txt": digits(4096)})
	for _, coding := range []string{"gzip", "zstd"} {
		r := httptest.NewRequest("GET", "/a.txt", nil)
		r.Header.Set("Accept-Encoding", coding)
		b.Run(coding, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(discard{http.Header{}}, r)
			}
		})
	}
}
