package conformance

func cors() []point {
	any, some := with("--cors-allow-origins=*"), with("--cors-allow-origins=https://a.test,http://b.test:8080")
	const mine, other = "Origin: https://a.test", "Origin: https://evil.test"
	method := func(name string) string { return "Access-Control-Request-Method: " + name }
	const allowOrigin = "Access-Control-Allow-Origin"
	all := []expectation{is(allowOrigin, "https://a.test"), list("Access-Control-Allow-Methods", "GET", "HEAD", "OPTIONS"),
		list("Access-Control-Allow-Headers", "origin", "content-type", "authorization")}
	return []point{
		{number: "C11.1", title: "a request of another origin", server: any, do: func(a *asker) {
			a.get("/a.txt", mine).want(200, is(allowOrigin, "https://a.test"), list("Access-Control-Expose-Headers", "origin", "content-type"), varies("origin", "accept-encoding"), body(aText))
			a.ask("OPTIONS", "/a.txt", mine, method("GET")).want(204, append(all, varies("origin"))...)
		}},
		{number: "C11.1", title: "a listed origin", server: some, do: func(a *asker) {
			a.get("/a.txt", mine).want(200, is(allowOrigin, "https://a.test"), varies("origin"))
			a.get("/a.txt", "Origin: http://b.test:8080").want(200, is(allowOrigin, "http://b.test:8080"))
			a.ask("OPTIONS", "/a.txt", mine, method("HEAD"), "Access-Control-Request-Headers: Content-Type, authorization").want(204, all...)
		}},
		{number: "C11.2", title: "no Origin", server: some, do: func(a *asker) {
			a.get("/a.txt").want(200, no(allowOrigin, "Access-Control-Allow-Methods", "Access-Control-Expose-Headers"), varies("origin"), body(aText))
			a.ask("OPTIONS", "/a.txt").want(204, list("Allow", "GET", "HEAD", "OPTIONS"), no(allowOrigin))
		}},
		{number: "C11.3", title: "bad preflights", server: some, do: func(a *asker) {
			a.ask("OPTIONS", "/a.txt", mine).want(403, no(allowOrigin))
			a.ask("OPTIONS", "/a.txt", mine, method("DELETE")).want(403, no(allowOrigin))
			a.ask("OPTIONS", "/a.txt", mine, method("GET"), "Access-Control-Request-Headers: x-other").want(403, no(allowOrigin))
			a.ask("OPTIONS", "/a.txt", other, method("GET")).want(403, no(allowOrigin))
		}},
		{number: "C11.4", title: "an origin that is not listed", server: some, do: func(a *asker) {
			for _, origin := range []string{other, "Origin: http://a.test", "Origin: http://b.test", "Origin: https://a.test.evil.test", "Origin: null"} {
				a.get("/a.txt", origin).want(403, no(allowOrigin), kind("text/html"))
			}
		}},
		{number: "C11.5", title: "no Allow in a preflight's answer", server: any, do: func(a *asker) {
			a.ask("OPTIONS", "/a.txt", mine, method("GET")).want(204, no("Allow"))
		}},
		{number: "C11.6", title: "other methods", server: any, do: func(a *asker) { a.ask("POST", "/a.txt", mine).want(405, list("Allow", "GET", "HEAD", "OPTIONS")) }},
		{number: "C11.1a", title: "the lists of headers", server: with("--cors-allow-origins=* --cors-allow-headers=x-one,x-two --cors-expose-headers=x-three"), do: func(a *asker) {
			a.ask("OPTIONS", "/a.txt", mine, method("GET"), "Access-Control-Request-Headers: X-One").want(204, list("Access-Control-Allow-Headers", "x-one", "x-two"))
			a.get("/a.txt", mine).want(200, list("Access-Control-Expose-Headers", "x-three"))
		}},
	}
}
