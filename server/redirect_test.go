package server

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// A visitor of the http address lands on the https one of the same host, path and query, whatever the host looks like; and
// nobody makes the server send people elsewhere.
func TestRedirectTarget(t *testing.T) {
	for _, c := range []struct {
		name   string
		from   Redirect
		host   string
		target string // as in the request line
		want   string // empty: 400
	}{
		{"a name", Redirect{Port: 443}, "example.com", "/", "https://example.com/"},
		{"a name with port", Redirect{Port: 443}, "example.com:80", "/a/b?c=d", "https://example.com/a/b?c=d"},
		{"another port", Redirect{Port: 8443}, "example.com:8080", "/", "https://example.com:8443/"},
		{"no port known", Redirect{}, "example.com", "/", "https://example.com/"},
		{"an empty port", Redirect{Port: 443}, "example.com:", "/", "https://example.com/"},
		{"capitals", Redirect{Port: 443}, "EXAMPLE.com", "/", "https://EXAMPLE.com/"},
		{"IPv4", Redirect{Port: 8443}, "192.0.2.1", "/", "https://192.0.2.1:8443/"},
		{"IPv6", Redirect{Port: 443}, "[2001:db8::1]", "/", "https://[2001:db8::1]/"},
		{"IPv6 with port", Redirect{Port: 8443}, "[::1]:8080", "/", "https://[::1]:8443/"},
		{"a name with _ and -", Redirect{Port: 443}, "a_b-c.example", "/", "https://a_b-c.example/"},
		{"escapes stay", Redirect{Port: 443}, "x", "/a%20b%2Fc?d=%26", "https://x/a%20b%2Fc?d=%26"},
		{"an empty query stays", Redirect{Port: 443}, "x", "/a?", "https://x/a?"},
		{"two slashes", Redirect{Port: 443}, "x", "//evil.example/", "https://x//evil.example/"},
		{"absolute form", Redirect{Port: 443}, "y.example", "http://y.example/a?b", "https://y.example/a?b"},
		{"own host", Redirect{Port: 8443, Host: "www.example.com"}, "example.com", "/a", "https://www.example.com:8443/a"},
		{"own IPv6 host", Redirect{Port: 443, Host: "::1"}, "example.com", "/", "https://[::1]/"},
		{"listed", Redirect{Port: 443, Hosts: Hosts{"a.example", "b.example"}}, "B.example:80", "/", "https://B.example/"},
		{"listed address", Redirect{Port: 443, Hosts: Hosts{"::1"}}, "[::1]:80", "/", "https://[::1]/"},
		{"listed, to another", Redirect{Port: 443, Host: "w.example", Hosts: Hosts{"a.example"}}, "a.example", "/", "https://w.example/"},

		{"not listed", Redirect{Port: 443, Hosts: Hosts{"a.example"}}, "c.example", "/", ""},
		{"a listed one within", Redirect{Port: 443, Hosts: Hosts{"a.example"}}, "a.example.evil.example", "/", ""},
		{"no host", Redirect{Port: 443}, "", "/", ""},
		{"no host, own host", Redirect{Port: 443, Host: "w.example"}, "", "/", ""},
		{"a path", Redirect{Port: 443}, "example.com/evil", "/", ""},
		{"a user", Redirect{Port: 443}, "user@evil.example", "/", ""},
		{"a space", Redirect{Port: 443}, "a b", "/", ""},
		{"a quote", Redirect{Port: 443}, `a"b`, "/", ""},
		{"an escape", Redirect{Port: 443}, "a%20b", "/", ""},
		{"a line end", Redirect{Port: 443}, "a\r\nSet-Cookie: x", "/", ""},
		{"a letter that looks like one", Redirect{Port: 443}, "exаmple.com", "/", ""},
		{"a zone", Redirect{Port: 443}, "[fe80::1%25eth0]", "/", ""},
		{"a bare zone", Redirect{Port: 443}, "fe80::1%eth0", "/", ""},
		{"a port that is none", Redirect{Port: 443}, "example.com:http", "/", ""},
		{"a port too large", Redirect{Port: 443}, "example.com:65536", "/", ""},
		{"too long", Redirect{Port: 443}, strings.Repeat("a", 254), "/", ""},
		{"brackets around nothing", Redirect{Port: 443}, "[]", "/", ""},
		{"brackets in brackets", Redirect{Port: 443}, "[[::1]]", "/", ""},
	} {
		u, err := url.ParseRequestURI(c.target)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := c.from.target(&http.Request{Host: c.host, URL: u})
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%s: %q, %t, want %q", c.name, got, ok, c.want)
		}
	}
	for _, uri := range []string{"*", "example.com:443"} { // OPTIONS *, CONNECT
		if got, ok := (&Redirect{Port: 443}).target(&http.Request{Host: "x", URL: &url.URL{Opaque: uri}}); got != "https://x/" || !ok {
			t.Errorf("%s: %q, %t", uri, got, ok)
		}
	}
}

// Whatever a client writes as its host, a redirect's Location is a well-formed https address of that host and nothing more.
func FuzzRedirectTarget(f *testing.F) {
	for _, host := range []string{"example.com:80", "[::1]:80", "::1", "a@b", "a b", "[fe80::1%25x]", "", "\x00", "a:b:c"} {
		f.Add(host, "/a%20b?c=d")
	}
	f.Fuzz(func(t *testing.T, host, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		got, ok := (&Redirect{Port: 8443}).target(&http.Request{Host: host, URL: u})
		if !ok {
			return
		}
		back, err := url.Parse(got)
		if err != nil || back.Scheme != "https" || back.User != nil || back.Port() != "8443" || back.Hostname() == "" || back.Fragment != "" || !strings.Contains(host, back.Hostname()) {
			t.Errorf("host %q, %q: %q is %+v, %v", host, path, got, back, err)
		}
	})
}

// Readers are redirected for good and their method is kept where it matters; a host that is not ours gets a page that says
// so, and sockets without redirect serve.
func TestRedirected(t *testing.T) {
	noLeaks(t)
	l, secure := listen(t), listen(t)
	only := &Redirect{Port: 8443, Hosts: Hosts{"127.0.0.1"}}
	build(t, saying("here"), nil).serve(t, Socket{Listener: l, Redirect: only}, Socket{Listener: secure, TLS: true})
	c := browser(t, "h1")
	for method, want := range map[string]int{"GET": 301, "HEAD": 301, "POST": 308, "PUT": 308, "DELETE": 308, "OPTIONS": 308} {
		r, err := http.NewRequestWithContext(within(t), method, "http://"+l.Addr().String()+"/a?b", nil)
		if err != nil {
			t.Fatal(err)
		}
		reply, err := c.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		reply.Body.Close()
		if reply.StatusCode != want || reply.Header.Get("Location") != "https://127.0.0.1:8443/a?b" || reply.ContentLength != 0 {
			t.Errorf("%s: %d, Location %q, length %d", method, reply.StatusCode, reply.Header.Get("Location"), reply.ContentLength)
		}
		r.Host = "evil.example"
		if reply, err = c.Do(r); err != nil {
			t.Fatal(err)
		}
		reply.Body.Close()
		if reply.StatusCode != 400 || reply.Header.Get("Location") != "" {
			t.Errorf("%s for another host: %d, Location %q", method, reply.StatusCode, reply.Header.Get("Location"))
		}
	}
	reply, err := c.Get("https://" + secure.Addr().String())
	if err != nil || reply.StatusCode != 200 {
		t.Fatalf("the https socket: %v, %v", reply, err)
	}
	reply.Body.Close()
	c.CloseIdleConnections()
}

// A handler that is asked without a connection, as by the watchdog, is not redirected.
func TestRedirectWithoutConnection(t *testing.T) {
	w := build(t, saying("here"), nil)
	reply := httptest.NewRecorder()
	w.answer(reply, httptest.NewRequest("GET", "/", nil))
	if reply.Code != 200 || reply.Body.String() != "here" {
		t.Errorf("%d, %q", reply.Code, reply.Body)
	}
}

// The redirect carries the security headers that were asked for, as every reply does.
func TestRedirectHasSecurityHeaders(t *testing.T) {
	t.Parallel()
	l := listen(t)
	build(t, saying("here"), func(c *Config) { c.SecurityHeaders = "true" }).serve(t, Socket{Listener: l, Redirect: &Redirect{Port: 443}})
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	reply, err := client.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	reply.Body.Close()
	if reply.StatusCode != 301 || reply.Header.Get("X-Frame-Options") != "DENY" || reply.Header.Get("Strict-Transport-Security") != "" {
		t.Errorf("%d %v", reply.StatusCode, reply.Header)
	}
}
