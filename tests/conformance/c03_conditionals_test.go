package conformance

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func conditionals() []point {
	date := func(d time.Duration) string { return modified().Add(d).Format(http.TimeFormat) }
	weak := func(tag string) string { return "W/" + strings.TrimPrefix(tag, "W/") }
	return []point{
		{number: "C3.1", title: "If-Modified-Since the date", do: func(a *asker) {
			a.get("/a.txt", "If-Modified-Since: "+date(0)).want(304, no("Content-Length"), body(""))
		}},
		{number: "C3.2", title: "If-Modified-Since an older date", do: func(a *asker) {
			a.get("/a.txt", "If-Modified-Since: "+date(-time.Hour)).want(200, body(aText))
		}},
		{number: "C3.3", title: "If-Unmodified-Since an older date", do: func(a *asker) {
			a.get("/a.txt", "If-Unmodified-Since: "+date(-time.Hour)).want(412, body(""))
		}},
		{number: "C3.4", title: "If-None-Match the tag", do: func(a *asker) {
			tag := a.get("/a.txt").want(200, some("ETag")).field("ETag")
			a.get("/a.txt", "If-None-Match: "+tag).want(304, is("ETag", tag), is("Last-Modified", date(0)), body(""))
			a.head("/a.txt", "If-None-Match: "+tag).want(304, is("ETag", tag))
		}},
		{number: "C3.5", title: "If-None-Match any", do: func(a *asker) { a.get("/a.txt", "If-None-Match: *").want(304, body("")) }},
		{number: "C3.6", title: "If-None-Match another tag", do: func(a *asker) { a.get("/a.txt", `If-None-Match: "other"`).want(200, body(aText)) }},
		{number: "C3.7", title: "If-None-Match decides", do: func(a *asker) {
			tag := a.get("/a.txt").field("ETag")
			a.get("/a.txt", `If-None-Match: "other"`, "If-Modified-Since: "+date(0)).want(200)
			a.get("/a.txt", "If-None-Match: "+tag, "If-Modified-Since: "+date(-time.Hour)).want(304)
		}},
		{number: "C3.8", title: "If-Match compares strongly", do: func(a *asker) {
			a.get("/a.txt", "If-Match: "+weak(a.get("/a.txt").field("ETag"))).want(412)
			a.get("/a.txt", "If-Match: *").want(200, body(aText))
		}},
		{number: "C3.9", title: "If-Range with a weak tag", do: func(a *asker) {
			a.get("/a.txt", "Range: bytes=0-3", "If-Range: "+weak(a.get("/a.txt").field("ETag"))).want(200, no("Content-Range"), body(aText))
		}},
		{number: "C3.10", title: "If-Range with an older date", do: func(a *asker) {
			a.get("/a.txt", "Range: bytes=0-3", "If-Range: "+date(-time.Hour)).want(200, no("Content-Range"), body(aText))
		}},
		{number: "C3.11", title: "no tags when off", server: with("--etag=false"), do: func(a *asker) {
			a.get("/a.txt").want(200, no("ETag"), is("Last-Modified", date(0)))
		}},
		{number: "C3.12", title: "a changed file has another tag", server: setup{changes: true}, do: changedTag},
		{number: "C3.13", title: "304 carries what 200 would", server: with("--security-headers"), do: func(a *asker) {
			full := a.get("/a.txt").want(200, some("Date"), some("ETag"))
			same := func(name string) expectation { return is(name, full.field(name)) }
			a.get("/a.txt", "If-None-Match: "+full.field("ETag")).want(304, some("Date"), same("ETag"), same("Vary"), same("Cache-Control"), same("X-Frame-Options"), same("Content-Security-Policy"))
			a.get("/a.txt", "If-Modified-Since: "+date(0)).want(304, some("Date"), same("ETag"), same("Vary"), same("Cache-Control"))
		}},
	}
}

func changedTag(a *asker) {
	name := a.unique(".txt")
	path := filepath.Join(a.servers.site(), name)
	a.write("site/"+name, "one")
	must(a, os.Chtimes(path, modified(), modified()))
	first := a.get("/"+name).want(200, body("one"), some("ETag")).field("ETag")
	different := func(than string) expectation {
		return func(r *reply) (string, string, bool) {
			return "ETag other than " + than, "ETag: " + r.field("ETag"), r.field("ETag") != than
		}
	}
	a.write("site/"+name, "longer")
	must(a, os.Chtimes(path, modified(), modified()))
	second := a.get("/"+name).want(200, body("longer"), different(first)).field("ETag")
	must(a, os.Chtimes(path, modified(), modified().Add(time.Second)))
	a.get("/"+name).want(200, different(second))
}
