package files

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rouse-server/rouse/server/tree"
)

// site makes files below a new folder and returns the folder and a handler that serves it.
// A name that ends in a slash is a folder. Files were last modified on 2 January 2026.
func site(t testing.TB, names map[string]string) (string, http.Handler) {
	t.Helper()
	dir := folder(t, names)
	return dir, serving(t, dir, tree.Options{}, usual())
}

// usual are the options that a server has when none are given.
func usual() Options {
	return Options{IndexFiles: []string{"index.html", "index.htm"}, SlashRedirect: true, Charset: true}
}

// siteWith is a site that is served with other options.
func siteWith(t testing.TB, o Options, names map[string]string) (string, http.Handler) {
	t.Helper()
	dir := folder(t, names)
	return dir, serving(t, dir, tree.Options{}, o)
}

func folder(t testing.TB, names map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "site")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range names {
		write(t, dir+"/"+name, content)
	}
	return dir
}

func serving(t testing.TB, dir string, rules tree.Options, o Options) http.Handler {
	t.Helper()
	root, err := tree.Open(dir, rules)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return New(root, o)
}

func modified() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC) }

func write(t testing.TB, name, content string) {
	t.Helper()
	if name[len(name)-1] == '/' {
		if err := os.MkdirAll(name, 0o755); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, modified(), modified()); err != nil {
		t.Fatal(err)
	}
}

// ask sends one request to the handler; fields are names and values in turn.
func ask(h http.Handler, method, target string, fields ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// wantHeader checks fields, names and values in turn; an empty value is for one that must not be there.
func wantHeader(t *testing.T, w *httptest.ResponseRecorder, fields ...string) {
	t.Helper()
	for i := 0; i < len(fields); i += 2 {
		if got := w.Header().Get(fields[i]); got != fields[i+1] {
			t.Errorf("%s is %q, want %q", fields[i], got, fields[i+1])
		}
	}
}

func TestGetAndHead(t *testing.T) {
	_, h := site(t, map[string]string{"a.txt": "hello", "empty.css": "", "what.ever": "\x00\x01", "notype": "x"})
	for _, test := range []struct{ target, body, contentType string }{
		{"/a.txt", "hello", "text/plain; charset=utf-8"},
		{"/a.txt?query", "hello", "text/plain; charset=utf-8"},
		{"/empty.css", "", "text/css"},
		{"/what.ever", "\x00\x01", "application/octet-stream"},
		{"/notype", "x", "application/octet-stream"},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			w := ask(h, method, test.target)
			body := test.body
			if method == "HEAD" {
				body = ""
			}
			if w.Code != 200 || w.Body.String() != body {
				t.Errorf("%s %s: %d %q", method, test.target, w.Code, w.Body)
			}
			wantHeader(t, w, "Content-Type", test.contentType, "Content-Length", strconv.Itoa(len(test.body)),
				"Accept-Ranges", "bytes", "Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT")
			if len(w.Header().Get("ETag")) != 24 || w.Header().Get("ETag")[0] != '"' {
				t.Errorf("ETag is %s", w.Header().Get("ETag"))
			}
		}
	}
}

func TestMethods(t *testing.T) {
	_, h := site(t, map[string]string{"a.txt": "hello", "empty/": "", "full/index.html": "x"})
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "get"} {
		for _, target := range []string{"/a.txt", "/missing"} {
			r := httptest.NewRequest("GET", target, nil)
			r.Method = method
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != 405 {
				t.Errorf("%s %s: %d", method, target, w.Code)
			}
			wantHeader(t, w, "Allow", "GET, HEAD, OPTIONS", "Content-Type", "text/html; charset=utf-8")
		}
	}
	for target, want := range map[string]int{
		"/a.txt": 204, "/full/": 204, "/full": 204, "*": 204,
		"/missing": 404, "/empty/": 404, "/a.txt/": 404, "/.hidden": 404,
	} {
		w := ask(h, "OPTIONS", target)
		if w.Code != want {
			t.Errorf("OPTIONS %s: %d, want %d", target, w.Code, want)
		}
		if want == 204 {
			wantHeader(t, w, "Allow", "GET, HEAD, OPTIONS", "Accept-Ranges", "bytes", "Content-Type", "", "ETag", "")
			if w.Body.Len() > 0 {
				t.Errorf("OPTIONS %s has a body", target)
			}
		}
	}
}

func TestDirectories(t *testing.T) {
	_, h := site(t, map[string]string{
		"index.html": "root", "one/index.html": "html", "one/index.htm": "htm", "two/index.htm": "htm",
		"three/index.html/": "", "three/index.htm": "after a folder", "none/": "", "a.txt": "x", "a b%?#ü/index.html": "odd",
	})
	for target, body := range map[string]string{
		"/": "root", "//": "root", "/./": "root", "/one/": "html", "/two/": "htm", "/three/": "after a folder",
		"/one/.": "html", "/one/x/..": "html", "/one//": "html", "/a%20b%25%3F%23%C3%BC/": "odd",
	} {
		w := ask(h, "GET", target)
		if w.Code != 200 || w.Body.String() != body {
			t.Errorf("GET %s: %d %q, want %q", target, w.Code, w.Body, body)
		}
		wantHeader(t, w, "Content-Type", "text/html; charset=utf-8")
	}
	for _, target := range []string{"/none/", "/a.txt/", "/a.txt/.", "/missing/", "/one/index.html/"} {
		if w := ask(h, "GET", target); w.Code != 404 {
			t.Errorf("GET %s: %d, want 404", target, w.Code)
		}
	}
	for target, location := range map[string]string{
		"/one": "/one/", "/one?a=b&c=%2F": "/one/?a=b&c=%2F", "//one": "/one/", "///one?": "/one/", "/x/../none": "/none/",
		"/three/index.html": "/three/index.html/", "/a%20b%25%3F%23%C3%BC": "/a%20b%25%3F%23%C3%BC/", "/%6Fne": "/one/",
		"/%2Fone": "/one/",
	} {
		for _, method := range []string{"GET", "HEAD"} {
			w := ask(h, method, target)
			if w.Code != 308 || w.Body.Len() > 0 {
				t.Errorf("%s %s: %d %q", method, target, w.Code, w.Body)
			}
			wantHeader(t, w, "Location", location)
		}
	}
}

func TestNoIndexFiles(t *testing.T) {
	_, h := siteWith(t, Options{}, map[string]string{"index.html": "x"})
	if w := ask(h, "GET", "/"); w.Code != 404 {
		t.Errorf("status is %d", w.Code)
	}
}

// discard is a connection that costs nothing.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

func BenchmarkFiles(b *testing.B) {
	_, h := site(b, map[string]string{"assets/small.css": string(make([]byte, 1024)), "index.html": "x"})
	w := ask(h, "GET", "/assets/small.css")
	for name, r := range map[string]*http.Request{
		"1KiB":        httptest.NewRequest("GET", "/assets/small.css", nil),
		"index":       httptest.NewRequest("GET", "/", nil),
		"missing":     httptest.NewRequest("GET", "/assets/missing.css", nil),
		"notModified": httptest.NewRequest("GET", "/assets/small.css", nil),
	} {
		if name == "notModified" {
			r.Header.Set("If-None-Match", w.Header().Get("ETag"))
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(discard{http.Header{}}, r)
			}
		})
	}
}
