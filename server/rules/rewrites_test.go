package rules

import (
	"errors"
	"net/http/httptest"
	"testing"
)

func TestRewrites(t *testing.T) {
	t.Parallel()
	r, err := NewRewrites([]Rewrite{
		{Source: "**/oops.{html}", Destination: "/404.$2"},
		{Source: "/err/{404,50x}.html", Destination: "/$1.html"},
		{Source: "/errs/{50}x.html", Destination: "/$1x.html"},
		{Source: "/scripts/{*}.{js,mjs}", Destination: "/assets/$1.$2"},
		{Source: "/deep/{**}", Destination: "/$1"},
		{Source: "**/{*}.{ico}", Destination: "/assets/favicon.$3", Redirect: 302},
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]struct {
		destination string
		redirect    int
	}{
		"/x/oops.html":           {"/404.html", 0},
		"/err/404.html":          {"/404.html", 0},
		"/errs/50x.html":         {"/50x.html", 0},
		"/scripts/main.js":       {"/assets/main.js", 0},
		"/deep/assets/main.js":   {"/assets/main.js", 0},
		"/deep//other.example/x": {"/other.example/x", 0},
		"/x/y.ico":               {"/assets/favicon.ico", 302},
		"/x":                     {"", 0},
	} {
		destination, redirect, ok := r.Find(path)
		if destination != want.destination || redirect != want.redirect || ok != (want.destination != "") {
			t.Errorf("%s: %q %d %v, want %v", path, destination, redirect, ok, want)
		}
	}
}

func TestRewritten(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ target, destination, host, uri string }{
		{"/a?q=1", "/b", "h", "/b?q=1"},
		{"/a?q=1", "/b?c", "h", "/b?c"},
		{"/a?q=1", "/b?", "h", "/b?"},
		{"/a", "/b%2Fc%20d#e", "h", "/b%2Fc%20d"},
		{"/a?q", "http://other.example:81/b", "other.example:81", "/b?q"},
		{"/a", "https://other.example", "other.example", "/"},
		{"/a", "//other.example/x", "other.example", "/x"},
		{"http://h/a", "http://other.example/b", "other.example", "http://other.example/b"},
	} {
		r := httptest.NewRequest("GET", test.target, nil)
		r.Host = "h"
		got, err := Rewritten(r, test.destination)
		if err != nil || got.Host != test.host || got.URL.String() != test.uri {
			t.Errorf("%s to %s: %v %v", test.target, test.destination, got, err)
		}
		if r.Host != "h" || r.URL.String() != test.target || got != nil && got.RequestURI != r.RequestURI {
			t.Errorf("%s to %s: the original is changed, or the log loses it", test.target, test.destination)
		}
	}
	for _, destination := range []string{"", "page.html", "?q", "ftp://x/", "mailto:x", "/%zz", "http:///x", "http://[x/"} {
		if got, err := Rewritten(httptest.NewRequest("GET", "/a", nil), destination); err == nil {
			t.Errorf("%q is %s", destination, got.URL)
		}
	}
}

func TestRewriteErrors(t *testing.T) {
	t.Parallel()
	for key, bad := range map[string]Rewrite{
		"source":      {Source: "[", Destination: "/b"},
		"destination": {Source: "/a"},
		"redirect":    {Source: "/a", Destination: "/b", Redirect: 200},
	} {
		_, err := NewRewrites([]Rewrite{bad})
		if e, ok := errors.AsType[*Error](err); !ok || e.List != "rewrites" || e.Index != 0 || e.Key != key {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// What was asked for outlives any number of rewrites, until one chooses another host: there nothing else was asked for.
func TestAsked(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("GET", "/a%2Fb?q", nil)
	for i, step := range []struct{ destination, want string }{{"", "/a%2Fb"}, {"/one", "/a%2Fb"}, {"/two?x", "/a%2Fb"}, {"https://other.example/three", "/three"}, {"/four", "/three"}} {
		if step.destination != "" {
			var err error
			if r, err = Rewritten(r, step.destination); err != nil {
				t.Fatal(err)
			}
		}
		if got := Asked(r); got != step.want {
			t.Errorf("step %d: %s, want %s", i, got, step.want)
		}
	}
}
