package rules

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rouse-server/rouse/server/hostname"
)

// FuzzGlob holds the matcher against a simple one, and against time.
func FuzzGlob(f *testing.F) {
	for _, e := range worked {
		f.Add(e.Source, "/deep/a/b/page.css")
	}
	for _, seed := range [][2]string{{"**/**/a**", "/a/b"}, {"/a/**", "/a/"}, {"{**,{,b}}[!a-b]?", "/x/é"}, {`\*%41%`, "*A%"}, {"/{a,{b", "/"}, {"/[", "/"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		for _, stars := range []Stars{WithinSegment, AcrossSegments} {
			g, err := Compile(pattern, stars)
			if err != nil {
				if strings.Contains(err.Error(), "cannot be compiled") {
					t.Fatal(err) // the parser has let something through
				}
				continue
			}
			begun := time.Now()
			got := g.Match(path)
			if took := time.Since(begun); took > 5*time.Second {
				t.Errorf("%v for %d bytes", took, len(path))
			}
			if len(pattern) < 24 && len(path) < 24 && utf8.ValidString(pattern) && utf8.ValidString(path) {
				p := globParser{source: pattern, stars: stars}
				nodes, _ := p.sequence()
				if want := simple(nodes, stars, path, func(rest string) bool { return rest == "" }); got != want {
					t.Errorf("%q matches %q: %v, want %v", pattern, path, got, want)
				}
			}
			s, ok := newSubject(path)
			if values := g.find(s); ok && values != nil && len(values) != g.captures+1 && !g.exact {
				t.Errorf("%q has %d captures, found %q", pattern, g.captures, values)
			}
		}
	})
}

// simple matches by trying everything. then tells whether what is left matches what follows.
func simple(nodes []node, stars Stars, path string, then func(string) bool) bool {
	if len(nodes) == 0 {
		return then(path)
	}
	n := nodes[0]
	rest := func(path string) bool { return simple(nodes[1:], stars, path, then) }
	anywhere := func(path string, slashes bool) bool {
		for i := 0; ; {
			if rest(path[i:]) {
				return true
			}
			if i == len(path) || path[i] == '/' && !slashes {
				return false
			}
			_, size := utf8.DecodeRuneInString(path[i:])
			i += size
		}
	}
	beforeSlash := func(path string) bool {
		for i := range len(path) {
			if path[i] == '/' && rest(path[i+1:]) {
				return true
			}
		}
		return false
	}
	across := stars == AcrossSegments
	switch n.kind {
	case literal:
		after, ok := strings.CutPrefix(path, n.text)
		return ok && rest(after)
	case anyOne, class:
		c, size := utf8.DecodeRuneInString(path)
		if size == 0 || n.kind == anyOne && c == '/' && !across {
			return false
		}
		return (n.kind == anyOne || inClass(n.text, c)) && rest(path[size:])
	case anyRun:
		return anywhere(path, across)
	case everything:
		return anywhere(path, true)
	case trailing:
		return strings.HasPrefix(path, "/") && anywhere(path[1:], true)
	case leading:
		return rest(path) || beforeSlash(path)
	case middle:
		return strings.HasPrefix(path, "/") && (rest(path[1:]) || beforeSlash(path[1:]))
	}
	for _, alternative := range n.alternatives {
		if simple(alternative, stars, path, rest) {
			return true
		}
	}
	return false
}

// inClass reads a class as the parser writes it: [^/\x{61}-\x{7a}].
func inClass(text string, c rune) bool {
	text = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
	text, negated := strings.CutPrefix(text, "^")
	if text, ok := strings.CutPrefix(text, "/"); ok && c == '/' {
		return false
	} else {
		for bounds := range strings.SplitSeq(strings.TrimPrefix(text, `\x{`), `}\x{`) {
			low, high, _ := strings.Cut(bounds, `}-\x{`)
			if c >= hexadecimal(low) && c <= hexadecimal(strings.TrimSuffix(high, "}")) {
				return !negated
			}
		}
	}
	return negated
}

func hexadecimal(digits string) (n rune) {
	for i := range len(digits) {
		d, _ := digit(digits[i])
		n = n<<4 | rune(d)
	}
	return n
}

// FuzzRedirectsFile looks for a _redirects and a request that lead to panics or to where the file does not say.
func FuzzRedirectsFile(f *testing.F) {
	f.Add(documentedRedirects, "h", "/old//evil.example", "id=5")
	f.Add("/:a/* /:splat/:a 302\n/x$* :a", "h", "/%2f/%5c", "")
	f.Add("https://:a.:b/* https://:b.example/:splat", "//evil", "/", "a=%0a")
	f.Fuzz(func(t *testing.T, text, host, path, query string) {
		rules, _ := parseRedirects(text)
		s, ok := newSubject(path)
		if !ok {
			return
		}
		m, ok := rules.find(siteRequest{s, hostname.Canonical(host), query, "http"}, nil)
		if !ok {
			return
		}
		for i := range len(m.Target) {
			if c := m.Target[i]; c <= ' ' || c >= 0x7f {
				t.Errorf("%q has byte %#x in it", m.Target, c)
			}
		}
		if strings.HasPrefix(m.Target, "//") && !strings.Contains(text, " //") && !strings.Contains(text, "\t//") && !strings.ContainsAny(text, "\v\f\r\n\u0085\u00a0") {
			t.Errorf("%q is another host", m.Target)
		}
	})
}

// FuzzHeadersFile looks for a _headers and a request that lead to panics or to headers that are none.
func FuzzHeadersFile(f *testing.F) {
	f.Add(documentedHeaders, "my.pages.dev", "/movies/a%0d%0ab")
	f.Add("/*\n a: :splat\n a: :splat\n! a", "h", "/\r\nx")
	f.Fuzz(func(t *testing.T, text, host, path string) {
		rules, _ := parseHeaders(text)
		s, ok := newSubject(path)
		if !ok {
			return
		}
		h := http.Header{"Server": {"x"}}
		rules.apply(h, siteRequest{subject: s, host: hostname.Canonical(host)})
		for name, values := range h {
			for _, value := range values {
				if err := checkField(name, value); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

// FuzzLocation looks for a path that a destination without host sends to another one.
func FuzzLocation(f *testing.F) {
	f.Add("/$1", "//evil.example/")
	f.Add("$1$1", "/\\evil.example")
	f.Add("x$1", "://evil.example")
	f.Fuzz(func(t *testing.T, destination, captured string) {
		r, err := NewRedirects([]Redirect{{Source: "/{**}", Destination: destination, Kind: 301}})
		if err != nil || hasHost(destination) || !strings.Contains(destination, "$1") {
			return
		}
		location, _, ok := r.Find("h", "/"+captured, "")
		if !ok {
			return
		}
		base := &url.URL{Scheme: "https", Host: "h", Path: "/a/b"}
		if to, err := base.Parse(location); err == nil && (to.Host != "h" || to.Scheme != "https") {
			t.Errorf("%s with %q is %s", destination, captured, location)
		}
	})
}
