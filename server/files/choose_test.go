package files

import (
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rouse-server/rouse/server/tree"
)

func TestPrecompressed(t *testing.T) {
	o := usual()
	o.Static = true
	_, h := siteWith(t, o, map[string]string{
		"a.css": "original", "a.css.br": "brotli", "b.css": "original", "b.css.zst": "zstandard", "b.css.gz": "gzipped", "tiny.js": "x", "tiny.js.br": "larger than x",
		"only.html.gz": "gzipped", "index.html": "original", "index.html.gz": "gzipped", "404.html": "original", "404.html.br": "brotli", "odd.css": "original", "odd.css.br/": "",
		"a.png": "original", "a.png.br": "brotli",
	})
	for _, test := range []struct{ target, accept, coding, body string }{
		{"/a.css", "br", "br", "brotli"}, {"/a.css", "deflate, br", "br", "brotli"}, {"/a.css", "gzip", "", "original"}, {"/a.css", "br;q=0", "", "original"}, {"/a.css", "", "", "original"},
		{"/b.css", "gzip, br, zstd", "zstd", "zstandard"}, {"/b.css", "zstd;q=0.5, gzip", "gzip", "gzipped"}, {"/b.css", "deflate", "", "original"}, {"/b.css", "*", "zstd", "zstandard"},
		{"/tiny.js", "br", "br", "larger than x"}, {"/", "gzip", "gzip", "gzipped"}, {"/404", "br", "br", "brotli"}, {"/odd.css", "br", "", "original"}, {"/a.png", "br", "br", "brotli"},
	} {
		original := ask(h, "GET", test.target)
		for _, method := range []string{"GET", "HEAD"} {
			w := ask(h, method, test.target, "Accept-Encoding", test.accept)
			body := test.body
			if method == "HEAD" {
				body = ""
			}
			if w.Code != 200 || w.Body.String() != body {
				t.Errorf("%s %s %s: %d %q", method, test.target, test.accept, w.Code, w.Body)
			}
			wantHeader(t, w, "Content-Encoding", test.coding, "Content-Length", strconv.Itoa(len(test.body)), "Vary", "accept-encoding",
				"Content-Type", original.Header().Get("Content-Type"), "Accept-Ranges", "bytes")
			if tag := w.Header().Get("ETag"); tag == "" || (tag == original.Header().Get("ETag")) != (test.coding == "") {
				t.Errorf("%s %s: the tag is %s", test.target, test.accept, tag)
			}
		}
	}
	if w := ask(h, "GET", "/only.html", "Accept-Encoding", "gzip"); w.Code != 404 {
		t.Errorf("without original: %d", w.Code)
	}
}

func TestPrecompressedConditions(t *testing.T) {
	o := usual()
	o.Static = true
	_, h := siteWith(t, o, map[string]string{"a.css": "original", "a.css.br": "0123456789"})
	plain, br := ask(h, "GET", "/a.css").Header().Get("ETag"), ask(h, "GET", "/a.css", "Accept-Encoding", "br").Header().Get("ETag")
	for _, seen := range []string{plain, br} {
		w := ask(h, "GET", "/a.css", "Accept-Encoding", "br", "If-None-Match", seen)
		if w.Code != 304 {
			t.Errorf("%s: %d", seen, w.Code)
		}
		wantHeader(t, w, "ETag", seen, "Vary", "accept-encoding")
	}
	w := ask(h, "GET", "/a.css", "Accept-Encoding", "br", "Range", "bytes=2-4")
	if w.Code != 206 || w.Body.String() != "234" {
		t.Errorf("a range: %d %q", w.Code, w.Body)
	}
	wantHeader(t, w, "Content-Encoding", "br", "Content-Range", "bytes 2-4/10", "Content-Length", "3", "ETag", br)
	if w := ask(h, "GET", "/a.css", "Accept-Encoding", "br", "Range", "bytes=2-4", "If-Range", plain); w.Code != 200 || w.Body.Len() != 10 {
		t.Errorf("a range of another representation: %d %q", w.Code, w.Body)
	}
	w = ask(h, "GET", "/a.css", "Accept-Encoding", "br", "Range", "bytes=50-")
	if w.Code != 416 {
		t.Errorf("beyond the end: %d", w.Code)
	}
	wantHeader(t, w, "Content-Range", "bytes */10", "Content-Encoding", "")
}

// A precompressed file is under the rules for all others.
func TestPrecompressedLink(t *testing.T) {
	o := usual()
	o.Static = true
	dir := folder(t, map[string]string{"a.css": "original"})
	write(t, filepath.Join(filepath.Dir(dir), "secret"), "SECRET")
	symlink(t, "../secret", dir+"/a.css.br")
	for _, rules := range []tree.Options{{}, {Follow: true}} {
		w := ask(serving(t, dir, rules, o), "GET", "/a.css", "Accept-Encoding", "br")
		if w.Code != 200 || w.Body.String() != "original" {
			t.Errorf("%+v: %d %q", rules, w.Code, w.Body)
		}
	}
}

// Without a sibling the file is compressed on the fly.
func TestPrecompressedOrOnTheFly(t *testing.T) {
	o := compressing()
	o.Static = true
	_, h := siteWith(t, o, map[string]string{"a.css": digits(1000), "a.css.gz": "gzipped", "b.css": digits(1000)})
	if w := ask(h, "GET", "/a.css", "Accept-Encoding", "br, gzip"); w.Body.String() != "gzipped" {
		t.Errorf("the sibling is not taken: %v", w.Header())
	}
	wantHeader(t, ask(h, "GET", "/b.css", "Accept-Encoding", "br, gzip"), "Content-Encoding", "br")
}
