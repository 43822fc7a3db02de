package rules

import (
	"fmt"
	"net/http"
	"testing"
)

// hundred are rules as sites have them; none but the last matches /assets/app-1a2b.js.
func hundred() []Redirect {
	var entries []Redirect
	for i := range 25 {
		entries = append(entries,
			Redirect{Source: fmt.Sprintf("/old-page-%d", i), Destination: "/new", Kind: 301},
			Redirect{Source: fmt.Sprintf("/blog/%d/{*}", i), Destination: "/posts/$1", Kind: 301},
			Redirect{Source: fmt.Sprintf("**/{*}.{png,jpg%d}", i), Destination: "/img/$2", Kind: 301},
			Redirect{Source: fmt.Sprintf("/assets/**/{*}-%d.js", i), Destination: "/new/$2", Kind: 301})
	}
	entries[99] = Redirect{Source: "/assets/{*}-{*}.{js,css}", Destination: "/static/$1.$3", Kind: 302}
	return entries
}

func BenchmarkRedirects(b *testing.B) {
	r := redirects(b, hundred()...)
	for name, path := range map[string]string{"last of 100 matches": "/assets/app-1a2b.js", "none of 100 matches": "/docs/guide/index.html"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Find("example.com", path, "")
			}
		})
	}
}

// Nothing is cheap here: every expression is asked.
func BenchmarkRedirectsWorstCase(b *testing.B) {
	var entries []Redirect
	for i := range 100 {
		entries = append(entries, Redirect{Source: fmt.Sprintf("**/{*}{[%d-9]}{*}", i%10), Destination: "/x", Kind: 301})
	}
	r := redirects(b, entries...)
	b.ReportAllocs()
	for b.Loop() {
		r.Find("example.com", "/docs/guide/index.html", "")
	}
}

func BenchmarkHeaders(b *testing.B) {
	var entries []Header
	for i := range 50 {
		entries = append(entries,
			Header{Source: fmt.Sprintf("/section-%d/**", i), Headers: map[string]string{"X-Section": "a"}},
			Header{Source: fmt.Sprintf("**/*.{a%d,b%d}", i, i), Headers: map[string]string{"Cache-Control": "max-age=60"}})
	}
	entries[99] = Header{Source: "**/*.{html,htm}", Headers: map[string]string{"Cache-Control": "no-cache", "X-Robots-Tag": "all"}}
	hs, err := NewHeaders(entries)
	if err != nil {
		b.Fatal(err)
	}
	h := http.Header{}
	b.ReportAllocs()
	for b.Loop() {
		hs.Apply(h, "/docs/guide/index.html")
	}
}

func BenchmarkSite(b *testing.B) {
	text, headers := "", ""
	for i := range 2000 {
		text += fmt.Sprintf("/plain-%d /x\n", i)
	}
	for i := range 100 {
		text += fmt.Sprintf("/dynamic-%d/* /x/:splat\n", i)
		headers += fmt.Sprintf("/part-%d/*\n X-A: 1\n", i)
	}
	rules, _ := parseRedirects(text)
	blocks, _ := parseHeaders(headers + "/*\n X-B: 2\n")
	s, _ := newSubject("/docs/guide/index.html")
	b.Run("none of 2,100 redirects", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			rules.find(siteRequest{subject: s, host: "h"}, nil)
		}
	})
	b.Run("last of 100 headers", func(b *testing.B) {
		h := http.Header{}
		b.ReportAllocs()
		for b.Loop() {
			blocks.apply(h, siteRequest{subject: s, host: "h"})
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	entries := hundred()
	b.ReportAllocs()
	for b.Loop() {
		redirects(b, entries...)
	}
}
