package lane

import (
	"encoding/base64"
	"slices"
)

// browsers are the fields that clients send beside Host, as recorded.
func browsers() map[string][]string {
	return map[string][]string{
		"chrome": {
			"Connection: keep-alive", `sec-ch-ua: "Chromium";v="139", "Not;A=Brand";v="24", "Google Chrome";v="139"`, "sec-ch-ua-mobile: ?0", `sec-ch-ua-platform: "Linux"`,
			"Upgrade-Insecure-Requests: 1", "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36",
			"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
			"Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-User: ?1", "Sec-Fetch-Dest: document", "Accept-Encoding: gzip, deflate, br, zstd", "Accept-Language: en-US,en;q=0.9",
		},
		"firefox": {
			"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0", "Accept: text/css,*/*;q=0.1", "Accept-Language: en-US,en;q=0.5",
			"Accept-Encoding: gzip, deflate, br", "Connection: keep-alive", "Referer: http://site.test/", "Sec-Fetch-Dest: style", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Site: same-origin", "Priority: u=2",
		},
		"safari": {
			"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Sec-Fetch-Site: none", "Cookie: theme=dark; seen=1", "Connection: keep-alive", "Sec-Fetch-Mode: navigate",
			"User-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15", "Accept-Language: en-GB,en;q=0.9", "Sec-Fetch-Dest: document", "Accept-Encoding: gzip, deflate",
		},
		"curl": {"User-Agent: curl/8.14.1", "Accept: */*"},
		"wget": {"User-Agent: Wget/1.25.0", "Accept: */*", "Accept-Encoding: identity", "Connection: Keep-Alive"},
		"bare": nil,
	}
}

// targets are what is asked for: each kind of reply that the setups have.
func targets() []string {
	return []string{
		"/", "/index.html", "/a.txt", "/empty.txt", "/1k.bin", "/100k.bin", "/300k.txt", "/big.txt", "/10k.js", "/picture.png", "/unknown.xyzzy", "/page.html", "/page", "/missing.txt", "/missing", "/missing/",
		"/assets", "/assets/", "/assets/main.css", "/assets/main.css.gz", "/assets/main.js", "/assets/favicon.ico", "/plain", "/plain/", "/plain/x.txt", "/none/", "/orphan/", "/link/main.js", "/link.txt", "/link/",
		"/.hidden", "/.dir/file.txt", "/.well-known/security.txt", "/404.html", "/50x.html", "/md/p", "/md/p.md", "/md/p.html", "/md/q.html", "/md/", "/odd/sp%C3%A9cial%20x/%C3%B1%20b~c.txt", "/odd/",
		"/old", "/old.html", "/sub/main.css", "/gone/x", "/blog/post", "/blog/post.html", "/js/a.mjs?x=1", "/x/y.ico", "/api.json", "/health", "/ready", "/metrics", "/_headers", "/_redirects",
		"/?a=b", "/a.txt?v=1", "/assets?x", "/?", "/plain/?sort=size", "/plain/?download=tarzst", "/./a.txt", "/assets/../a.txt", "/../a.txt", "/assets//main.js", "/%61.txt", "/a%2Etxt", "/assets%2Fmain.js", "/a.txt/", "/a.txt%00", "/%2e%2e/a.txt", "/A.TXT", "/index.html/", "/assets/index.html",
	}
}

// recorded are the requests of these clients for everything, on a connection each.
func recorded(clients ...string) []conversation {
	var all []conversation
	for _, name := range clients {
		c := conversation{name: name}
		for i, target := range targets() {
			r := get(target, browsers()[name]...)
			if name == "wget" && i%2 == 1 {
				r.method = "HEAD"
			}
			c.requests = append(c.requests, thrice(r)...)
		}
		all = append(all, c)
	}
	return all
}

// special are requests whose fields, host or method matter.
func special() []conversation {
	right := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("user:open sesame"))
	wrong := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("user:wrong"))
	const since, gzip = "If-Modified-Since: Fri, 02 Jan 2026 03:04:05 GMT", "Accept-Encoding: gzip"
	all := []conversation{
		{name: "dates", requests: thrice(get("/a.txt", since), get("/a.txt", since, gzip), get("/big.txt", gzip, since), get("/big.txt", since), get("/a.txt", "If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT"), get("/a.txt", "If-Modified-Since: yesterday"), get("/a.txt", "If-Modified-Since:"))},
		{name: "tags", requests: thrice(get("/a.txt"), get("/a.txt", "If-None-Match: {etag}"), get("/a.txt", "If-None-Match: W/{etag}"), get("/a.txt", `If-None-Match: "x", {etag}`), get("/big.txt", gzip), get("/big.txt", gzip, "If-None-Match: {etag}"), get("/big.txt", "If-None-Match: {etag}"), get("/300k.txt", gzip), get("/300k.txt", gzip, "If-None-Match: {etag}"), get("/a.txt", "If-None-Match: *"), get("/big.txt", "If-None-Match: *", gzip), get("/missing", "If-None-Match: *"), get("/a.txt", `If-None-Match: "x"`), get("/a.txt", `If-None-Match: W/"x", "y"`), get("/a.txt", `If-None-Match: "x"`, since), get("/a.txt", "If-None-Match:"), get("/a.txt", "If-None-Match:", since), get("/a.txt", `If-None-Match: "x"`, "If-None-Match: *"))},
		{name: "ranges", requests: thrice(get("/big.txt"), get("/big.txt", "Range: bytes=0-99"), get("/big.txt", "Range: bytes=-5"), get("/big.txt", "Range: bytes=9999-"), get("/big.txt", "Range: bytes=0-1,5-9"), get("/big.txt", "Range: bytes=0-9", `If-Range: "x"`), get("/big.txt", "Range: bytes=0-9", "If-Range: {etag}"), get("/big.txt", "If-Match: *"), get("/big.txt", "If-Match: {etag}"), get("/big.txt", `If-Match: "x"`), get("/big.txt", "If-Unmodified-Since: Thu, 01 Jan 2026 00:00:00 GMT"))},
		{name: "origins", requests: thrice(get("/a.txt", "Origin: https://a.test"), get("/a.txt"), get("/a.txt", "Origin: https://b.test"), get("/a.txt", "Origin: https://evil.test"), get("/a.txt", "Origin: null"), get("/a.txt", "Origin:"), get("/missing", "Origin: https://a.test"))},
		{name: "kinds", requests: thrice(get("/md/p", "Accept: text/markdown"), get("/md/p", "Accept: text/html"), get("/md/p.html", "Accept: text/markdown, text/html;q=0.5"), get("/md/", "Accept: text/markdown"), get("/plain/", "Accept: application/json"), get("/plain/", "Accept: text/html"), get("/missing", "Accept: text/html"), get("/missing", "Accept: */*"))},
		{name: "modes", requests: thrice(get("/missing", "Sec-Fetch-Mode: navigate"), get("/missing", "Sec-Fetch-Mode: cors"), get("/missing"), get("/index.html", "Sec-Fetch-Mode: cors"), get("/index.html", "Sec-Fetch-Mode: navigate"), get("/index.html"))},
		{name: "passwords", requests: append(thrice(get("/a.txt", right), get("/a.txt"), get("/big.txt", gzip, right)), get("/a.txt", wrong))},
		{name: "proxies", requests: thrice(get("/a.txt", "X-Forwarded-For: 192.0.2.1, 192.0.2.2", "X-Real-IP: 192.0.2.3"), get("/a.txt", "Forwarded: for=192.0.2.60;proto=http"), get("/a.txt", "X-Forwarded-For: a", "X-Forwarded-For: 192.0.2.9"))},
		{name: "all at once", atOnce: true, requests: thrice(get("/a.txt"), get("/big.txt", gzip), get("/missing"), get("/100k.bin"), get("/assets"))},
		{name: "in pieces", pieces: 7, requests: thrice(get("/a.txt", browsers()["chrome"]...), get("/big.txt", gzip))},
		{name: "all at once in pieces", pieces: 40, atOnce: true, requests: thrice(get("/a.txt", browsers()["firefox"]...), get("/big.txt", gzip), get("/300k.txt"))},
		{name: "close", requests: []request{get("/a.txt", "Connection: close"), get("/a.txt")}},
		{name: "close in a row", atOnce: true, requests: []request{get("/a.txt"), get("/a.txt", "Connection: close"), get("/a.txt")}},
	}
	all = append(all, conversation{name: "bodies at once", atOnce: true, requests: bodies()})
	for _, coding := range []string{"", "*", "gzip", "br", "zstd", "deflate", "br;q=0.1, gzip;q=0.9", "gzip;q=0", "*;q=0", "X-GZIP", ",,"} {
		field := "Accept-Encoding: " + coding
		all = append(all, conversation{name: "coding " + coding, requests: thrice(get("/big.txt", field), get("/assets/main.css", field), get("/missing", field), get("/picture.png", field))})
	}
	for _, host := range []string{"SITE.test.", "b.test", "B.TEST:80", "x.c.test", "c.test", "127.0.0.1:1", "[::1]", "[::1]:80", "a..b", "a_b", ":80", "site.test:x"} {
		r := get("/")
		r.host = host
		second := get("/a.txt")
		second.host = host
		all = append(all, conversation{name: "host " + host, requests: thrice(r, second)})
	}
	for _, method := range []string{"HEAD", "OPTIONS", "POST", "PUT", "TRACE", "get", "BREW"} {
		r, body := get("/a.txt"), get("/big.txt")
		r.method, body.method, body.body = method, method, words(300)
		all = append(all, conversation{name: method, requests: []request{get("/a.txt"), get("/a.txt"), r, r, r, get("/a.txt")}},
			conversation{name: method + " with a body", requests: []request{get("/a.txt"), get("/a.txt"), body, get("/a.txt")}})
	}
	return all
}

// bodies are more than a TLS record holds (RFC 8446 §5.1), and a server reads at once.
func bodies() []request {
	r := get("/404.html")
	r.method, r.body = "PUT", words(2200)
	return slices.Repeat([]request{r, get("/a.txt")}, 10)
}
