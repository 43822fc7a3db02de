package site

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// Without this, a browser would find out what a page needs only when it has the page.
func TestEarlyHints(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{
		"public/page.html": "page",
		"public/_headers":  "/page.html\n  Link: </app.js>; rel=preload; as=script\n",
		"rouse.toml": `
			[general]
			root = "@/public"
			site-rules = true
			[[advanced.early-hints]]
			source = "/*.html"
			links = ["</style.css>; rel=preload; as=style"]
			`,
	})
	for name, client := range map[string]*http.Client{"h2c": program.Client(t, nil).H2C, "HTTP/1.1": s.client} {
		request, err := http.NewRequest(http.MethodGet, "http://"+s.address+"/page.html", nil)
		if err != nil {
			t.Fatal(err)
		}
		var hinted []string
		trace := &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
			if code == http.StatusEarlyHints {
				hinted = append(hinted, header["Link"]...)
			}
			return nil
		}}
		response, err := client.Do(request.WithContext(httptrace.WithClientTrace(t.Context(), trace)))
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		got, final := strings.Join(hinted, ", "), strings.Join(response.Header.Values("Link"), ", ")
		if both := strings.Contains(got, "/style.css") && strings.Contains(got, "/app.js"); both != (name == "h2c") {
			t.Errorf("%s: hints %q", name, got)
		}
		if response.StatusCode != 200 || !strings.Contains(final, "/style.css") || strings.Count(final, "/app.js") != 1 {
			t.Errorf("%s: %d with Link %q", name, response.StatusCode, final)
		}
	}
}

// Without this, a cache before two machines would take the same file for two.
func TestContentTagsAgreeBetweenMachines(t *testing.T) {
	t.Parallel()
	var tags []string
	for i := range 2 {
		s := newSite(t, map[string]string{"public/a.txt": "the same"}, "--root", "public", "--etag=content", "--repr-digest")
		stamp := time.Date(2020+i, 1, 1, 0, 0, 0, 0, time.UTC)
		if err := os.Chtimes(filepath.Join(s.dir, "public", "a.txt"), stamp, stamp); err != nil {
			t.Fatal(err)
		}
		r := s.get("/a.txt")
		tags = append(tags, r.Header.Get("ETag"))
		sum := sha256.Sum256([]byte("the same"))
		if got, want := r.Header.Get("Repr-Digest"), "sha-256=:"+base64.StdEncoding.EncodeToString(sum[:])+":"; got != want {
			t.Errorf("Repr-Digest %q, want %q", got, want)
		}
		s.is(s.get("/a.txt", "If-None-Match", tags[0]), 304, "")
		s.write("public/a.txt", "another")
		s.is(s.get("/a.txt", "If-None-Match", tags[0]), 200, "another")
	}
	if tags[0] != tags[1] || tags[0] == "" || strings.HasPrefix(tags[0], "W/") {
		t.Errorf("tags %q", tags)
	}
}

// Without this, a site from Netlify or Cloudflare Pages would have to be rewritten for Rouse.
func TestHeadersAndRedirectsFiles(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{
		"public/app.html":   "the app",
		"public/lost.html":  "lost",
		"public/_redirects": "/old/* /new/:splat 302\n/forced /app.html 200!\n/gone/* /lost.html 404\n/app/* /app.html 200\n",
		"public/_headers":   "/app/*\n  X-Of: the app\n/*\n  X-All: yes\n",
		"public/forced":     "never seen",
	}, "--root", "public", "--site-rules", "--directory-listing")
	r := s.get("/old/a?b=c")
	if location := r.Header.Get("Location"); r.StatusCode != 302 || location != "/new/a?b=c" {
		t.Errorf("%d to %q", r.StatusCode, location)
	}
	s.is(s.get("/forced"), 200, "the app")
	s.is(s.get("/gone/x"), 404, "lost")
	r = s.get("/app/some/route")
	s.is(r, 200, "the app")
	if r.Header.Get("X-Of") != "the app" || r.Header.Get("X-All") != "yes" {
		t.Errorf("headers %v", r.Header)
	}
	for _, name := range []string{"_headers", "_redirects"} {
		s.is(s.get("/"+name), 404, "")
	}
	s.write("public/_redirects", "/old/* /newer/:splat\n")
	until(t, "the changed file is obeyed", func() bool { return s.get("/old/a").Header.Get("Location") == "/newer/a" })
}

// Without this, an application's own addresses would be 404, or its missing files would be pages.
func TestSinglePageApplication(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil, "--root", "public", "--spa")
	s.is(s.get("/any/route", "Accept", "text/html,*/*"), 200, "general")
	s.is(s.get("/any/route", "Sec-Fetch-Mode", "navigate"), 200, "general")
	s.is(s.get("/missing.js", "Accept", "text/html,*/*"), 404, "")
	s.is(s.get("/missing.js", "Sec-Fetch-Mode", "no-cors"), 404, "")
	s.is(s.get("/api/data", "Accept", "application/json"), 404, "")
}

// Without this, each page would have two addresses.
func TestCleanURLs(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"public/page.html": "page", "public/sub/index.html": "sub"}, "--root", "public", "--clean-urls")
	for from, to := range map[string]string{"/page.html?q=1": "/page?q=1", "/sub/index.html": "/sub/", "/index.html": "/", "//page.html": "/page"} {
		if r := s.get(from); r.StatusCode != 308 || r.Header.Get("Location") != to {
			t.Errorf("%s: %d to %q", from, r.StatusCode, r.Header.Get("Location"))
		}
	}
	s.is(s.get("/page"), 200, "page")
	s.is(s.get("/sub/"), 200, "sub")
}

// Without this, a site behind a local proxy would need a port.
func TestUnixSocket(t *testing.T) {
	t.Parallel()
	dir := program.ShortDir(t)
	path := filepath.Join(dir, "rouse.sock")
	site := t.TempDir()
	if err := os.WriteFile(filepath.Join(site, "index.html"), []byte("by unix socket"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := program.Start(t, program.Run{Args: []string{"serve", "--root", site, "--unix-socket", path, "--unix-socket-mode", "660"}})
	p.Stderr.WaitFor("at .*rouse.sock", limit)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v", info, err)
	}
	client := program.ClientTo(t, nil, program.DialUnix(path)).HTTP1
	response, err := client.Get("http://localhost/")
	if err != nil || response.StatusCode != 200 {
		t.Fatalf("%v %v", response, err)
	}
	response.Body.Close()
	p.Stop()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket file is still there: %v", err)
	}
}
