package server

import (
	"crypto/tls"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// sent is the reply of a link, and of what it lets through, to a request.
func sent(l link, next http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	l(next).ServeHTTP(w, r)
	return w
}

// asking is a request with header fields given as name and value.
func asking(method, target string, fields ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	r.TLS = nil
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	return r
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	always := map[string]string{
		"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "frame-ancestors 'self'",
		"Referrer-Policy": "strict-origin-when-cross-origin",
	}
	unknown := func(*http.Request) bool { return true }
	known := func(*http.Request) bool { return false }
	for _, c := range []struct {
		option       Automatic
		tls          bool
		host         string
		untrusted    func(*http.Request) bool
		some, strict bool
	}{
		{"", false, "example.com", nil, false, false},
		{"", true, "example.com", nil, true, true},
		{"", true, "EXAMPLE.com:8443", known, true, true},
		{"", true, "example.com", unknown, true, false},
		{"true", false, "example.com", nil, true, false},
		{"true", true, "example.com", nil, true, true},
		{"false", true, "example.com", nil, false, false},
		{"", true, "localhost", nil, true, false},
		{"", true, "localhost.:8443", nil, true, false},
		{"", true, "a.LOCALHOST", nil, true, false},
		{"", true, "notlocalhost", nil, true, true},
		{"", true, "192.0.2.1", nil, true, false},
		{"", true, "[2001:db8::1]:8443", nil, true, false},
		{"", true, "[2001:db8::1]", nil, true, false},
		{"", true, "", nil, true, false},
	} {
		r := asking("GET", "/")
		r.Host = c.host
		if c.tls {
			r.TLS = &tls.ConnectionState{}
		}
		header := sent(securityHeaders(Config{SecurityHeaders: c.option}, c.untrusted), http.NotFoundHandler(), r).Header()
		want := ""
		if c.strict {
			want = "max-age=63072000; includeSubDomains; preload"
		}
		if got := header.Get("Strict-Transport-Security"); got != want {
			t.Errorf("%+v: Strict-Transport-Security: %q", c, got)
		}
		for _, name := range slices.Sorted(maps.Keys(always)) {
			want := always[name]
			if !c.some {
				want = ""
			}
			if name == "X-Content-Type-Options" && !c.some {
				continue // http.Error sets it
			}
			if got := header.Get(name); got != want {
				t.Errorf("%+v: %s: %q", c, name, got)
			}
		}
	}
}

func TestSecurityHeadersCanBeChanged(t *testing.T) {
	t.Parallel()
	w := sent(securityHeaders(Config{SecurityHeaders: "true"}, nil), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
	}), asking("GET", "/"))
	if got := w.Header().Get("Content-Security-Policy"); got != "default-src 'self'" {
		t.Error(got)
	}
}

func TestCheckMethod(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]int{
		"GET": 200, "HEAD": 200, "OPTIONS": 200, "POST": 405, "PUT": 405, "PATCH": 405, "DELETE": 405, "TRACE": 405, "CONNECT": 405, "BREW": 405, "get": 405,
	} {
		r := asking("GET", "/")
		r.Method = method
		w := sent(checkMethod, saying("x"), r)
		if w.Code != want || want == 405 && (w.Header().Get("Allow") != "GET, HEAD, OPTIONS" || !strings.Contains(w.Body.String(), "<h1>405")) {
			t.Errorf("%s: %d %v", method, w.Code, w.Header())
		}
	}
}
