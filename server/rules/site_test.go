package rules

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// folder is a site's root, with what was complained of.
type folder struct {
	*Site
	path   string
	now    time.Time
	errors []string
	opened int
}

// siteOf makes a site with these two files.
func siteOf(t testing.TB, redirects, headers string) *folder {
	t.Helper()
	f := &folder{path: t.TempDir(), now: time.Now().Add(time.Hour)}
	f.write(t, "_redirects", redirects)
	f.write(t, "_headers", headers)
	f.Site = ReadSite(f.open, func(err *LineError) { f.errors = append(f.errors, err.Error()) })
	f.clock = func() time.Time { return f.now }
	return f
}

func (f *folder) open(name string) (*os.File, os.FileInfo, error) {
	f.opened++
	file, err := os.Open(filepath.Join(f.path, name))
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	return file, info, err
}

func (f *folder) write(t testing.TB, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(f.path, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (f *folder) find(target string, file bool) Match {
	r := httptest.NewRequest("GET", target, nil)
	if strings.HasPrefix(target, "https") {
		r.TLS = &tls.ConnectionState{}
	}
	m, _ := f.Find(r, func() bool { return file })
	return m
}

const documentedRedirects = `# the examples in the documentation of Netlify and of Cloudflare Pages
/home              /
/home302 / 302     # a comment
/querystrings /?query=string 301
/twitch https://twitch.tv
/trailing /trailing/ 301
/notrailing/ /nottrailing 301
/page/ /page2/#fragment 301
/old/* https://blog.my.domain/:splat
/products/:code/:name /products?code=:code&name=:name
/news/:month/:date/:year/:slug  /blog/:year/:month/:date/:slug
/store id=:id /blog/:id 301
/articles id=:id tag=:tag  /posts/:tag/:id 301
/mode kind=dark /dark 302
https://blog.example.com/* https://www.example.com/blog/:splat 301!
http://secure.example.com/* https://secure.example.com/:splat 301!
https://:project.pages.dev/x https://:project.example.com/x 308
/authors/c%C3%A9line /authors/about-c%C3%A9line
/app/ /app/index.html 200!
/en/* /en/404.html 404
/*.jpg /pictures/:splat.webp 302
/seen /seen?again=1
/* /index.html 200
`

func TestSiteRedirects(t *testing.T) {
	t.Parallel()
	f := siteOf(t, documentedRedirects, "")
	for _, test := range []struct {
		target string
		file   bool
		status int
		want   string
	}{
		{"/home", false, 301, "/"},
		{"/home/", false, 301, "/"},
		{"/home?a=b", false, 301, "/?a=b"},
		{"/home", true, 0, ""},
		{"/home302", false, 302, "/"},
		{"/querystrings?a", false, 301, "/?query=string"},
		{"/twitch", false, 301, "https://twitch.tv"},
		{"/trailing", false, 301, "/trailing/"},
		{"/trailing/", true, 0, ""},
		{"/notrailing/", false, 301, "/nottrailing"},
		{"/page?x", false, 301, "/page2/?x#fragment"},
		{"/old/a/b", false, 301, "https://blog.my.domain/a/b"},
		{"/old", false, 301, "https://blog.my.domain/"},
		{"/older", false, 200, "/index.html"},
		{"/products/1/a%20b%26c", false, 301, "/products?code=1&name=a%20b%26c"},
		{"/products/1/a&c", false, 301, "/products?code=1&name=a%26c"},
		{"/news/1/2/3/x", false, 301, "/blog/3/1/2/x"},
		{"/store?id=5&utm=x", false, 301, "/blog/5?utm=x"},
		{"/store?id=%2f%0d%0ax", false, 301, "/blog/%2F%0D%0Ax"},
		{"/store", false, 200, "/index.html"},
		{"/articles?tag=t&id=5", false, 301, "/posts/t/5"},
		{"/mode?kind=dark", false, 302, "/dark"},
		{"/mode?kind=light", false, 200, "/index.html"},
		{"http://blog.example.com/a", true, 301, "https://www.example.com/blog/a"},
		{"https://BLOG.example.com:8443/a", true, 301, "https://www.example.com/blog/a"},
		{"http://secure.example.com/a?b", true, 301, "https://secure.example.com/a?b"},
		{"https://secure.example.com/a?b", true, 0, ""},
		{"http://mine.pages.dev/x", false, 308, "https://mine.example.com/x"},
		{"http://a.b.pages.dev/x", false, 200, "/index.html"},
		{"/authors/c%c3%a9line", false, 301, "/authors/about-c%C3%A9line"},
		{"/app/", true, 200, "/app/index.html"},
		{"/app/index.html", true, 0, ""},
		{"/en/x", false, 404, "/en/404.html"},
		{"/a/b.jpg", false, 302, "/pictures/a/b.webp"},
		{"/seen", false, 301, "/seen?again=1"},
		{"/seen?again=1", false, 200, "/index.html"},
		{"/index.html", false, 0, ""},
		{"/a?b=c", false, 200, "/index.html"},
		{"/a", true, 0, ""},
	} {
		if got := f.find(test.target, test.file); got.Status != test.status || got.Target != test.want {
			t.Errorf("%s (file: %v): %v, want %d %s", test.target, test.file, got, test.status, test.want)
		}
	}
	if len(f.errors) > 0 {
		t.Errorf("complaints: %q", f.errors)
	}
}

func TestSiteRedirectsThatAreSkipped(t *testing.T) {
	t.Parallel()
	bad := map[string]string{
		"/a":                           "where to is missing",
		"/a b":                         "where to is missing",
		"a /b":                         "neither / nor https://",
		"/a /b 200x":                   `"200x" is not 301`,
		"/a /b 418":                    `"418" is not 301`,
		"/a /b 302 Country=de,at":      `"Country=de,at" is not supported`,
		"/a /b Language=de":            `"Language=de" is not supported`,
		"/a /b 200! Role=admin":        `"Role=admin" is not supported`,
		"/api/* https://x/:splat 200":  "proxy to another server",
		"/f /.netlify/functions/f 200": "service of Netlify",
		"/*/x/* /b":                    "more than one *",
		"/:a/:a /b":                    `":a" stands there twice`,
		"/a x=:y z=:y /b":              `":y" stands there twice`,
		"/a x /b":                      "not a condition on the query",
		"https:///a /b":                "a host is missing",
		"/" + strings.Repeat("a", maxPattern) + " /b": "2048 are accepted",
		"/a /" + strings.Repeat("b", maxLine):         "longer than 8192 bytes",
	}
	text := "/good /better\n"
	lines := slices.Sorted(maps.Keys(bad))
	for _, line := range lines {
		text += line + "\n"
	}
	rules, errs := parseRedirects(text)
	if len(rules.entries) != 1 || len(errs) != len(lines) {
		t.Errorf("%d rules, complaints: %v", len(rules.entries), errs)
	}
	for _, err := range errs {
		line := lines[err.Line-2]
		if message := err.Error(); !strings.Contains(message, bad[line]) || !strings.HasSuffix(message, "skipped") || strings.Contains(message, "\n") {
			t.Errorf("%.60s: %s", line, message)
		}
	}
}

const documentedHeaders = `# This is a comment
/secure/page
  X-Frame-Options: DENY
  X-Content-Type-Options: nosniff
  Referrer-Policy: no-referrer

/static/*
  Access-Control-Allow-Origin: *
  X-Robots-Tag: nosnippet
https://myproject.pages.dev/*
  X-Robots-Tag: noindex
/multi
  cache-control: max-age=0
  cache-control: no-cache
  set-cookie: a=1
  set-cookie: b=2
/movies/:title
  x-movie-name: You are watching ":title"
/strict/*
  Content-Security-Policy: default-src 'self';
/strict/*.jpg
  ! Content-Security-Policy
  ! Server
https://:project.pages.dev/*
  Access-Control-Allow-Origin: https://staging.:project.pages.dev/
/blog/*
  Link: </styles.css>; rel=preload; as=style
  Link: <https://example.com>; rel="preconnect"
  Link: </about>; rel="canonical"
`

func TestSiteHeaders(t *testing.T) {
	t.Parallel()
	f := siteOf(t, "", documentedHeaders)
	for _, test := range []struct {
		host, path string
		want       http.Header
	}{
		{"custom.domain", "/secure/page", http.Header{"X-Frame-Options": {"DENY"}, "X-Content-Type-Options": {"nosniff"}, "Referrer-Policy": {"no-referrer"}}},
		{"custom.domain", "/static/image.jpg", http.Header{"Access-Control-Allow-Origin": {"*"}, "X-Robots-Tag": {"nosnippet"}}},
		{"myproject.pages.dev:8080", "/home", http.Header{"X-Robots-Tag": {"noindex"}, "Access-Control-Allow-Origin": {"https://staging.myproject.pages.dev/"}}},
		{"myproject.pages.dev", "/static/styles.css", http.Header{"X-Robots-Tag": {"nosnippet, noindex"}, "Access-Control-Allow-Origin": {"*, https://staging.myproject.pages.dev/"}}},
		{"h", "/multi", http.Header{"Cache-Control": {"max-age=0, no-cache"}, "Set-Cookie": {"a=1", "b=2"}}},
		{"h", "/movies/a%0d%0aX:%22b\"", http.Header{"X-Movie-Name": {`You are watching "a%0d%0aX:%22b%22"`}}},
		{"h", "/strict/a", http.Header{"Content-Security-Policy": {"default-src 'self';"}}},
		{"h", "/strict/a.jpg", http.Header{"Server": nil}},
		{"h", "/" + strings.Repeat("a", maxPath), http.Header{}},
	} {
		got := http.Header{"Cache-Control": {"max-age=1"}, "Server": {"x"}}
		want := got.Clone()
		maps.Copy(want, test.want)
		if test.want["Server"] == nil && test.path == "/strict/a.jpg" {
			delete(want, "Server")
		}
		f.Apply(got, test.host, test.path)
		if !maps.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s%.20s: %v, want %v", test.host, test.path, got, want)
		}
	}
	if len(f.errors) > 0 {
		t.Errorf("complaints: %q", f.errors)
	}
}

func TestSiteHints(t *testing.T) {
	t.Parallel()
	f := siteOf(t, "", documentedHeaders)
	hints := f.Hints("h", "/blog/a")
	if want := []string{"</styles.css>; rel=preload; as=style", `<https://example.com>; rel="preconnect"`}; !slices.Equal(hints, want) {
		t.Errorf("%q, want %q", hints, want)
	}
	h := http.Header{"Link": append([]string{"</configured.js>; rel=preload"}, hints...)}
	f.Apply(h, "h", "/blog/a")
	if len(h["Link"]) != 4 || h["Link"][0] != "</configured.js>; rel=preload" {
		t.Errorf("links are lost or there twice: %q", h["Link"])
	}
	if hints := f.Hints("h", "/multi"); hints != nil {
		t.Errorf("%q", hints)
	}
}

func TestSiteHeadersThatAreSkipped(t *testing.T) {
	t.Parallel()
	rules, errs := parseHeaders("X-Early: 1\n/a\n X-A: 1\n nothing\n X B: 1\n Content-Length: 1\n Basic-Auth: me:secret\n/*/*\n X-C: 1\n ! X-D\n/b\n X-E: 1\x00\n : 1\n !\n")
	var lines []int
	for _, err := range errs {
		lines = append(lines, err.Line)
		if !strings.HasSuffix(err.Error(), "skipped") || strings.Contains(err.Error(), "secret") {
			t.Error(err)
		}
	}
	if want := []int{1, 4, 5, 6, 7, 8, 12, 13, 14}; !slices.Equal(lines, want) || len(rules.blocks) != 2 || len(rules.blocks[0].lines) != 1 {
		t.Errorf("complaints %v, want them of lines %v; %+v", errs, want, rules.blocks)
	}
}

func TestSiteIsReadAnew(t *testing.T) {
	t.Parallel()
	f := siteOf(t, "/a /b 302\nbad\n", "")
	later := func(d time.Duration) Match { f.now = f.now.Add(d); return f.find("/a", false) }
	if m := later(0); m.Target != "/b" || len(f.errors) != 1 || !strings.HasPrefix(f.errors[0], "_redirects:2: ") {
		t.Errorf("%v %q", m, f.errors)
	}
	later(time.Second)
	f.write(t, "_redirects", "bad\n/a /c 302\n")
	opened := f.opened
	if m := later(lookEvery - 1); m.Target != "/b" || f.opened != opened {
		t.Errorf("the files were looked at again within a second: %v", m)
	}
	if m := later(1); m.Target != "/c" || len(f.errors) != 2 {
		t.Errorf("%v %q", m, f.errors)
	}
	if m := later(time.Minute); m.Target != "/c" || len(f.errors) != 2 {
		t.Errorf("complained again: %v %q", m, f.errors)
	}
	if err := os.Remove(filepath.Join(f.path, "_redirects")); err != nil {
		t.Fatal(err)
	}
	if m := later(time.Second); m.Status != 0 {
		t.Errorf("the file is gone, yet %v", m)
	}
	if err := os.Mkdir(filepath.Join(f.path, "_redirects"), 0o700); err != nil {
		t.Fatal(err)
	}
	later(time.Second)
	if later(time.Second); len(f.errors) != 3 || f.errors[2] != "_redirects: cannot be read: it is a folder" {
		t.Errorf("%q", f.errors)
	}
}

// Files of the future, after the clock was set back, are read at each look: their times no longer tell whether they were written to.
func TestSiteOfTheFuture(t *testing.T) {
	t.Parallel()
	f := siteOf(t, "/a /b\n", "")
	future := time.Now().AddDate(1, 0, 0)
	for _, target := range []string{"/c", "/d"} {
		f.write(t, "_redirects", "/a "+target+"\n")
		if err := os.Chtimes(filepath.Join(f.path, "_redirects"), future, future); err != nil {
			t.Fatal(err)
		}
		f.now = f.now.Add(lookEvery)
		if m := f.find("/a", false); m.Target != target {
			t.Errorf("%v, want %s", m, target)
		}
	}
}

func TestSiteKeepsItsRulesWhenAFileCannotBeRead(t *testing.T) {
	t.Parallel()
	f := siteOf(t, "/a /b\n", "")
	f.Site.open = func(string) (*os.File, os.FileInfo, error) { return nil, nil, errors.New("no descriptors left") }
	f.now = f.now.Add(time.Minute)
	if m := f.find("/a", false); m.Target != "/b" || len(f.errors) != 2 {
		t.Errorf("%v %q", m, f.errors)
	}
}

func TestSiteWithoutFiles(t *testing.T) {
	t.Parallel()
	s := ReadSite(func(string) (*os.File, os.FileInfo, error) { return nil, nil, fs.ErrNotExist }, func(err *LineError) { t.Error(err) })
	for _, s := range []*Site{s, nil} {
		h := http.Header{}
		s.Apply(h, "h", "/")
		if m, ok := s.Find(httptest.NewRequest("GET", "/", nil), nil); ok || len(h) > 0 || s.Hints("h", "/") != nil {
			t.Errorf("%v %v", m, h)
		}
	}
}

func TestSiteBounds(t *testing.T) {
	t.Parallel()
	rules, errs := parseRedirects(strings.Repeat("/a /b\n", maxPlain+1) + strings.Repeat("/:a /b\n", maxDynamic+1))
	if len(rules.entries) != maxPlain+maxDynamic || len(errs) != 2 {
		t.Errorf("%d rules, %d complaints", len(rules.entries), len(errs))
	}
	f := siteOf(t, strings.Repeat("bad\n", 100), strings.Repeat("#", maxFile+1))
	if len(f.errors) != maxNamed+2 || f.errors[maxNamed] != "_redirects: 80 more lines were skipped" || f.errors[maxNamed+1] != "_headers: cannot be read: it is larger than 4 MiB" {
		t.Errorf("%d complaints: %q", len(f.errors), f.errors)
	}
}

func TestSiteIsSafeForMany(t *testing.T) {
	t.Parallel()
	f := siteOf(t, "/a /b\n", "/*\n X-A: 1\n")
	var now sync.Mutex
	f.clock = func() time.Time {
		now.Lock()
		defer now.Unlock()
		f.now = f.now.Add(lookEvery)
		return f.now
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 200 {
				h := http.Header{}
				f.Apply(h, "h", "/a")
				if m := f.find("/a", false); m.Target != "/b" || h.Get("X-A") != "1" {
					t.Errorf("%v %v", m, h)
				}
			}
		})
	}
	group.Wait()
}
