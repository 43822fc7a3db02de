package rules

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"testing"
)

func TestHeaders(t *testing.T) {
	t.Parallel()
	hs, err := NewHeaders([]Header{
		{Source: "**/*.{html,htm}", Headers: map[string]string{"x-page": "yes", "Cache-Control": " no-cache "}},
		{Source: "/docs/*", Headers: map[string]string{"X-Page": "docs"}},
		{Source: "/old//index.html", Headers: map[string]string{"X-Doubled": "yes"}},
		{Source: "/**//*.txt", Headers: map[string]string{"X-Doubled": "text"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]http.Header{
		"/index.html":          {"X-Page": {"yes"}, "Cache-Control": {"no-cache"}},
		"/a/b.htm":             {"X-Page": {"yes"}, "Cache-Control": {"no-cache"}},
		"/docs/a/b.html":       {"X-Page": {"docs"}, "Cache-Control": {"no-cache"}},
		"/docs/a/b.png":        {"X-Page": {"docs"}, "Cache-Control": {"max-age=1"}},
		"/old/index.html":      {"X-Page": {"yes"}, "Cache-Control": {"no-cache"}, "X-Doubled": {"yes"}},
		"/old/x/index.html":    {"X-Page": {"yes"}, "Cache-Control": {"no-cache"}},
		"/old/page.html/a.css": {"Cache-Control": {"max-age=1"}},
		"/a/b.txt":             {"Cache-Control": {"max-age=1"}, "X-Doubled": {"text"}},
	} {
		got := http.Header{"Cache-Control": {"max-age=1"}}
		hs.Apply(got, path)
		if !maps.EqualFunc(got, want, slices.Equal) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	(*Headers)(nil).Apply(nil, "/")
}

// A response that adds to a header must not add to the next one's.
func TestHeadersAreNotShared(t *testing.T) {
	t.Parallel()
	hs, err := NewHeaders([]Header{{Source: "**", Headers: map[string]string{"Vary": "origin"}}})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		h := http.Header{}
		hs.Apply(h, "/")
		h.Add("Vary", "accept-encoding")
		if len(h["Vary"]) != 2 {
			t.Errorf("%v", h)
		}
	}
}

func TestHeaderErrors(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]map[string]string{
		"twice":      {"X-A": "1", "x-a": "2"},
		"line break": {"X-A": "1\r\nX-B: 2"},
		"name":       {"X A": "1"},
		"no name":    {"": "1"},
		"colon":      {"X:": "1"},
		"framing":    {"content-length": "1"},
		"connection": {"Connection": "close"},
		"letters":    {"X-Ä": "1"},
	} {
		_, err := NewHeaders([]Header{{Source: "**", Headers: bad}})
		if e, ok := errors.AsType[*Error](err); !ok || e.List != "headers" || e.Key != "headers" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewHeaders([]Header{{Source: "{"}}); err == nil {
		t.Error("a bad source is accepted")
	}
}

func TestHints(t *testing.T) {
	t.Parallel()
	css, js := "</a.css>; rel=preload; as=style", "<https://cdn.example>;rel=preconnect"
	hs, err := NewHints([]EarlyHint{{Source: "**/index.html", Links: []string{css}}, {Source: "/docs/*", Links: []string{" " + js + " "}}})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string][]string{
		"/":               {css},
		"/index.html":     {css},
		"/docs/":          {css, js},
		"/docs/a/b%2ehtm": {js},
		"/a":              nil,
	} {
		if got := hs.Find(path); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	for _, bad := range [][]string{nil, {"/a.css"}, {"<>; rel=preload"}, {"</a.css>"}, {css + "\n" + css}, {"</a> rel=preload"}} {
		_, err := NewHints([]EarlyHint{{Source: "/", Links: bad}})
		if e, ok := errors.AsType[*Error](err); !ok || e.List != "early-hints" || e.Key != "links" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
