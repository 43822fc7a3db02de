package files

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/server/tree"
)

func TestResolve(t *testing.T) {
	const refused = "refused"
	for path, want := range map[string]string{
		"": "./", "/": "./", "//": "./", "/.": "./", "/..": "./", "/../": "./",
		"/a": "a", "/a/": "a/", "/a/b": "a/b", "//a": "a", "/a//b": "a/b", "/a/b//": "a/b/",
		"/./a": "a", "/a/./b": "a/b", "/a/.": "a/", "/a/..": "./", "/a/../b": "b", "/a/b/..": "a/", "/a/b/../": "a/", "/a/b/../c": "a/c",
		"/../a": "a", "/../../etc/passwd": "etc/passwd", "/a/../../b": "b", "/a/b/../../../c": "c",
		"/a//../b": "a/b", "//../a": "a", // RFC 3986 §5.2.4: an empty segment is one
		"/a b": "a b", "/ü": "ü", "/%": "%", "/a?b": "a?b", "/a#b": "a#b", "/\xff\xfe": "\xff\xfe", "/a:b": "a:b", "/~a": "~a",
		"/a.": "a.", "/a..b": "a..b", "/a/b.": "a/b.", "/ .a": " .a",
		"/.well-known": ".well-known", "/.well-known/": ".well-known/", "/.well-known/security.txt": ".well-known/security.txt",
		"/a/../.well-known/x": ".well-known/x", "/.git/../a": "a",

		"*": refused, "a": refused, "../a": refused, "http://host/a": refused,
		"/\\": refused, "/a\\b": refused, "/..\\a": refused, "/\\evil.example": refused,
		"/\x00": refused, "/a\x00.txt": refused, "/a\nb": refused, "/a\x7f": refused, "/\r": refused,
		"/" + strings.Repeat("a/", 2047) + "b": strings.Repeat("a/", 2047) + "b",
		"/" + strings.Repeat("a/", 2048):       refused,
	} {
		target, ok := resolve(path)
		got := refused
		if ok {
			got = target.name
			if target.directory {
				got += "/"
			}
		}
		if got != want {
			t.Errorf("%.60q is %.60q, want %.60q", path, got, want)
		}
	}
}

func TestLocation(t *testing.T) {
	for _, test := range []struct{ path, query, want string }{
		{"/", "", "/"},
		{"/a", "", "/a/"},
		{"//evil.example", "", "/evil.example/"},
		{"/a", "b=c?d", "/a/?b=c?d"},
		{"/a?b#c%d e", "x", "/a%3Fb%23c%25d%20e/?x"},
		{"/ü", "", "/%C3%BC/"},
		{"/a//b/../c", "", "/a/c/"}, // the empty segment is "/b/.." of nothing: a, "", c
	} {
		target, ok := resolve(test.path)
		if got := withQuery(location(target.name, true), test.query); !ok || got != test.want {
			t.Errorf("location of %q is %q, want %q", test.path, got, test.want)
		}
	}
}

func FuzzResolve(f *testing.F) {
	for _, seed := range []string{
		"", "/", "/a/b.html", "//evil.example/..", "/%2e%2e/", "/../../etc/passwd", "/..\\..\\x", "/a\x00b", "/.well-known/.x",
		"/a/./b/../c//d/", "/\xff", "/\u200c.git", "*", "/.../...", "/..;/x", "/.well-known/../.git", "/a/..", strings.Repeat("/..", 3000),
	} {
		f.Add(seed, "q=1")
	}
	f.Fuzz(func(t *testing.T, path, query string) {
		target, ok := resolve(path)
		if !ok {
			return
		}
		if !filepath.IsLocal(target.name) || filepath.Clean(target.name) != target.name || len(target.name) > maxPath {
			t.Fatalf("%q leads to %q", path, target.name)
		}
		if strings.ContainsAny(target.name, "\\\x00\r\n") {
			t.Fatalf("%q leads to %q", path, target.name)
		}
		again, ok := resolve("/" + target.name)
		if !ok || again.name != target.name {
			t.Fatalf("%q is %q, which is %q", path, target.name, again.name)
		}
		location, _, _ := strings.Cut(withQuery(location(target.name, true), query), "?")
		if location[0] != '/' || location[len(location)-1] != '/' || strings.HasPrefix(location, "//") || strings.ContainsAny(location, "\\ \r\n") {
			t.Fatalf("%q is sent to %q", path, location)
		}
	})
}

// Paths as attackers send them, byte by byte: whatever net/http makes of them, nothing from
// outside the root or hidden in it may come back.
func TestAttacksOverTheWire(t *testing.T) {
	dir, h := site(t, map[string]string{
		"a.txt": "public", "dir/b.txt": "public", ".env": "SECRET", "dir/.git/config": "SECRET", ".well-known/.env": "SECRET", ".well-known/x": "public",
	})
	write(t, filepath.Join(filepath.Dir(dir), "outside.txt"), "SECRET")
	write(t, filepath.Join(filepath.Dir(dir), "site-2", "outside.txt"), "SECRET")
	server := httptest.NewServer(h)
	defer server.Close()
	for _, test := range []struct {
		target string
		status int
	}{
		{"/a.txt", 200}, {"/%61.txt", 200}, {"/dir/../a.txt", 200}, {"/%2e%2e/a.txt", 200}, {"/%2E./.%2e/a.txt", 200}, {"/x%2f..%2fa.txt", 200},
		{"http://other.example/a.txt", 200}, {"//a.txt", 200}, {"///dir//b.txt", 200}, {"/.well-known/x", 200}, {"/dir/%2e%2e/.well-known/x", 200},
		{"/../outside.txt", 404}, {"/../../outside.txt", 404}, {"/%2e%2e/outside.txt", 404}, {"/%2e%2e%2foutside.txt", 404}, {"/..%2foutside.txt", 404},
		{"/%252e%252e/outside.txt", 404}, {"/..%252foutside.txt", 404}, {"/%c0%ae%c0%ae/outside.txt", 404}, {"/..%c0%afoutside.txt", 404},
		{"/..\\outside.txt", 404}, {"/..%5coutside.txt", 404}, {"/%2e%2e%5c%2e%2e%5coutside.txt", 404}, {"/dir\\..\\..\\outside.txt", 404},
		{"/../site-2/outside.txt", 404}, {"/dir/../../outside.txt", 404}, {"/dir/..%00/../outside.txt", 404}, {"/....//outside.txt", 404}, {"/..;/outside.txt", 404},
		{"/" + strings.Repeat("../", 40) + "etc/passwd", 404}, {"/" + strings.Repeat("%2e%2e/", 40) + "etc/passwd", 404},
		{"//etc/passwd", 404}, {"/%2fetc/passwd", 404}, {"/" + strings.Repeat("a", 300), 404}, {"/" + strings.Repeat("dir/../", 900) + "a.txt", 404},
		{"/a.txt%00", 404}, {"/a.txt%00.html", 404}, {"/%00", 404}, {"/a.txt%0a", 404}, {"/a.txt%7f", 404}, {"/a.txt%20", 404}, {"/a.txt.", 404},
		{"/.env", 404}, {"/%2eenv", 404}, {"/dir/.git/config", 404}, {"/dir/%2egit/config", 404}, {"/.well-known/.env", 404}, {"/.well-known/%2Eenv", 404},
		{"/.well-known/../.env", 404}, {"/./.env", 404}, {"/a.txt::$DATA", 404}, {"/a.txt/..namedfork/rsrc", 404},
	} {
		status, body := fetchRaw(t, server.Listener.Addr().String(), test.target)
		if status != test.status || strings.Contains(body, "SECRET") {
			t.Errorf("%.60s: %d, want %d; %.40q", test.target, status, test.status, body)
		}
	}
}

func fetchRaw(t *testing.T, address, target string) (int, string) {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	connection.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(connection, "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", target)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

func TestOddNames(t *testing.T) {
	names := []string{
		"a b.txt", "grüße.txt", "日本語.txt", "100%.txt", "%41.txt", "what?.txt", "a#b.txt", "a+b&c=d;e,f.txt", "'quotes\".txt", "<b>.txt",
		"\xff\xfe.txt", "~user.txt", "a:b.txt", "a..txt",
	}
	dir, h := site(t, nil)
	for _, name := range names {
		write(t, filepath.Join(dir, name), name)
		var target strings.Builder
		for _, c := range []byte(name) {
			fmt.Fprintf(&target, "%%%02X", c)
		}
		if w := ask(h, "GET", "/"+target.String()); w.Code != 200 || w.Body.String() != name {
			t.Errorf("%q: %d %q", name, w.Code, w.Body)
		}
	}
}

// What each request costs before anything is sent: its path made a name, and the name opened and described.
func BenchmarkLookup(b *testing.B) {
	dir := folder(b, map[string]string{"assets/css/site.css": "x", "page.html": "x", "docs/index.html": "x"})
	root, err := tree.Open(dir, tree.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer root.Close()
	h := New(root, usual()).(*handler)
	for name, path := range map[string]string{"file": "/assets/css/site.css", "page": "/page", "index": "/docs/", "missing": "/assets/css/none.css"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				target, ok := resolve(path)
				if !ok {
					b.Fatal(path)
				}
				if f, err := h.find(target, false); err == nil {
					f.close()
				}
			}
		})
	}
}
