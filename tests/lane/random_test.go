package lane

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// generator makes requests up. The same seed makes the same ones.
type generator struct{ *rand.Rand }

// pick returns one of them.
func pick[T any](g generator, of ...T) T { return of[g.IntN(len(of))] }

// once in n tells whether what happens once in n times does.
func (g generator) oneIn(n int) bool { return g.IntN(n) == 0 }

// conversation is some requests, most of them repeats of a few.
func (g generator) conversation() conversation {
	some := make([]request, 1+g.IntN(5))
	for i := range some {
		some[i] = g.request()
	}
	c := conversation{atOnce: g.oneIn(3), pieces: pick(g, 0, 0, 0, 2, 5, 30)}
	for range 2 + g.IntN(14) {
		r := pick(g, some...)
		if c.requests = append(c.requests, r); c.atOnce && r.closes() {
			break // what is sent behind it makes the kernel throw away what is left of the reply
		}
	}
	return c
}

func (g generator) request() request {
	r := request{method: "GET", target: g.target(), host: pick(g, "site.test", "site.test", "site.test", "b.test", "x.c.test:8080", "127.0.0.1"), fields: g.fields()}
	switch {
	case g.oneIn(5):
		r.method = "HEAD"
	case g.oneIn(12):
		r.method = pick(g, "OPTIONS", "POST", "PUT", "DELETE")
		if g.oneIn(2) {
			r.body = words(1 + g.IntN(3000))
		}
	case g.oneIn(40):
		r.body = words(1 + g.IntN(100))
	}
	return r
}

// target is one of those that are recorded, or something like it.
func (g generator) target() string {
	target := pick(g, targets()...)
	switch g.IntN(8) {
	case 0:
		target += pick(g, "/", "?", "?a=b&c=%20", "x", ".html", ".md", "%20", "/..", "/.")
	case 1:
		i := g.IntN(len(target))
		if c := target[i]; c != '%' && c != '?' && (i < 1 || target[i-1] != '%') && (i < 2 || target[i-2] != '%') && i > 0 {
			target = target[:i] + fmt.Sprintf(pick(g, "%%%02x", "%%%02X"), c) + target[i+1:]
		}
	case 2:
		target = pick(g, "/assets", "/plain", "/.", "/..", "/%2e%2e", "/nowhere", "/a.txt") + target
	}
	return target
}

// fields are those of a client, with some more, some less, and in another order.
func (g generator) fields() []string {
	fields := append([]string{}, browsers()[pick(g, "chrome", "firefox", "safari", "curl", "wget", "bare")]...)
	for g.oneIn(2) {
		name, value, _ := strings.Cut(g.field(), ": ")
		fields = append(withoutField(fields, name), pick(g, name, name, strings.ToLower(name), strings.ToUpper(name))+":"+pick(g, " ", " ", "", " \t ")+value+pick(g, "", "", " ", "\t"))
	}
	if g.oneIn(4) {
		g.Shuffle(len(fields), func(i, j int) { fields[i], fields[j] = fields[j], fields[i] })
	}
	return fields
}

func withoutField(fields []string, name string) []string {
	var others []string
	for _, line := range fields {
		if !strings.EqualFold(strings.SplitN(line, ":", 2)[0], name) || len(others)%5 == 4 { // seldom it stands there twice
			others = append(others, line)
		}
	}
	return others
}

func (g generator) field() string {
	switch g.IntN(9) {
	case 0:
		return "Accept-Encoding: " + pick(g, "gzip", "br", "zstd", "deflate", "identity", "*", "gzip, br;q=0.5", "identity;q=0", "", "br, *;q=0", "gzip;q=0.001")
	case 1:
		return "If-None-Match: " + pick(g, "{etag}", "W/{etag}", `"a", {etag}`, "*", `"x"`, `W/"x"`, `"a", "b"`, "", "x")
	case 2:
		return "If-Modified-Since: " + pick(g, "Fri, 02 Jan 2026 03:04:05 GMT", "Fri, 02 Jan 2026 03:04:06 GMT", "Fri, 02 Jan 2026 03:04:04 GMT", "Friday, 02-Jan-26 03:04:05 GMT", "0", "Thu, 01 Jan 2099 00:00:00 GMT")
	case 3:
		return pick(g, "Range: bytes=0-9", "Range: bytes=5-", "Range: x", "If-Match: *", "If-Match: {etag}", "If-Range: {etag}", "If-Unmodified-Since: Fri, 02 Jan 2026 03:04:05 GMT")
	case 4:
		return "Accept: " + pick(g, "*/*", "text/html", "text/markdown", "application/json", "text/*;q=0.5, text/markdown", "")
	case 5:
		return "Origin: " + pick(g, "https://a.test", "https://b.test", "https://c.test", "null", "HTTPS://A.TEST")
	case 6:
		return "Sec-Fetch-Mode: " + pick(g, "navigate", "cors", "no-cors", "")
	case 7:
		return "Connection: " + pick(g, "keep-alive", "Keep-Alive", "close", "x", "keep-alive, x")
	}
	return pick(g, "Cookie: a=b", "Referer: http://x.test/", "User-Agent: x", "X-Forwarded-For: 192.0.2.7", "X-Real-IP: 192.0.2.8", "Forwarded: for=192.0.2.9", "Cache-Control: no-cache", "Pragma: no-cache", "DNT: 1", "Priority: u=1, i", "Authorization: Basic dXNlcjpvcGVuIHNlc2FtZQ==", "Expect: 100-continue", "TE: trailers")
}
