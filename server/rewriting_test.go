package server

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/server/rules"
)

// redirectsFile is a single-page application with exceptions, as Netlify and Cloudflare Pages have them.
const redirectsFile = `
/old      /new            301
/forced   /a.txt          200!
/gone/*   /gone.html      404
/deep     /dir            200
/about    /index.html     200
/*        /index.html     200
`

// siteFiles makes a server of a site with _redirects and _headers.
func siteFiles(t testing.TB, change func(*Config)) *world {
	return site(t, map[string]string{
		"index.html": "app " + strings.Repeat("x", 300), "a.txt": "a", "forced": "shadow", "dir/index.html": "dir", "gone.html": "gone " + strings.Repeat("x", 300),
		"_redirects": redirectsFile,
		"_headers":   "/about\n  X-Asked: about\n  Link: </s.css>; rel=preload; as=style\n/index.html\n  X-Asked: index\n/short\n  X-Asked: short\n/gone/x\n  X-Asked: gone\n/old\n  X-Asked: old\n",
	}, func(c *Config, _ string) {
		c.SiteRules = true
		c.Advanced.Rewrites = []rules.Rewrite{{Source: "/short", Destination: "/a.txt"}}
		if change != nil {
			change(c)
		}
	})
}

func TestSiteRules(t *testing.T) {
	w := siteFiles(t, func(c *Config) { c.DirectoryListing = true })
	check(t, w, map[string]string{
		"/": "app", "/a.txt": "a", "/about": "app", "/anything/else": "app", "/forced": "a", "/old": "to /new", "/gone/x": "404 gone", "/dir/": "dir",
		"/dir": "to /dir/", "/deep": "to /dir/", "/_headers": "app", "/_redirects": "app", "/_REDIRECTS": "app", "/_headers/": "app",
	})
	if h := w.ask("GET", "/old").Header(); h.Get("X-Asked") != "" || h["Link"] != nil {
		t.Errorf("a redirect has the headers of a page: %v", h)
	}
}

// With clean URLs, too, a rewrite serves what it names: it was not the client that named it.
func TestRewrittenIsNotCleaned(t *testing.T) {
	w := siteFiles(t, func(c *Config) { c.CleanUrls = true })
	check(t, w, map[string]string{"/about": "app", "/x": "app", "/": "app", "/index.html": "to /", "/gone/x": "404 gone"})
}

// _headers speaks of what was asked for, whatever rewrites made of it, and the general headers of what is served.
func TestHeadersOfTheAskedPath(t *testing.T) {
	w := siteFiles(t, func(c *Config) {
		c.Advanced.Headers = []rules.Header{{Source: "/index.html", Headers: map[string]string{"X-Served": "index"}}}
	})
	for target, want := range map[string]string{"/about": "about index", "/index.html": "index index", "/x": " index", "/short": "short ", "/a.txt": " ", "/gone/x": "gone "} {
		h := w.ask("GET", target).Header()
		if got := h.Get("X-Asked") + " " + h.Get("X-Served"); got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
	if links := w.ask("GET", "/about").Header()["Link"]; !slices.Equal(links, []string{"</s.css>; rel=preload; as=style"}) {
		t.Errorf("%q", links)
	}
}

// statuses notes all that are written.
type statuses struct {
	http.ResponseWriter
	all []int
}

func (s *statuses) WriteHeader(status int) {
	s.all = append(s.all, status)
	s.ResponseWriter.WriteHeader(status)
}

// A redirect of _redirects is preceded by no hint; a page that a line of it serves is.
func TestHintsBehindRedirects(t *testing.T) {
	w := siteFiles(t, func(c *Config) {
		c.Advanced.EarlyHints = []rules.EarlyHint{{Source: "**", Links: []string{"</g.css>; rel=preload"}}}
	})
	for target, want := range map[string][]int{"/old": {301}, "/about": {103, 200}, "/gone/x": {103, 404}, "/a.txt": {103, 200}} {
		r := asking("GET", target)
		r.ProtoMajor = 2
		got := &statuses{ResponseWriter: httptest.NewRecorder()}
		w.answer(got, r)
		if !slices.Equal(got.all, want) {
			t.Errorf("%s: %v, want %v", target, got.all, want)
		}
	}
}

// A page that stands in with 404 is sent whole and has no validators, whatever the request's conditions are.
func TestRestatused(t *testing.T) {
	w := siteFiles(t, nil)
	whole := w.ask("GET", "/gone/x")
	tag := w.ask("GET", "/gone.html").Header().Get("Etag")
	for _, fields := range [][]string{
		nil, {"Range", "bytes=0-1"}, {"Range", "bytes=9999-"}, {"If-None-Match", tag}, {"If-None-Match", "*"}, {"If-Match", `"x"`},
		{"If-Modified-Since", "Fri, 01 Jan 2100 00:00:00 GMT"}, {"If-Unmodified-Since", "Sat, 01 Jan 2000 00:00:00 GMT"},
	} {
		reply := w.ask("GET", "/gone/x", fields...)
		h := reply.Header()
		if reply.Code != 404 || reply.Body.String() != whole.Body.String() || h.Get("Etag") != "" || h.Get("Last-Modified") != "" || h.Get("Content-Range") != "" || h.Get("Cache-Control") != "no-cache" || h.Get("X-Asked") != "gone" {
			t.Errorf("%q: %d %v", fields, reply.Code, h)
		}
	}
	head := w.ask("HEAD", "/gone/x")
	if head.Code != 404 || head.Body.Len() > 0 || head.Header().Get("Content-Length") != whole.Header().Get("Content-Length") {
		t.Errorf("HEAD: %d %v", head.Code, head.Header())
	}
	if encoded := w.ask("GET", "/gone/x", "Accept-Encoding", "gzip"); encoded.Code != 404 || encoded.Header().Get("Content-Encoding") != "gzip" || encoded.Header().Get("Etag") != "" {
		t.Errorf("gzip: %d %v", encoded.Code, encoded.Header())
	}
	if reply := w.ask("OPTIONS", "/gone/x"); reply.Code != 204 {
		t.Errorf("OPTIONS: %d", reply.Code)
	}
}

// What a client captures in a rule never sends anybody to another host, nor ends a header.
func TestRedirectsStayHere(t *testing.T) {
	w := site(t, map[string]string{"dir/index.html": "d", "_redirects": "/s/* /:splat 302\n/h/* https://fixed.example/:splat 302\n"}, func(c *Config, _ string) {
		c.SiteRules = true
		c.Advanced.Redirects = []rules.Redirect{
			{Source: "/c/{**}", Destination: "/$1", Kind: 302}, {Source: "/e/{**}", Destination: "$1", Kind: 302}, {Source: "/x/{**}", Destination: "https://fixed.example$1", Kind: 302},
		}
		c.Advanced.Rewrites = []rules.Rewrite{{Source: "/r/{**}", Destination: "/$1", Redirect: 302}}
	})
	for _, prefix := range []string{"/s/", "/h/", "/c/", "/e/", "/x/", "/r/", "/", "//", "/%5c"} {
		for _, tail := range []string{"/evil.example", "//evil.example", "%2f/evil.example", "%5cevil.example", "@evil.example", ".evil.example", "%0d%0aSet-Cookie:a=b", "%09/evil.example", "https:evil.example", "/dir", "dir"} {
			for _, query := range []string{"", "?x=%0d%0aY:z", "?//evil.example"} {
				reply := w.ask("GET", prefix+tail+query, "Host", "evil.example")
				location := reply.Header().Get("Location")
				if location == "" {
					continue
				}
				here := strings.HasPrefix(location, "/") && !strings.HasPrefix(location, "//") && !strings.HasPrefix(location, `/\`)
				if !here && !strings.HasPrefix(location, "https://fixed.example/") || strings.ContainsAny(location, "\r\n\t\\") {
					t.Errorf("%s: to %q", prefix+tail+query, location)
				}
			}
		}
	}
}

// A rewrite that leads nowhere fills no log with what the client sent.
func TestRewriteNowhereIsLoggedShort(t *testing.T) {
	w := site(t, nil, func(c *Config, _ string) {
		c.Advanced.Rewrites = []rules.Rewrite{{Source: "/x", Destination: "nowhere"}}
	})
	if reply := w.ask("GET", "/x?"+strings.Repeat("y", 15<<10)); reply.Code != 500 {
		t.Errorf("%d", reply.Code)
	}
	if said := w.log.entries(t, "a rewrite leads nowhere"); len(said) != 1 || len(w.log.String()) > 10<<10 {
		t.Errorf("%d lines of %d bytes", len(said), len(w.log.String()))
	}
}
