package conformance

import (
	"maps"
	"slices"
	"strings"
)

// lifetimes are seconds by extension (C10.4); "" is everything else.
func lifetimes() map[string]int {
	all := map[string]int{"html": 86400, "txt": 86400, "other": 86400, "svg": 86400, "ttf": 86400}
	for extension := range strings.FieldsSeq("atom json rss xml") {
		all[extension] = 3600
	}
	for extension := range strings.FieldsSeq("avif bmp bz2 css doc gif gz htc ico jpeg jpg js jxl map mjs mp3 mp4 ogg ogv pdf png rar rtf tar tgz wav weba webm webp woff woff2 zip PNG Css") {
		all[extension] = 31536000
	}
	return all
}

// secured are the security headers but for HSTS.
func secured() []expectation {
	return []expectation{is("X-Frame-Options", "DENY"), is("X-Content-Type-Options", "nosniff"), is("Content-Security-Policy", "frame-ancestors 'self'"),
		is("Referrer-Policy", "strict-origin-when-cross-origin")}
}

func unsecured() expectation {
	return no("Strict-Transport-Security", "X-Frame-Options", "X-Content-Type-Options", "Content-Security-Policy", "Referrer-Policy")
}

func responseHeaders() []point {
	on, off := with("--security-headers"), with("--security-headers=false")
	selfMade := on
	selfMade.selfMade = true
	const hsts, strict = "Strict-Transport-Security", "max-age=63072000; includeSubDomains; preload"
	custom := file("[advanced]\n[[advanced.headers]]\nsource = '**/*.{html,htm}'\nheaders = { X-Page = 'yes', X-Robots-Tag = 'none' }\n" +
		"[[advanced.headers]]\nsource = '/a.txt'\n[advanced.headers.headers]\nContent-Type = 'text/plain; charset=iso-8859-1'\nCache-Control = 'public, max-age=7'\n")
	return []point{
		{number: "C10.1", title: "security headers", server: on, do: func(a *asker) { a.get("/a.txt").want(200, secured()...) }},
		{number: "C10.1", title: "HSTS over TLS", server: on, over: secure, do: func(a *asker) { a.get("/a.txt", "Host: www.site.test").want(200, is(hsts, strict)) }},
		{number: "C10.1", title: "on with TLS by default", over: secure, do: func(a *asker) {
			if a.server.process == nil {
				a.Skip("whether another server's options turn them on is not known")
			}
			a.get("/a.txt", "Host: www.site.test").want(200, append(secured(), is(hsts, strict))...)
		}},
		{number: "C10.2", title: "no HSTS over plain HTTP", server: on, over: plain, do: func(a *asker) { a.get("/a.txt", "Host: www.site.test").want(200, no(hsts)) }},
		{number: "C10.2", title: "no HSTS for addresses and localhost", server: on, over: secure, do: func(a *asker) {
			for _, host := range []string{"127.0.0.1", "[::1]", "localhost"} {
				a.get("/a.txt", "Host: "+host).want(200, append(secured(), no(hsts))...)
			}
		}},
		{number: "C10.2", title: "no HSTS with a self-made certificate", server: selfMade, over: secure, do: func(a *asker) {
			a.get("/a.txt", "Host: www.site.test").want(200, append(secured(), no(hsts))...)
		}},
		{number: "C10.3", title: "off is off, with TLS too", server: off, do: func(a *asker) { a.get("/a.txt", "Host: www.site.test").want(200, unsecured()) }},
		{number: "C10.4", title: "Cache-Control by extension", do: func(a *asker) {
			all := lifetimes()
			for _, extension := range slices.Sorted(maps.Keys(all)) {
				a.get("/ext/file."+extension).want(200, is("Cache-Control", "max-age="+number(all[extension])))
			}
			a.get("/").want(200, is("Cache-Control", "max-age=86400"))
		}},
		{number: "C10.5", title: "no Cache-Control when off", server: with("--cache-control-headers=false"), do: func(a *asker) { a.get("/assets/main.css").want(200, no("Cache-Control")) }},
		{number: "C10.6", title: "custom headers", server: custom, do: func(a *asker) {
			for _, path := range []string{"/", "/index.html", "/assets/", "/page.html"} {
				a.get(path).want(200, is("X-Page", "yes"), is("X-Robots-Tag", "none"))
			}
			a.get("/assets/main.css").want(200, no("X-Page"))
			a.get("/a.txt").want(200, is("Cache-Control", "public, max-age=7"))
		}},
		{number: "C10.6a", title: "which path of a folder a source matches", server: file("[[advanced.headers]]\nsource = '/assets/index.html'\nheaders = { X-One = '1' }\n" +
			"[[advanced.headers]]\nsource = '/assets//index.html'\nheaders = { X-Two = '2' }\n[[advanced.headers]]\nsource = '/*.txt'\nheaders = { X-All = 'yes' }\n"), do: func(a *asker) {
			a.get("/assets/").want(200, is("X-One", "1"), is("X-Two", "2"))
			a.get("/odd/sp%C3%A9cial%20x/%C3%B1%20b~c.txt").want(200, is("X-All", "yes"), no("X-One")) // here * crosses slashes
		}},
		{number: "C10.6b", title: "custom headers with the slash redirect off", server: file("[general]\nredirect-trailing-slash = false\n[[advanced.headers]]\nsource = '/a.txt'\nheaders = { X-One = '1' }\n" +
			"[[advanced.headers]]\nsource = '/assets/index.html'\nheaders = { X-Two = '2' }\n"), do: func(a *asker) {
			a.get("/a.txt").want(200, is("X-One", "1"))
			a.get("/assets").want(200, is("X-Two", "2"))
		}},
		{number: "C10.6c", title: "the last of several entries that match wins", server: file("[[advanced.headers]]\nsource = '**/*.txt'\nheaders = { X-One = 'first', X-Two = 'first' }\n" +
			"[[advanced.headers]]\nsource = '/a.txt'\nheaders = { X-One = 'second' }\n"), do: func(a *asker) {
			a.get("/a.txt").want(200, is("X-One", "second"), is("X-Two", "first"))
		}},
		{number: "C10.7", title: "a custom Content-Type wins", server: custom, do: func(a *asker) {
			a.get("/a.txt").want(200, is("Content-Type", "text/plain; charset=iso-8859-1"))
		}},
		{number: "C10.8", title: "security headers on every answer", server: with("--security-headers --basic-auth=" + credentials() + " --cors-allow-origins=http://a.test"), do: func(a *asker) {
			login := authorization("user", password)
			a.get("/a.txt").want(401, secured()...)
			a.ask("POST", "/a.txt", login).want(405, secured()...)
			a.get("/a.txt", login, "Origin: http://evil.test").want(403, secured()...)
			a.get("/missing", login).want(404, secured()...)
			a.get("/assets", login).want(308, secured()...)
			a.get("/a.txt", login, "If-None-Match: *").want(304, secured()...)
			a.get("/1000.bin", login, "Range: bytes=5000-").want(416, secured()...)
		}},
	}
}
