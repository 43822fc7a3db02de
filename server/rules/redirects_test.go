package rules

import (
	"errors"
	"strings"
	"testing"
)

func redirects(t testing.TB, entries ...Redirect) *Redirects {
	t.Helper()
	r, err := NewRedirects(entries)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// worked are the cases of static-web-server's own tests.
var worked = []Redirect{
	{Host: "127.0.0.1:1234", Source: "/{*}", Destination: "http://new.example/$1", Kind: 301},
	{Source: "/docs/{*}.html", Destination: "http://new.example/?d=$1", Kind: 301},
	{Source: "**/site.{css}", Destination: "/new/theme.$2", Kind: 301},
	{Source: "/{one,two}.css", Destination: "/new/$1.min.css", Kind: 301},
	{Source: "/{red,green,b}-part.{x,yy,z}", Destination: "/new/$1.part.$2", Kind: 302},
	{Source: "/js/{*}.{js,mjs}", Destination: "/new/$1.$2", Kind: 302},
	{Source: "**/{*}.{jpg,jpeg}", Destination: "/img/$2.$3", Kind: 302},
	{Source: "**/{*}.{ttf,otf,woff}", Destination: "/fonts/$2.woff", Kind: 302},
	{Source: "/[0-9]/[a-z]/{*}/", Destination: "/range/$1/", Kind: 301},
	{Source: "/cut-{[!0-9]}/{*}.{png,gif}", Destination: "/new/$1/$2.$3", Kind: 301},
	{Source: "/deep/{**}", Destination: "/new/$1", Kind: 301},
	{Source: "/flat/**-page", Destination: "/new/", Kind: 301},
	{Source: "/{*}/{*}/", Destination: "/archive/$1/$2/", Kind: 301},
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	r := redirects(t, worked...)
	last := redirects(t, append(worked[:len(worked):len(worked)], Redirect{Source: "**/{*}.{*}", Destination: "/generic/$2.$3", Kind: 301})...)
	for _, test := range []struct {
		rules      *Redirects
		host, path string
		query      string
		location   string
		status     int
	}{
		{r, "127.0.0.1:1234", "/a", "", "http://new.example/a", 301},
		{r, "127.0.0.1:1235", "/a", "", "", 0},
		{r, "127.0.0.1", "/a", "", "", 0},
		{r, "h", "/docs/intro.html", "q=x", "http://new.example/?d=intro&q=x", 301},
		{r, "h", "/site.css", "", "/new/theme.css", 301},
		{r, "h", "/a/b/site.css", "", "/new/theme.css", 301},
		{r, "h", "/two.css", "", "/new/two.min.css", 301},
		{r, "h", "/two.css", "a=1&b", "/new/two.min.css?a=1&b", 301},
		{r, "h", "/green-part.yy", "", "/new/green.part.yy", 302},
		{r, "h", "/js/app.mjs", "", "/new/app.mjs", 302},
		{r, "h", "/a/b/c.jpeg", "", "/img/c.jpeg", 302},
		{r, "h", "/x/f.otf", "", "/fonts/f.woff", 302},
		{r, "h", "/7/q/name/", "", "/range/name/", 301},
		{r, "h", "/cut-x/logo.png", "", "/new/x/logo.png", 301},
		{r, "h", "/cut-1/logo.png", "", "", 0},
		{r, "h", "/deep/a/b/page", "", "/new/a/b/page", 301},
		{r, "h", "/flat/some-page", "", "/new/", 301},
		{r, "h", "/flat/a/some-page", "", "", 0},
		{last, "h", "/q/r.s", "", "/generic/r.s", 301},
		{r, "h", "/2024/11/", "", "/archive/2024/11/", 301},
		{r, "h", "/2024/11/05/", "", "", 0},
	} {
		location, status, ok := test.rules.Find(test.host, test.path, test.query)
		if location != test.location || status != test.status || ok != (status != 0) {
			t.Errorf("%s%s?%s: %q %d %v, want %q %d", test.host, test.path, test.query, location, status, ok, test.location, test.status)
		}
	}
}

func TestPlaceholders(t *testing.T) {
	t.Parallel()
	many := "/" + strings.Repeat("{?}", 10)
	for _, test := range []struct{ source, destination, path, location string }{
		{"**/site.{css}", "$1new.$2", "/a/b/site.css", "/a/b/new.css"},
		{"**/site.{css}", "/$1/new.$2", "/site.css", "///new.css"[2:]},
		{"/a/**/{*}", "/x?$1,$2", "/a/b/c/d", "/x?/b/c/,d"},
		{"/a/**/{*}", "/x?$1,$2", "/a/d", "/x?/,d"},
		{"/a/**", "/x$1", "/a/d", "/x$1"},
		{"/{*}", "/x/$1/$2/$$1/$", "/d", "/x/d/$2/$d/$"},
		{"/{*}", "/x$0", "/d", "/x/d"},
		{many, "/$9$10", "/abcdefghij", "/ia0"},
		{"/{a{b,c},d}{,e}", "/x/$1/$2/$3", "/ac", "/x/ac/c/"},
		{"/{a{b,c},d}{,e}", "/x/$1/$2/$3", "/de", "/x/d//e"},
		{"/old", "/page#part", "/old", "/page?q#part"},
		{"/{*}", "/päge/a b", "/d", "/p%C3%A4ge/a%20b"},
	} {
		query := ""
		if strings.Contains(test.location, "#") {
			query = "q"
		}
		location, _, _ := redirects(t, Redirect{Source: test.source, Destination: test.destination, Kind: 301}).Find("", test.path, query)
		if location != test.location {
			t.Errorf("%s to %s: %s is sent to %q, want %q", test.source, test.destination, test.path, location, test.location)
		}
	}
}

// What was captured must not decide where a client is sent to.
func TestCapturesChooseNoHost(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ source, destination, path, location string }{
		{"/old/{**}", "/$1", "/old//evil.example/", "/evil.example/"},
		{"/old{**}", "$1", "/old//evil.example/", "/evil.example/"},
		{"/old{**}", "/$1", "/old%2f%2fevil.example/", "/%2f%2fevil.example/"},
		{"/old/{**}", "/$1", `/old/\evil.example/`, "/%5Cevil.example/"},
		{"/old/{**}", "/$1", `/old/%5cevil.example/`, "/%5cevil.example/"},
		{"/old/{**}", "$1", "/old/https://evil.example/", "/https://evil.example/"},
		{"/old/{**}", "java$1", "/old/script:alert(1)", "./javascript:alert(1)"},
		{"/{**}", "$0/", "//evil.example", "/evil.example/"},
		{"/old{**}", "http://new.example$1", "/old/x", "http://new.example/x"},
		{"/old{**}", "http://new.example$1", "/old.evil.example/", "http://new.example/.evil.example/"},
		{"/old{**}", "http://new.example$1", "/old@evil.example/", "http://new.example/@evil.example/"},
		{"/old{**}", "//new.example$1", "/old:80@evil.example/", "//new.example/:80@evil.example/"},
		{"/cdn{*}/{**}", "http://cdn$1.example.com/$2", "/cdn7/x", "http://cdn7.example.com/x"},
		{"/cdn{*}/{**}", "http://cdn$1.example.com/$2", "/cdn@evil%23/x", ""},
		{"/cdn{*}/{**}", "http://cdn$1.example.com/$2", "/cdnevil.example%2f/x", "http://cdnevil.example.example.com//x"},
		{"/to/{*}/{**}", "https://$1/$2", "/to/any.example/x", "https://any.example/x"},
		{"/to/{*}/{**}", "https://$1/$2", "/to//evil.example", ""},
		{"/{*}", "/x?d=$1&e=f", "/a&e=g", "/x?d=a%26e=g&e=f"},
		{"/{*}", "/x/$1", "/a%0d%0aSet-Cookie:%20x", "/x/a%0d%0aSet-Cookie:%20x"},
		{"/{*}", "/x/$1", "/a\r\nb", "/x/a%0D%0Ab"},
	} {
		location, _, _ := redirects(t, Redirect{Source: test.source, Destination: test.destination, Kind: 301}).Find("", test.path, "")
		if location != test.location {
			t.Errorf("%s to %s: %s is sent to %q, want %q", test.source, test.destination, test.path, location, test.location)
		}
	}
}

func TestRedirectsLeaveAlone(t *testing.T) {
	t.Parallel()
	r := redirects(t, Redirect{Source: "/**", Destination: "/$0", Kind: 301}, Redirect{Source: "/**", Destination: "/x", Kind: 302})
	if location, status, _ := r.Find("", "/a", ""); location != "/x" || status != 302 {
		t.Errorf("a redirect to itself was not passed over: %q", location)
	}
	for name, path := range map[string]string{
		"a path over 8 KiB":             "/" + strings.Repeat("a", 8<<10),
		"a path that cannot be decoded": "/%zz",
		"not a path":                    "*",
	} {
		if location, _, ok := r.Find("", path, ""); ok {
			t.Errorf("%s: %q", name, location)
		}
	}
	if _, _, ok := r.Find("", "/"+strings.Repeat("a", 8<<10-1), ""); !ok {
		t.Error("a path of 8 KiB was skipped")
	}
	if _, _, ok := (*Redirects)(nil).Find("", "/", ""); ok {
		t.Error("no redirects have a match")
	}
}

func TestRedirectErrors(t *testing.T) {
	t.Parallel()
	good := Redirect{Source: "/a", Destination: "/b", Kind: 301}
	for key, bad := range map[string]Redirect{
		"source":      {Source: "/{a", Destination: "/b", Kind: 301},
		"destination": {Source: "/a", Destination: "/b\r\nSet-Cookie: x", Kind: 301},
		"kind":        {Source: "/a", Destination: "/b"},
	} {
		_, err := NewRedirects([]Redirect{good, bad})
		e, ok := errors.AsType[*Error](err)
		if !ok || e.List != "redirects" || e.Index != 1 || e.Key != key || !strings.HasPrefix(err.Error(), key+" of entry 2 of [[advanced.redirects]]: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", key, err)
		}
	}
	if _, err := NewRedirects([]Redirect{{Source: "/a", Kind: 301}}); err == nil {
		t.Error("a redirect to nowhere is accepted")
	}
}
