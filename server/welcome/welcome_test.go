package welcome

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func example() Page {
	return Page{
		Version: "v1.2.3",
		Folder:  "/home/ada/my-site",
		Sockets: []Socket{
			{Address: "127.0.0.1:8443", Role: "https", Source: "bound by Rouse"},
			{Name: "web", Address: "[::1]:8080", Role: "http", Source: "systemd"},
		},
		URLs:        []string{"https://localhost:8443/", "http://localhost:8080/"},
		Certificate: "development certificate, SHA-256 AB:CD, until 2027-12-24",
	}
}

func answer(p Page, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	Handler(p).ServeHTTP(w, r)
	return w
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		method, path string
		status       int
		header, want string
	}{
		{"GET", "/", 200, "Content-Type", "text/html; charset=utf-8"},
		{"GET", "/?from=bookmark", 200, "Content-Type", "text/html; charset=utf-8"},
		{"GET", "/welcome.css", 200, "Content-Type", "text/css; charset=utf-8"},
		{"GET", "/mark.svg", 200, "Content-Type", "image/svg+xml"},
		{"HEAD", "/", 200, "Content-Type", "text/html; charset=utf-8"},
		{"GET", "/index.html", 308, "Location", "/"},
		{"HEAD", "/index.html", 308, "Location", "/"},
		{"GET", "/welcome.html", 404, "ETag", ""},
		{"GET", "/../welcome.go", 404, "ETag", ""},
		{"GET", "//", 404, "ETag", ""},
		{"POST", "/", 405, "Allow", "GET, HEAD"},
		{"DELETE", "/elsewhere", 405, "Allow", "GET, HEAD"},
		{"OPTIONS", "*", 405, "Allow", "GET, HEAD"},
	} {
		w := answer(example(), c.method, c.path)
		if w.Code != c.status || w.Header().Get(c.header) != c.want {
			t.Errorf("%s %s: %d, %s %q; want %d, %q", c.method, c.path, w.Code, c.header, w.Header().Get(c.header), c.status, c.want)
		}
	}
}

func TestHeaders(t *testing.T) {
	for _, path := range []string{"/", "/welcome.css", "/mark.svg"} {
		h := answer(example(), "GET", path).Header()
		for name, want := range map[string]string{
			"Content-Security-Policy":   "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":    "nosniff",
			"Cache-Control":             "no-cache",
			"Strict-Transport-Security": "",
			"Last-Modified":             "",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if etag := h.Get("ETag"); !strings.HasPrefix(etag, `"`) {
			t.Errorf("%s: ETag %s is not a strong one", path, etag)
		}
	}
}

func TestHead(t *testing.T) {
	get, head := answer(example(), "GET", "/"), answer(example(), "HEAD", "/")
	if head.Body.Len() != 0 {
		t.Errorf("HEAD / has a body of %d bytes", head.Body.Len())
	}
	for _, name := range []string{"Content-Length", "ETag", "Content-Type"} {
		if g, h := get.Header().Get(name), head.Header().Get(name); g != h || g == "" {
			t.Errorf("%s: GET %q, HEAD %q", name, g, h)
		}
	}
}

func TestConditional(t *testing.T) {
	etag := answer(example(), "GET", "/").Header().Get("ETag")
	if w := answer(example(), "GET", "/", "If-None-Match", etag); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("If-None-Match with the current tag: %d, %d bytes", w.Code, w.Body.Len())
	}
	if w := answer(example(), "GET", "/", "If-Match", `"other"`); w.Code != http.StatusPreconditionFailed {
		t.Errorf("If-Match with another tag: %d", w.Code)
	}
	other := example()
	other.Folder = "/elsewhere"
	if w := answer(other, "GET", "/", "If-None-Match", etag); w.Code != http.StatusOK {
		t.Errorf("If-None-Match after the page changed: %d", w.Code)
	}
}

func TestPageTellsWhatIsServed(t *testing.T) {
	body := answer(example(), "GET", "/").Body.String()
	for _, want := range []string{
		"Servers that sleep until someone knocks.",
		"v1.2.3",
		"/home/ada/my-site",
		`<a href="https://localhost:8443/">https://localhost:8443/</a>`,
		"<code>127.0.0.1:8443</code>",
		"systemd as <code>web</code>",
		"SHA-256 AB:<wbr>CD",
		"warns once",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not contain %q", want)
		}
	}
	if strings.Contains(body, "{{") {
		t.Error("the page has a placeholder that nobody filled")
	}
	plain := example()
	plain.Certificate = ""
	if strings.Contains(answer(plain, "GET", "/").Body.String(), "Certificate") {
		t.Error("the page tells of a certificate where there is none")
	}
}

// A folder may be named anything but a slash and a zero byte; so may a unix socket.
func TestHostileText(t *testing.T) {
	const hostile = `/tmp/"><script>alert('1')</script>&{{version}}`
	p := Page{
		Version:     hostile,
		Folder:      hostile,
		URLs:        []string{hostile},
		Sockets:     []Socket{{hostile, hostile, hostile, hostile}},
		Certificate: hostile,
	}
	body := answer(p, "GET", "/").Body.String()
	if strings.Contains(body, "<script") {
		t.Error("hostile text reached the page as HTML")
	}
	const escaped = `/tmp/&#34;&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;{{version}}`
	if n := strings.Count(body, escaped); n != 9 { // the address of a link stands there twice, and each once in version, folder, 4 socket fields, certificate
		t.Errorf("the escaped text stands %d times on the page, want 9", n)
	}
}

func TestCommandFitsTheSystem(t *testing.T) {
	if got := activation("linux"); !strings.Contains(got, "systemd-socket-activate") {
		t.Errorf("linux: %s", got)
	}
	if got := activation("darwin"); strings.Contains(got, "systemd") || !strings.Contains(got, "rouse sockets") {
		t.Errorf("darwin: %s", got)
	}
}
