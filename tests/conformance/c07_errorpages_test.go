package conformance

import (
	"regexp"
	"strings"
)

// page expects a complete HTML document whose title and heading are both this text.
func page(text string) expectation {
	title := regexp.MustCompile(`(?s)<title>(.*?)</title>.*<h1[^>]*>(.*?)</h1>`)
	return func(r *reply) (string, string, bool) {
		document := strings.ToLower(string(r.body))
		found := title.FindStringSubmatch(string(r.body))
		holds := len(found) == 3 && found[1] == text && found[2] == text && strings.HasPrefix(document, "<!doctype html>") && strings.Contains(document, "</html>")
		return "HTML page " + text, "body " + show(r.body), holds
	}
}

func errorPages() []point {
	generic := with("--page404=none.html --page50x=none.html")
	fallback := with("--page-fallback={dir}/pages/fallback.html")
	broken := file("[[advanced.rewrites]]\nsource = '/bad/{*}'\ndestination = 'http://site.test:$1/'\n")
	return []point{
		{number: "C7.1", title: "the generic page", server: generic, do: func(a *asker) {
			a.get("/missing").want(404, page("404 Not Found"), is("Content-Type", "text/html; charset=utf-8"), some("Content-Length"))
		}},
		{number: "C7.1", title: "the generic page has Accept-Ranges", server: generic, do: func(a *asker) { a.get("/missing").want(404, is("Accept-Ranges", "bytes")) }},
		{number: "C7.2", title: "the site's own 404 page", do: func(a *asker) {
			a.get("/missing").want(404, body(page404), is("Content-Type", "text/html; charset=utf-8"), length(len(page404)))
			a.head("/missing").want(404, body(""), length(len(page404)))
		}},
		{number: "C7.2", title: "the site's own 50x page", server: broken, do: func(a *asker) {
			a.get("/bad/x").want(500, body(page50x), is("Content-Type", "text/html; charset=utf-8"), length(len(page50x)))
			a.head("/bad/x").want(500, body(""), length(len(page50x)))
		}},
		{number: "C7.3", title: "other errors have the generic page", do: func(a *asker) {
			a.ask("POST", "/a.txt").want(405, page("405 Method Not Allowed"))
			a.get("/link-file.txt").want(403, page("403 Forbidden"))
		}},
		{number: "C7.3", title: "401 has the generic page", server: with("--basic-auth=" + credentials()), do: func(a *asker) {
			a.get("/a.txt").want(401, page("401 Unauthorized"))
		}},
		{number: "C7.4", title: "the fallback page", server: fallback, do: func(a *asker) {
			a.get("/missing/route").want(200, body(fallbackPage), is("Content-Type", "text/html; charset=utf-8"), no("ETag", "Last-Modified"))
			a.get("/missing.js").want(200, body(fallbackPage), kind("text/html"))
			a.head("/missing/route").want(404)
			a.get("/a.txt").want(200, body(aText))
		}},
		{number: "C7.5", title: "errors are not kept", do: func(a *asker) { a.get("/missing.js").want(404, is("Cache-Control", "no-cache")) }},
		{number: "C7.5", title: "the fallback page is not kept", server: fallback, do: func(a *asker) { a.get("/missing.js").want(200, is("Cache-Control", "no-cache")) }},
		{number: "C7.6", title: "a changed page is used", server: with("--page404=changing.html").changing(), over: h1, do: func(a *asker) {
			for _, text := range []string{"<h1>first</h1>", "<h1>another page</h1>"} {
				a.write("site/changing.html", text)
				a.get("/missing").want(404, body(text))
			}
		}},
	}
}
