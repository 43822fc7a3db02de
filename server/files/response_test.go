package files

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/rouse-server/rouse/server/errorpage"
	"github.com/rouse-server/rouse/server/tree"
)

// Finish sees each reply once, before its header goes out, and knows what it came to.
func TestFinish(t *testing.T) {
	dir := folder(t, map[string]string{"index.html": "root", "a.txt": digits(1000), "page.html": "page", "dir/index.htm": "x", "list/a": "x"})
	symlink(t, "a.txt", dir+"/link")
	var outcomes []Outcome
	o := compressing()
	o.List = func(w http.ResponseWriter, r *http.Request, dir, urlPath string) { io.WriteString(w, dir+" "+urlPath) }
	o.Finish = func(header http.Header, r *http.Request, o Outcome) {
		outcomes = append(outcomes, o)
		header.Set("X-Finish", r.Method)
	}
	h := serving(t, dir, tree.Options{}, o)
	tag := ask(h, "GET", "/a.txt").Header().Get("ETag")
	for _, test := range []struct {
		method, target string
		fields         []string
		want           Outcome
	}{
		{"GET", "/", nil, Outcome{200, "/index.html", true}}, {"HEAD", "//dir/.", nil, Outcome{200, "/dir/index.htm", true}}, {"GET", "/a.txt?q", nil, Outcome{200, "/a.txt", true}},
		{"GET", "/page", nil, Outcome{200, "/page", true}}, {"GET", "/x/..//a.txt", nil, Outcome{200, "/a.txt", true}}, {"GET", "/%61.txt", nil, Outcome{200, "/a.txt", true}},
		{"GET", "/a.txt", []string{"Accept-Encoding", "gzip"}, Outcome{200, "/a.txt", true}}, {"GET", "/a.txt", []string{"Range", "bytes=0-1"}, Outcome{206, "/a.txt", true}},
		{"GET", "/a.txt", []string{"If-None-Match", tag}, Outcome{304, "/a.txt", true}}, {"GET", "/a.txt", []string{"If-Match", `"x"`}, Outcome{412, "/a.txt", false}},
		{"GET", "/a.txt", []string{"Range", "bytes=5000-"}, Outcome{416, "/a.txt", false}}, {"GET", "/dir", nil, Outcome{308, "/dir", false}},
		{"GET", "/list/", nil, Outcome{200, "/list/", false}}, {"GET", "/missing", nil, Outcome{404, "/missing", false}}, {"GET", "/%00", nil, Outcome{404, "/\x00", false}},
		{"GET", "/link", nil, Outcome{403, "/link", false}}, {"POST", "/a.txt", nil, Outcome{405, "/a.txt", false}}, {"OPTIONS", "/a.txt", nil, Outcome{204, "/a.txt", false}},
	} {
		outcomes = nil
		w := ask(h, test.method, test.target, test.fields...)
		if len(outcomes) != 1 || outcomes[0] != test.want || w.Code != test.want.Status {
			t.Errorf("%s %s %v: %d %+v, want %+v", test.method, test.target, test.fields, w.Code, outcomes, test.want)
		}
		wantHeader(t, w, "X-Finish", test.method)
	}
}

func TestFinishOfFallback(t *testing.T) {
	var outcome Outcome
	o := usual()
	o.SPA = true
	o.Finish = func(_ http.Header, _ *http.Request, got Outcome) { outcome = got }
	_, h := siteWith(t, o, map[string]string{"index.html": "x"})
	ask(h, "GET", "/route", "Accept", "text/html")
	if want := (Outcome{200, "/route", false}); outcome != want {
		t.Errorf("the fallback is %+v", outcome)
	}
}

func TestListing(t *testing.T) {
	o := usual()
	var got string
	o.List = func(w http.ResponseWriter, r *http.Request, dir, urlPath string) {
		got = dir + " " + urlPath
		w.WriteHeader(200)
	}
	names := map[string]string{"full/index.html": "index", "empty/": "", "a.txt": "x"}
	_, redirecting := siteWith(t, o, names)
	o.SlashRedirect = false
	_, direct := siteWith(t, o, names)
	for _, test := range []struct {
		h            http.Handler
		target, want string
		status       int
	}{
		{redirecting, "/empty/", "empty /empty/", 200}, {redirecting, "//empty//", "empty /empty/", 200}, {redirecting, "/", ". /", 200}, {redirecting, "/full/", "", 200},
		{redirecting, "/empty", "", 308}, {redirecting, "/a.txt/", "", 404}, {redirecting, "/missing/", "", 404}, {redirecting, "/.hidden/", "", 404},
		{direct, "/empty", "empty /empty", 200}, {direct, "/empty/", "empty /empty/", 200}, {direct, "/full", "", 200},
	} {
		got = ""
		if w := ask(test.h, "GET", test.target); w.Code != test.status || got != test.want {
			t.Errorf("%s: %d %q, want %d %q", test.target, w.Code, got, test.status, test.want)
		}
	}
	if w := ask(redirecting, "OPTIONS", "/empty/"); w.Code != 204 {
		t.Errorf("OPTIONS: %d", w.Code)
	}
}

// A listing that is streamed goes out when it says so.
func TestListingFlushes(t *testing.T) {
	o := usual()
	flushed := make(chan struct{})
	o.List = func(w http.ResponseWriter, r *http.Request, dir, urlPath string) {
		io.WriteString(w, "first")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-flushed
	}
	_, h := siteWith(t, o, nil)
	server := httptest.NewServer(h)
	defer server.Close()
	response, err := server.Client().Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	first := make([]byte, 5)
	if _, err := io.ReadFull(response.Body, first); string(first) != "first" || err != nil {
		t.Errorf("%q, %v", first, err)
	}
	close(flushed)
}

func TestErrorPagesOfTheSite(t *testing.T) {
	dir := folder(t, map[string]string{"404.html": "<p>not here</p>"})
	pages, err := errorpage.Open(errorpage.PageOptions{Root: dir, NotFound: "./404.html"})
	if err != nil {
		t.Fatal(err)
	}
	o := usual()
	o.Pages = pages
	if w := ask(serving(t, dir, tree.Options{}, o), "GET", "/missing"); w.Code != 404 || w.Body.String() != "<p>not here</p>" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

func TestWithheld(t *testing.T) {
	o := usual()
	o.Withheld = []string{"_headers"}
	_, h := siteWith(t, o, map[string]string{"_headers": "x", "deep/_headers": "x"})
	for target, want := range map[string]int{"/_headers": 404, "//_HEADERS": 404, "/x/../_headers": 404, "/deep/_headers": 200} {
		if w := ask(h, "GET", target); w.Code != want {
			t.Errorf("%s: %d, want %d", target, w.Code, want)
		}
	}
}

func TestMimeTypes(t *testing.T) {
	o := Options{MimeTypes: map[string]string{".foo": "text/plain", ".html": "application/x-page", ".bar": "text/plain; charset=latin1"}}
	names := map[string]string{"a.foo": "", "a.HTML": "", "a.bar": "", "a.txt": ""}
	_, plain := siteWith(t, o, names)
	o.Charset = true
	_, labelled := siteWith(t, o, names)
	for target, want := range map[string][2]string{
		"/a.foo": {"text/plain", "text/plain; charset=utf-8"}, "/a.HTML": {"application/x-page", "application/x-page"},
		"/a.bar": {"text/plain; charset=latin1", "text/plain; charset=latin1"}, "/a.txt": {"text/plain", "text/plain; charset=utf-8"},
	} {
		wantHeader(t, ask(plain, "GET", target), "Content-Type", want[0])
		wantHeader(t, ask(labelled, "GET", target), "Content-Type", want[1])
	}
}

func symlink(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, filepath.FromSlash(path)); err != nil {
		t.Fatal(err)
	}
}
