package site

import (
	"net/http"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// Without this, two sites would need two servers: each host has its own files, pages, fallback, headers, redirects.
func TestVirtualHosts(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{
		"public/404.html": "no such general page",
		"a/home.htm":      "host a",
		"a/sub/x.txt":     "x",
		"a/lost.html":     "lost in a",
		"b/index.html":    "host b",
		"b/app.html":      "the app of b",
		"rouse.toml": `
			[general]
			root = "@/public"
			[[advanced.headers]]
			source = "**"
			headers = { X-From = "general", X-All = "yes" }

			[[advanced.virtual-hosts]]
			host = "a.example"
			root = "@/a"
			index-files = ["home.htm"]
			page404 = "@/a/lost.html"
			[[advanced.virtual-hosts.headers]]
			source = "**"
			headers = { X-From = "a" }
			[[advanced.virtual-hosts.redirects]]
			source = "/old/{*}"
			destination = "/sub/$1"
			kind = 301
			[[advanced.virtual-hosts.rewrites]]
			source = "/y.txt"
			destination = "/sub/x.txt"

			[[advanced.virtual-hosts]]
			host = "*.b.example"
			hosts = ["b.example"]
			root = "@/b"
			page-fallback = "@/b/app.html"
			`,
	})
	for _, c := range []struct {
		host, path string
		status     int
		body, from string
	}{
		{"other.example", "/", 200, "general", "general"},
		{"other.example", "/nothing", 404, "no such general page", "general"},
		{"a.example", "/", 200, "host a", "a"},
		{"A.EXAMPLE:81", "/", 200, "host a", "a"},
		{"a.example.", "/y.txt", 200, "x", "a"},
		{"a.example", "/nothing", 404, "lost in a", "a"},
		{"other.example", "/sub/x.txt", 404, "no such general page", "general"},
		{"b.example", "/", 200, "host b", "general"},
		{"www.b.example", "/any/where", 200, "the app of b", "general"},
		{"xb.example", "/", 200, "general", "general"},
	} {
		r := s.get(c.path, "Host", c.host)
		s.is(r, c.status, c.body)
		if from := r.Header.Get("X-From"); from != c.from || r.Header.Get("X-All") != "yes" {
			t.Errorf("%s%s: headers are of %q, X-All %q", c.host, c.path, from, r.Header.Get("X-All"))
		}
	}
	r := s.get("/old/x.txt", "Host", "a.example")
	if r.StatusCode != 301 || r.Header.Get("Location") != "/sub/x.txt" {
		t.Errorf("a's redirect: %d to %q", r.StatusCode, r.Header.Get("Location"))
	}
	s.is(s.get("/old/x.txt", "Host", "b.example"), 200, "the app of b")
}

// Without this, browsers would refuse the second host's certificate.
func TestCertificatePerHost(t *testing.T) {
	t.Parallel()
	certA, keyA, poolA := program.KeyPair(t, t.TempDir(), "a.example")
	certB, keyB, poolB := program.KeyPair(t, t.TempDir(), "www.b.example", "b.example")
	cert, key, pool := program.KeyPair(t, t.TempDir(), "general.example")
	s := newSite(t, map[string]string{
		"a/index.html": "host a",
		"rouse.toml": `
			[general]
			tls-cert = "` + cert + `"
			tls-key = "` + key + `"
			[[advanced.virtual-hosts]]
			host = "a.example"
			root = "@/a"
			tls-cert = "` + certA + `"
			tls-key = "` + keyA + `"
			[[advanced.virtual-hosts]]
			hosts = ["b.example", "*.b.example"]
			tls-cert = "` + certB + `"
			tls-key = "` + keyB + `"
			`,
	})
	s.shows("a.example", poolA)
	s.shows("A.Example", poolA)
	s.shows("b.example", poolB)
	s.shows("www.b.example", poolB)
	s.shows("general.example", pool)
	if leaf := s.shows("", nil); leaf.DNSNames[0] != "general.example" {
		t.Errorf("without SNI the certificate is for %q", leaf.DNSNames)
	}
	s.scheme, s.client = "https", program.Client(t, pool).HTTP2
	s.client.Transport.(*http.Transport).TLSClientConfig.InsecureSkipVerify = true
	s.is(s.get("/", "Host", "a.example"), 200, "host a")
	s.is(s.get("/", "Host", "b.example"), 200, "general")
}
