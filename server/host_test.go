package server

import (
	"strings"
	"testing"

	"github.com/rouse-server/rouse/server/rules"
)

// check asks for targets and wants a status and a body, or the Location of a redirect, of each.
func check(t *testing.T, w *world, want map[string]string, fields ...string) {
	t.Helper()
	for target, want := range want {
		reply := w.ask("GET", target, fields...)
		got := reply.Body.String()
		if location := reply.Header().Get("Location"); location != "" {
			got = "to " + location
		}
		if reply.Code >= 400 {
			got = strings.TrimSpace(reply.Result().Status[:3] + " " + got)
		}
		if !strings.HasPrefix(got, want) || want == "" {
			t.Errorf("%s: %d %q, want %q", target, reply.Code, got, want)
		}
	}
}

// A host has what its table says, and what is general where that says nothing.
func TestVirtualHosts(t *testing.T) {
	spa := true
	w := site(t, map[string]string{
		"general/index.html": "general", "general/404.html": "general 404", "general/a.txt": "general a",
		"own/start.html": "own start", "own/gone.html": "own 404", "own/a.txt": "own a", "own/app.html": "own app",
		"plain/index.html": "plain", "plain/404.html": "plain 404",
	}, func(c *Config, dir string) {
		c.Root = dir + "/general"
		c.Advanced.Redirects = []rules.Redirect{{Source: "/both", Destination: "/general", Kind: 301}}
		c.Advanced.Rewrites = []rules.Rewrite{{Source: "/to-own", Destination: "https://own.example/a.txt"}, {Source: "/sent", Destination: "/a.txt", Redirect: 302}}
		c.Advanced.Headers = []rules.Header{{Source: "**", Headers: map[string]string{"X-From": "general", "X-General": "1"}}}
		c.Advanced.EarlyHints = []rules.EarlyHint{{Source: "**", Links: []string{"</g.css>; rel=preload"}}}
		c.Advanced.VirtualHosts = []VirtualHost{
			{
				Host: "own.example", Hosts: []string{"*.own.example"}, Root: dir + "/own", IndexFiles: []string{"start.html"}, Page404: "gone.html",
				Redirects:  []rules.Redirect{{Source: "/both", Destination: "/own", Kind: 301}, {Source: "/mine", Destination: "/own", Kind: 307}},
				Rewrites:   []rules.Rewrite{{Source: "/b.txt", Destination: "/a.txt"}},
				Headers:    []rules.Header{{Source: "**", Headers: map[string]string{"X-From": "own"}}},
				EarlyHints: []rules.EarlyHint{{Source: "/a.txt", Links: []string{"</o.css>; rel=preload"}}},
			},
			{Host: "spa.example", Root: dir + "/own", PageFallback: dir + "/own/app.html", SPA: &spa},
			{Host: "plain.example", Root: dir + "/plain"},
		}
	})
	check(t, w, map[string]string{
		"http://other.example/": "general", "http://other.example/a.txt": "general a", "/missing": "404 general 404", "/both": "to /general",
		"/sent": "to /a.txt", "/to-own": "own a", "/mine": "404 general 404", "/b.txt": "404 general 404",
		"http://own.example/": "own start", "http://OWN.example.:8080/a.txt": "own a", "http://deep.own.example/b.txt": "own a",
		"http://own.example/missing": "404 own 404", "http://own.example/both": "to /general", "http://own.example/mine": "to /own",
		"http://plain.example/": "plain", "http://plain.example/missing": "404 plain 404", "http://plain.example/a.txt": "404 plain 404",
		"http://spa.example/missing": "404 ", "http://spa.example/missing.css": "404 ",
	})
	check(t, w, map[string]string{"http://spa.example/missing": "own app", "http://spa.example/missing.css": "404 "}, "Sec-Fetch-Mode", "navigate")
	for target, want := range map[string]string{
		"/a.txt": "general [</g.css>; rel=preload]", "http://own.example/a.txt": "own [</g.css>; rel=preload </o.css>; rel=preload]",
		"http://own.example/b.txt": "own [</g.css>; rel=preload </o.css>; rel=preload]", "/to-own": "own [</g.css>; rel=preload </o.css>; rel=preload]",
		"http://plain.example/missing": "general [</g.css>; rel=preload]", "/both": " []",
	} {
		h := w.ask("GET", target).Header()
		if got := h.Get("X-From") + " [" + strings.Join(h["Link"], " ") + "]"; got != want || (h.Get("X-General") != "") != (want != " []") {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
}

// Rewrites stay below the root, and do not open what is hidden.
func TestRewritesStayInside(t *testing.T) {
	w := site(t, map[string]string{"secret.txt": "secret", "site/a.txt": "a", "site/.env": "env"}, func(c *Config, dir string) {
		c.Root = dir + "/site"
		c.Advanced.Rewrites = []rules.Rewrite{
			{Source: "/up", Destination: "/../secret.txt"}, {Source: "/encoded", Destination: "/%2e%2e/secret.txt"}, {Source: "/hidden", Destination: "/.env"},
			{Source: "/in/{**}", Destination: "/deep/$1"}, {Source: "/host/{**}", Destination: "http://$1/"},
		}
	})
	check(t, w, map[string]string{
		"/up": "404", "/encoded": "404", "/hidden": "404", "/in/../../secret.txt": "404", "/in/%2e%2e/%2e%2e/%2e%2e/secret.txt": "404",
		"/in/..%2f..%2fsecret.txt": "404", "/in/../a.txt": "a", "/host/a:b@c": "404", "/host/%0d%0a": "404",
	})
}

// A configured Link is added to those of the hints.
func TestConfiguredLinkKeepsHints(t *testing.T) {
	w := site(t, map[string]string{"index.html": "home", "_headers": "/\n  Link: </s.css>; rel=preload\n"}, func(c *Config, _ string) {
		c.SiteRules = true
		c.Advanced.EarlyHints = []rules.EarlyHint{{Source: "/", Links: []string{"</h.css>; rel=preload"}}}
		c.Advanced.Headers = []rules.Header{{Source: "**", Headers: map[string]string{"Link": "</license>; rel=license"}}}
	})
	if got, want := w.ask("GET", "/").Header()["Link"], []string{"</license>; rel=license", "</h.css>; rel=preload", "</s.css>; rel=preload"}; !sameElements(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
