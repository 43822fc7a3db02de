package conformance

func directories() []point {
	indexFiles := with("--index-files=index.html,index.htm")
	return []point{
		{number: "C2.1", title: "a folder without slash", do: func(a *asker) { a.get("/assets").want(308, is("Location", "/assets/"), body("")) }},
		{number: "C2.2", title: "the query stays", do: func(a *asker) { a.get("/assets?a=b").want(308, is("Location", "/assets/?a=b")) }},
		{number: "C2.3", title: "no redirect when off", server: with("--redirect-trailing-slash=false"), do: func(a *asker) {
			a.get("/assets").want(200, body(assetsPage), kind("text/html"))
		}},
		{number: "C2.4", title: "the first index file that exists", server: indexFiles, do: func(a *asker) {
			a.get("/both/").want(200, body(indexPage))
			a.get("/alt/").want(200, body(htmPage), kind("text/html"))
		}},
		{number: "C2.5", title: "neither index nor listing", do: func(a *asker) {
			a.get("/plain/").want(404)
			a.head("/plain/").want(404, body(""))
			a.ask("OPTIONS", "/plain/").want(404)
		}},
		{number: "C2.6", title: "no redirect to another host", do: func(a *asker) {
			a.get("//assets").want(308, is("Location", "/assets/"))
			a.get("///assets").want(308, is("Location", "/assets/"))
			a.get("//site.test/%2e%2e/assets").want(308, is("Location", "/assets/"))
			a.get("/%5Csite.test/..%2fassets").want(404, no("Location"))
		}},
		{number: "C2.4a", title: "the index file of a folder", do: func(a *asker) {
			a.get("/").want(200, body(indexPage), is("Content-Type", "text/html; charset=utf-8"))
			a.get("/assets/").want(200, body(assetsPage))
		}},
	}
}
