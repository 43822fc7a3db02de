package errorpage

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func put(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func ask(p *Pages, method string, status int) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	p.Write(w, httptest.NewRequest(method, "/", nil), status)
	return w
}

func open(t *testing.T, o PageOptions) *Pages {
	t.Helper()
	p, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPages(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "404.html"), "not here")
	put(t, filepath.Join(dir, ".50x.html"), "trouble")
	p := open(t, PageOptions{Root: dir, NotFound: "./404.html", ServerError: filepath.Join(dir, ".50x.html"), Charset: true})
	for status, want := range map[int]string{404: "not here", 500: "trouble", 503: "trouble", 504: "trouble", 403: "", 405: "", 505: "", 400: ""} {
		for _, method := range []string{"GET", "HEAD", "POST"} {
			w := ask(p, method, status)
			body := want
			if want == "" {
				body = generic(status)
			}
			if w.Code != status || w.Header().Get("Content-Length") != strconv.Itoa(len(body)) {
				t.Errorf("%s %d: %d %v", method, status, w.Code, w.Header())
			}
			if method == "HEAD" {
				body = ""
			}
			if w.Body.String() != body {
				t.Errorf("%s %d: %q", method, status, w.Body)
			}
			if w.Header().Get("Content-Type") != "text/html; charset=utf-8" || w.Header().Get("Cache-Control") != "no-cache" {
				t.Errorf("%s %d: %v", method, status, w.Header())
			}
		}
	}
	if got := ask(open(t, PageOptions{Root: dir, NotFound: "404.html"}), "GET", 404).Header().Get("Content-Type"); got != "text/html" {
		t.Errorf("without charset: %q", got)
	}
}

func TestNoPages(t *testing.T) {
	for _, p := range []*Pages{nil, open(t, PageOptions{}), open(t, PageOptions{Root: t.TempDir(), NotFound: "404.html", ServerError: "/nowhere/50x.html"})} {
		for _, status := range []int{404, 500} {
			if w := ask(p, "GET", status); w.Code != status || w.Body.String() != generic(status) {
				t.Errorf("%d: %q", w.Code, w.Body)
			}
		}
	}
}

func TestPageChanges(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "404.html")
	p := open(t, PageOptions{Root: dir, NotFound: "404.html"})
	for _, content := range []string{"one", "two", "three"} {
		put(t, name, content)
		if got := ask(p, "GET", 404).Body.String(); got != content {
			t.Errorf("%q, want %q", got, content)
		}
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if got := ask(p, "GET", 404).Body.String(); got != generic(404) {
		t.Errorf("once it is gone: %q", got)
	}
}

func TestPageIsNoFile(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(dir, "secret"), "SECRET")
	root := filepath.Join(dir, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../secret", filepath.Join(root, "404.html")); err != nil {
		t.Fatal(err)
	}
	for _, o := range []PageOptions{{Root: dir, NotFound: "."}, {Root: dir, ServerError: "fifo"}, {Root: root, NotFound: "404.html"}} {
		if p, err := Open(o); err == nil || !strings.Contains(err.Error(), o.NotFound+o.ServerError) {
			t.Errorf("%+v: %v, %v", o, p, err)
		}
	}
	p := open(t, PageOptions{})
	p.notFound = page{root: root, name: "404.html"}
	if got := ask(p, "GET", 404).Body.String(); got != generic(404) {
		t.Errorf("a link to the outside: %q", got)
	}
	outside := open(t, PageOptions{Root: root, NotFound: "../secret"}) // the operator says so
	if got := ask(outside, "GET", 404).Body.String(); got != "SECRET" {
		t.Errorf("a name that leaves the root: %q", got)
	}
}

// A page of the future, after the clock was set back, is read each time: its time no longer tells whether it was written to.
func TestPageOfTheFuture(t *testing.T) {
	dir := t.TempDir()
	name, future := filepath.Join(dir, "404.html"), time.Now().AddDate(1, 0, 0)
	p := open(t, PageOptions{Root: dir, NotFound: "404.html"})
	for _, content := range []string{"one", "two"} {
		put(t, name, content)
		if err := os.Chtimes(name, future, future); err != nil {
			t.Fatal(err)
		}
		if got := ask(p, "GET", 404).Body.String(); got != content {
			t.Errorf("%q, want %q", got, content)
		}
	}
}
