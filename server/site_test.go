package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/rouse-server/rouse/server/rules"
)

// site makes a server of a folder with these files, under options that change may change. Paths in the options may begin with
// the folder's, which change is told.
func site(t testing.TB, files map[string]string, change func(c *Config, dir string)) *world {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path, text)
	}
	c := Default()
	c.Root = dir
	if change != nil {
		change(&c, dir)
	}
	w := build(t, nil, nil)
	w.use(t, c)
	return w
}

func (w *world) use(t testing.TB, c Config) {
	t.Helper()
	made, err := w.NewSite(c, Material{})
	if err != nil {
		t.Fatal(err)
	}
	w.Use(made)
}

// ask sends a request for a path, or for a URL, past the network.
func (w *world) ask(method, target string, fields ...string) *httptest.ResponseRecorder {
	r := asking(method, target, fields...)
	reply := httptest.NewRecorder()
	w.answer(reply, r)
	return reply
}

// everything turns on all that may answer in the place of a file.
func everything(t testing.TB) func(c *Config, dir string) {
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Config, _ string) {
		c.Health, c.Ready, c.Metrics = true, true, true
		c.SecurityHeaders = "true"
		c.CORSAllowOrigins = List{"https://friend.example"}
		c.BasicAuth = "me:" + string(hash)
		c.Advanced.Redirects = []rules.Redirect{{Source: "/{old,health,metrics}", Destination: "/new", Kind: 302}}
		c.Advanced.Rewrites = []rules.Rewrite{{Source: "/{old,short}", Destination: "/long.html"}, {Source: "/broken", Destination: "nowhere"}}
		c.Advanced.Headers = []rules.Header{{Source: "**", Headers: map[string]string{"X-Mine": "yes"}}}
	}
}

// Whatever could answer a request, the first one in the order of static-web-server does; and whatever does, the security
// headers are there.
func TestOrder(t *testing.T) {
	w := site(t, map[string]string{"long.html": "long", "a.txt": "a"}, everything(t))
	const friend, stranger = "https://friend.example", "https://stranger.example"
	me, other := basic("me:secret"), basic("me:wrong")
	for _, c := range []struct {
		method, target, origin, password string
		maintenance                      bool
		want                             int
		mine                             bool // the configured header is there
	}{
		{"POST", "/health", stranger, "", true, 405, false},
		{"DELETE", "/", "", "", true, 405, false},
		{"GET", "/health", stranger, "", true, 200, false},
		{"GET", "/ready", stranger, "", true, 503, false},
		{"GET", "/ready", "", "", false, 200, false},
		{"GET", "/", stranger, "", true, 403, false},
		{"GET", "/", stranger, me, false, 403, false},
		{"GET", "//health", "", "", false, 401, false},
		{"GET", "/health/", "", "", false, 401, false},
		{"GET", "/x/../health", "", "", false, 401, false},
		{"GET", "/", friend, "", true, 401, false},
		{"GET", "/", friend, other, true, 401, false},
		{"GET", "/old", "", "", false, 401, false},
		{"GET", "/metrics", "", "", true, 401, false},
		{"GET", "/%6detrics", "", "", true, 401, false},
		{"GET", "/metrics", "", me, true, 200, false},
		{"GET", "/old", "", me, true, 503, false},
		{"OPTIONS", "/old", "", "", true, 503, false},
		{"GET", "/old", "", me, false, 302, false},
		{"GET", "/short", friend, me, false, 200, true},
		{"GET", "/broken", "", me, false, 500, false},
		{"GET", "/missing", "", me, false, 404, true},
		{"OPTIONS", "/a.txt", "", "", false, 204, true},
		{"GET", "/a.txt", "", me, false, 200, true},
	} {
		if w.vitals.maintenance.On() != c.maintenance {
			w.ToggleMaintenance()
		}
		fields := []string{}
		if c.origin != "" {
			fields = append(fields, "Origin", c.origin)
		}
		if c.password != "" {
			fields = append(fields, "Authorization", c.password)
		}
		reply := w.ask(c.method, c.target, fields...)
		h := reply.Header()
		if reply.Code != c.want || (h.Get("X-Mine") == "yes") != c.mine {
			t.Errorf("%+v: %d %v", c, reply.Code, h)
		}
		if h.Get("X-Frame-Options") != "DENY" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Content-Security-Policy") == "" || h.Get("Referrer-Policy") == "" {
			t.Errorf("%+v: %v", c, h)
		}
		if vary := strings.Join(h.Values("Vary"), ", "); c.want != 405 && !strings.HasPrefix(c.target, "/health") && c.target != "/ready" && !strings.Contains(vary, "origin") {
			t.Errorf("%+v: Vary: %s", c, vary)
		}
	}
}

// Configured headers are on all that was looked for among the files, whatever came of it; Cache-Control tells how long only of
// files.
func TestHeadersOfFiles(t *testing.T) {
	w := site(t, map[string]string{"index.html": "home", "a.css": "a", "dir/index.html": "d", "empty/x": "", "404.html": "gone"}, func(c *Config, dir string) {
		c.DirectoryListing = true
		c.SecurityHeaders = "true"
		c.FallbackPage = ""
		c.Advanced.Headers = []rules.Header{
			{Source: "**", Headers: map[string]string{"X-Mine": "one", "X-Frame-Options": "SAMEORIGIN"}},
			{Source: "/**/index.html", Headers: map[string]string{"X-Mine": "index"}},
		}
	})
	tag := w.ask("GET", "/a.css").Header().Get("Etag")
	for _, c := range []struct {
		target, cache, mine string
		want                int
		fields              []string
	}{
		{"/a.css", "max-age=31536000", "one", 200, nil},
		{"/a.css", "max-age=31536000", "one", 304, []string{"If-None-Match", tag}},
		{"/a.css", "max-age=31536000", "one", 206, []string{"Range", "bytes=0-0"}},
		{"/a.css", "", "one", 412, []string{"If-Match", `"x"`}},
		{"/a.css", "", "one", 416, []string{"Range", "bytes=9-"}},
		{"/", "max-age=86400", "index", 200, nil},
		{"/dir/", "max-age=86400", "index", 200, nil},
		{"/dir", "", "one", 308, nil},
		{"/empty/", "no-cache", "one", 200, nil},
		{"/missing.css", "no-cache", "one", 404, nil},
	} {
		reply := w.ask("GET", c.target, c.fields...)
		h := reply.Header()
		if reply.Code != c.want || h.Get("Cache-Control") != c.cache || h.Get("X-Mine") != c.mine || h.Get("X-Frame-Options") != "SAMEORIGIN" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s %v: %d %v", c.target, c.fields, reply.Code, h)
		}
	}
	if h := site(t, map[string]string{"a.css": "a"}, func(c *Config, _ string) { c.CacheControlHeaders = false }).ask("GET", "/a.css").Header(); h["Cache-Control"] != nil {
		t.Errorf("switched off: %v", h)
	}
}

// A reply to a handler's panic has the security headers and the site's page, too, and nothing of the reply that was begun.
func TestFailure(t *testing.T) {
	w := site(t, map[string]string{"50x.html": "sorry"}, func(c *Config, _ string) { c.SecurityHeaders = "true" })
	made, err := w.NewSite(w.siteConfig(t), Material{Welcome: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Etag", `"x"`)
		w.Header().Set("Content-Encoding", "br")
		panic("oh")
	})})
	if err != nil {
		t.Fatal(err)
	}
	w.Use(made)
	reply := w.ask("GET", "/")
	if h := reply.Header(); reply.Code != 500 || h.Get("X-Frame-Options") != "DENY" || h.Get("Etag") != "" || h.Get("Content-Encoding") != "" || h.Get("Cache-Control") != "no-cache" {
		t.Errorf("%d %v", reply.Code, h)
	}
	if len(w.log.entries(t, "handler failed; please report this")) != 1 {
		t.Errorf("the log says %s", w.log)
	}
}

// siteConfig is a configuration with a folder of its own and security headers.
func (w *world) siteConfig(t testing.TB) Config {
	c := Default()
	c.Root, c.SecurityHeaders = t.TempDir(), "true"
	return c
}

// Over TLS the security headers are sent unasked, and not at all where they are switched off.
func TestSecurityHeadersOverTLS(t *testing.T) {
	for option, want := range map[Automatic]bool{"": true, "true": true, "false": false} {
		w := site(t, map[string]string{"a.txt": "a"}, func(c *Config, _ string) { c.SecurityHeaders = option })
		for target, status := range map[string]int{"/a.txt": 200, "/missing": 404} {
			r := asking("GET", target)
			r.TLS, r.Host = &tls.ConnectionState{}, "www.example.com"
			reply := httptest.NewRecorder()
			w.answer(reply, r)
			if h := reply.Header(); reply.Code != status || (h.Get("Strict-Transport-Security") != "") != want || (h.Get("X-Frame-Options") != "") != want {
				t.Errorf("%q, %s: %d %v", option, target, reply.Code, h)
			}
		}
	}
}

// Each wrong option is told by its own key, all of them at once.
func TestOptionErrors(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "file"), "")
	wrong := Default()
	wrong.Root = filepath.Join(dir, "missing")
	wrong.CORSAllowOrigins = List{"example.com"}
	wrong.BasicAuth = "me:secret"
	wrong.Advanced.Redirects = []rules.Redirect{{Source: "/a", Destination: "/b", Kind: 301}, {Source: "/{a", Destination: "/b", Kind: 301}}
	wrong.Advanced.Rewrites = []rules.Rewrite{{Source: "/a", Destination: ""}}
	wrong.Advanced.Headers = []rules.Header{{Source: "/a", Headers: map[string]string{"Content-Length": "1"}}}
	wrong.Advanced.EarlyHints = []rules.EarlyHint{{Source: "/a", Links: []string{"style.css"}}}
	wrong.Advanced.VirtualHosts = []VirtualHost{
		{Host: "a.example", Root: filepath.Join(dir, "file")},
		{Host: "A.example", Root: dir, Redirects: []rules.Redirect{{Source: "/a", Destination: "/b", Kind: 200}}},
		{Root: dir},
		{Hosts: []string{"b.example", "http://c.example"}, Root: dir},
		{Host: "d.example", Root: dir, Page404: "."},
		{Host: "e.example", Root: dir, Page50x: "."},
		{Host: "f.example"},
	}
	want := []string{"root", "cors-allow-origins", "basic-auth", "advanced.redirects[1].source", "advanced.rewrites[0].destination",
		"advanced.headers[0].headers", "advanced.early-hints[0].links", "advanced.virtual-hosts[0].root", "advanced.virtual-hosts[1].host",
		"advanced.virtual-hosts[1].redirects[0].kind", "advanced.virtual-hosts[2]", "advanced.virtual-hosts[3].hosts[1]",
		"advanced.virtual-hosts[4].page404", "advanced.virtual-hosts[5].page50x", "root"}
	w := build(t, nil, nil)
	made, err := w.NewSite(wrong, Material{})
	if got := optionsOf(err); made != nil || !sameElements(got, want) {
		t.Errorf("%v\ngot  %q\nwant %q", made, got, want)
	}
	for option, change := range map[string]func(*Config){
		"cors-allow-headers":  func(c *Config) { c.CORSAllowOrigins, c.CORSAllowHeaders = List{"*"}, List{"a b"} },
		"cors-expose-headers": func(c *Config) { c.CORSAllowOrigins, c.CORSExposeHeaders = List{"*"}, List{""} },
		"basic-auth-file":     func(c *Config) { c.BasicAuthFile = filepath.Join(dir, "missing") },
		"page404":             func(c *Config) { c.ErrorPage_404 = dir },
		"page50x":             func(c *Config) { c.ErrorPage_50x = dir },
	} {
		c := Default()
		c.Root = dir
		change(&c)
		if _, err := w.NewSite(c, Material{}); !slices.Equal(optionsOf(err), []string{option}) {
			t.Errorf("%s: %v", option, err)
		}
	}
}

// optionsOf are the options of all the errors that are joined in one.
func optionsOf(err error) (options []string) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			options = append(options, optionsOf(one)...)
		}
		return options
	}
	if wrong, ok := errors.AsType[*OptionError](err); ok {
		return []string{wrong.Option}
	}
	return []string{fmt.Sprint("no option: ", err)}
}

func sameElements(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// While the site is replaced over and over, every request is answered whole by one of the two sites.
func TestUseWhileRequestsRun(t *testing.T) {
	w, next := replacing(t)
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for range 2 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if reply := w.ask("GET", "/a.txt"); reply.Code != 200 || reply.Body.String() != "blue" && reply.Body.String() != "green" {
					t.Errorf("%d %q", reply.Code, reply.Body)
					return
				}
			}
		})
	}
	for i := range 20 {
		next(i)
	}
	close(stop)
	clients.Wait()
}

// The folders of sites that were replaced are closed, however often that happens.
func TestUseClosesFolders(t *testing.T) {
	_, next := replacing(t)
	before, most := descriptors(t), 0
	for i := range 200 {
		next(i)
		most = max(most, descriptors(t))
	}
	if most > before+100 { // each site has two folders: without closing it would be 400
		t.Errorf("%d descriptors were open, %d before", most, before)
	}
	eventually(t, "the folders of replaced sites are closed", func() bool { runtime.GC(); return descriptors(t) <= before+2 })
}

// replacing makes a server, and what replaces its site by the i-th other one.
func replacing(t *testing.T) (w *world, next func(i int)) {
	var config Config
	w = site(t, map[string]string{"blue/a.txt": "blue", "green/a.txt": "green"}, func(c *Config, dir string) {
		config = *c
		c.Root = filepath.Join(dir, "blue")
	})
	root := config.Root
	return w, func(i int) {
		config.Root = filepath.Join(root, []string{"blue", "green"}[i%2])
		config.Advanced.VirtualHosts = []VirtualHost{{Host: fmt.Sprintf("h%d.example", i%3), Root: root}}
		w.use(t, config)
	}
}

// descriptors is how many this process has open.
func descriptors(t testing.TB) int {
	t.Helper()
	list, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(list)
}

// What survives a reload: the maintenance switch, the counts, and the passwords that were checked.
func TestUseKeeps(t *testing.T) {
	w := site(t, map[string]string{"a.txt": "a"}, everything(t))
	w.ToggleMaintenance()
	c := Default()
	c.Root, c.Metrics = t.TempDir(), true
	w.use(t, c)
	if reply := w.ask("GET", "/"); reply.Code != 503 {
		t.Errorf("maintenance mode ends with a reload: %d", reply.Code)
	}
	if reply := w.ask("GET", "/metrics"); reply.Code != 200 || !strings.Contains(reply.Body.String(), "sws_http_requests_total") {
		t.Errorf("%d %s", reply.Code, reply.Body)
	}
	if reply := w.ask("GET", "/health"); reply.Code != 503 {
		t.Errorf("what the new options do not have still answers: %d", reply.Code)
	}
}

// The welcome page takes the place of the root's files, and of nothing else.
func TestWelcome(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.txt"), "of the host")
	c := Default()
	c.Root, c.Health = filepath.Join(dir, "missing"), true
	c.Advanced.VirtualHosts = []VirtualHost{{Host: "a.example", Root: dir}}
	w := build(t, nil, nil)
	made, err := w.NewSite(c, Material{Welcome: saying("welcome")})
	if err != nil {
		t.Fatal(err)
	}
	w.Use(made)
	for target, want := range map[string]string{"/x": "welcome", "/health": "OK", "http://a.example/a.txt": "of the host"} {
		body, err := io.ReadAll(w.ask("GET", target).Body)
		if string(body) != want || err != nil {
			t.Errorf("%s: %q, %v", target, body, err)
		}
	}
}
