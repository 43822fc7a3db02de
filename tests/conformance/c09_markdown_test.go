package conformance

func markdown() []point {
	on := with("--accept-markdown")
	const wanted = "Accept: text/markdown"
	is := func(content string) []expectation {
		return []expectation{is("Content-Type", "text/markdown; charset=utf-8"), body(content)}
	}
	return []point{
		{number: "C9.1", title: "off", do: func(a *asker) { a.get("/md/p", wanted).want(200, kind("text/html"), body(htmPage)) }},
		{number: "C9.2", title: "the .md file beside a page", server: on, do: func(a *asker) {
			a.get("/md/p", wanted).want(200, is(markdownP)...)
			a.get("/md/q", wanted).want(200, is("# q\n")...)
			a.get("/md/", wanted).want(200, is("# index\n")...)
			a.head("/md/p", wanted).want(200, append(is(""), length(len(markdownP)))...)
		}},
		{number: "C9.3", title: "nobody asked for it", server: on, do: func(a *asker) {
			for _, accept := range []string{"Accept: */*", "Accept: text/*", "Accept: text/html", "X-None: 1"} {
				a.get("/md/p", accept).want(200, kind("text/html"), body(htmPage))
			}
			a.ask("POST", "/md/p", wanted).want(405)
		}},
		{number: "C9.4", title: "no .md file", server: on, do: func(a *asker) {
			a.get("/md/only.html", wanted).want(200, kind("text/html"), body(assetsPage))
			a.get("/md/only", wanted).want(200, kind("text/html"), body(assetsPage))
		}},
		{number: "C9.5", title: "nothing hidden or outside; names with %25", server: on, do: func(a *asker) {
			a.get("/../outside/secret", wanted).want(404)
			a.get("/%2e%2e/outside/secret", wanted).want(404)
			a.get("/md/.hidden", wanted).want(404)
			a.get("/md/100%25%20done", wanted).want(200, is("# 100\n")...)
		}},
		{number: "C9.6", title: "Vary", server: on, do: func(a *asker) {
			a.get("/md/p", wanted).want(200, varies("accept"))
			a.get("/md/p").want(200, varies("accept"), kind("text/html"))
		}},
	}
}
