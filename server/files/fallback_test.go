package files

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestFallback(t *testing.T) {
	o := compressing()
	page := filepath.Join(t.TempDir(), "fallback.html")
	o.Fallback = page
	_, h := siteWith(t, o, map[string]string{"a.txt": "x", "empty/": ""})
	if w := ask(h, "GET", "/missing"); w.Code != 404 {
		t.Errorf("without the page: %d", w.Code)
	}
	write(t, page, "\n <p>fallback</p> \n")
	for _, target := range []string{"/missing", "/missing.js", "/empty/", "/.hidden", "/a.txt/"} {
		w := ask(h, "GET", target, "If-None-Match", "*", "Range", "bytes=0-1")
		if w.Code != 200 || w.Body.String() != "<p>fallback</p>" {
			t.Errorf("%s: %d %q", target, w.Code, w.Body)
		}
		wantHeader(t, w, "Content-Type", "text/html; charset=utf-8", "Cache-Control", "no-cache", "ETag", "", "Last-Modified", "", "Content-Length", "15")
	}
	for _, method := range []string{"HEAD", "OPTIONS"} {
		if w := ask(h, method, "/missing"); w.Code != 404 {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
	if w := ask(h, "GET", "/a.txt"); w.Body.String() != "x" {
		t.Errorf("a file: %q", w.Body)
	}
	write(t, page, strings.Repeat("changed", 100)+"\n")
	w := ask(h, "GET", "/missing", "Accept-Encoding", "gzip")
	wantHeader(t, w, "Content-Encoding", "gzip", "Vary", "accept-encoding")
	if w.Code != 200 || decode(t, "gzip", w.Body.Bytes()) != strings.Repeat("changed", 100) {
		t.Errorf("a changed page: %d %q", w.Code, w.Body)
	}
}

func TestSinglePage(t *testing.T) {
	o := usual()
	o.SPA = true
	_, h := siteWith(t, o, map[string]string{"index.html": "app\n", "a.txt": "x"})
	for _, test := range []struct {
		target, accept, mode string
		want                 int
	}{
		{"/route", "text/html,application/xhtml+xml,*/*;q=0.8", "", 200}, {"/route", "", "navigate", 200}, {"/route.html", "text/html", "navigate", 200}, {"/deep/route/", "Text/HTML;q=0.9", "", 200},
		{"/route", "*/*", "", 404}, {"/route", "", "", 404}, {"/route", "text/html", "cors", 404}, {"/route", "text/html", "no-cors", 404},
		{"/app.js", "text/html", "navigate", 404}, {"/deep.d/app.css", "*/*", "", 404}, {"/v1.0/route", "text/html", "", 200}, {"/v1.0", "text/html", "", 404},
	} {
		fields := []string{"Accept", test.accept}
		if test.mode != "" {
			fields = append(fields, "Sec-Fetch-Mode", test.mode)
		}
		w := ask(h, "GET", test.target, fields...)
		if w.Code != test.want || test.want == 200 && w.Body.String() != "app" {
			t.Errorf("%+v: %d %q", test, w.Code, w.Body)
		}
		wantHeader(t, w, "Vary", "accept, sec-fetch-mode")
	}
}

func TestSinglePageWithoutIndex(t *testing.T) {
	o := usual()
	o.SPA = true
	_, h := siteWith(t, o, nil)
	if w := ask(h, "GET", "/", "Accept", "text/html"); w.Code != 404 {
		t.Errorf("status is %d", w.Code)
	}
}
