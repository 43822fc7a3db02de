package faults

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// outUnkeyed are what a client can say beside the target, that must not change what others are sent.
func outUnkeyed() []string {
	return []string{
		"Host: evil.test", "Host: site.test:99", "Host: SITE.TEST", "Host: site.test.", "Host: evil.test:80", "X-Forwarded-Host: evil.test", "X-Forwarded-Proto: https", "X-Forwarded-Proto: http", "X-Forwarded-Scheme: http", "X-Forwarded-Port: 99", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Prefix: /evil", "X-Forwarded-Server: evil.test", "X-Host: evil.test", "X-Real-IP: 192.0.2.1", "Forwarded: for=192.0.2.1;host=evil.test;proto=https",
		"X-Original-URL: /sub/b.txt", "X-Rewrite-URL: /sub/b.txt", "X-HTTP-Method-Override: POST", "X-Method-Override: HEAD", "Accept: application/json", "Accept: text/markdown", "Accept: */*;q=0", "Accept-Language: de", "Accept-Charset: utf-16", "Accept-Encoding: gzip", "Accept-Encoding: br", "Accept-Encoding: zstd", "Accept-Encoding: *;q=0", "Accept-Encoding: identity;q=0, *", "Accept-Encoding: nonsense", "Accept-Encoding: gzip\r\nAccept-Encoding: br",
		"Range: bytes=0-0", "Range: bytes=99999-", "Range: nonsense", "If-Range: x\r\nRange: bytes=0-1", "If-None-Match: *", "If-None-Match: \"x\"", "If-Match: \"x\"", "If-Modified-Since: Mon, 01 Jan 2035 00:00:00 GMT", "If-Unmodified-Since: Mon, 01 Jan 2001 00:00:00 GMT", "Origin: https://evil.test", "Origin: null", "Cookie: a=b", "Authorization: Basic YTpi", "Connection: X-Y\r\nX-Y: z", "Connection: close", "Connection: Accept-Encoding\r\nAccept-Encoding: gzip",
		"Cache-Control: no-store", "Cache-Control: only-if-cached", "Pragma: no-cache", "User-Agent: x\"<script>", "Referer: https://evil.test/", "Upgrade-Insecure-Requests: 1", "Sec-Fetch-Dest: script", "Sec-Fetch-Mode: navigate", "Purpose: prefetch", "Save-Data: on", "DNT: 1", "TE: trailers", "Expect: 100-continue", "Max-Forwards: 0", "Via: 1.1 evil", "Content-Length: 0", "Content-Type: text/html", "X: " + strings.Repeat("x", 4000), "Transfer-Encoding: chunked\r\n\r\n0",
		"method HEAD", "method POST", "method OPTIONS", "method TRACE", "method get", "method PURGE", "absolute http://evil.test", "absolute https://site.test", "absolute http://SITE.test:99", "version HTTP/1.0",
	}
}

// outRequest is a request with something said in it that is not the target.
func outRequest(target, said string) (method, text string) {
	method, version, host := "GET", "HTTP/1.1", "Host: site.test\r\n"
	switch {
	case strings.HasPrefix(said, "method "):
		method, said = strings.TrimPrefix(said, "method "), ""
	case strings.HasPrefix(said, "absolute "):
		target, said = strings.TrimPrefix(said, "absolute ")+target, ""
	case strings.HasPrefix(said, "version "):
		version, said = strings.TrimPrefix(said, "version "), ""
	case strings.HasPrefix(said, "Host:"):
		host = ""
	}
	if said != "" {
		said += "\r\n"
	}
	return method, method + " " + target + " " + version + "\r\n" + host + said + "\r\n"
}

// outPoison is a site whose replies depend on what a request says, on two servers: one that keeps replies, and one that does not.
func outPoison(t *testing.T) (with, clean *outServer) {
	t.Helper()
	dir := outSite(t)
	outWrite(t, dir, map[string]string{
		"site/static.html": strings.Repeat("<p>static</p>\n", 60), "site/static.html.gz": "gz", "site/static.html.br": "br", "site/static.html.zst": "zst", "site/page.html.md": "# page\n",
		"evil/index.html": "evil\n", "evil/a.txt": "evil\n", "rouse.toml": fmt.Sprintf(`
[advanced]
[[advanced.virtual-hosts]]
host = "evil.test"
root = %q
[[advanced.redirects]]
source = "/old/{*}"
destination = "/new/$1"
kind = 302
`, filepath.Join(dir, "evil"))})
	options := []string{"--root", filepath.Join(dir, "site"), "--config-file", filepath.Join(dir, "rouse.toml"), "--directory-listing", "--directory-listing-format=auto", "--accept-markdown", "--compression-static", "--cors-allow-origins=https://friend.test", "--reply-ttl=1m", "--security-headers"}
	return outStart(t, "lane", options...), outStart(t, "clean", append(options, "--lane=off")...)
}

// Nothing that one client says changes what the next one is sent.
func TestOutCachePoisoning(t *testing.T) {
	t.Parallel()
	with, clean := outPoison(t)
	said := outUnkeyed()
	targets := []string{"/a.txt", "/page.html", "/static.html", "/page", "/", "/sub", "/sub/", "/none", "/old/x", "/.hidden"}
	asked := 0
	for _, protocol := range []string{"", "http/1.1"} {
		dirty, honest, model := &outHTTP1{t: t, s: with, protocol: protocol}, &outHTTP1{t: t, s: with, protocol: protocol}, &outHTTP1{t: t, s: clean, protocol: protocol}
		for _, target := range targets {
			for i, one := range said {
				target := fmt.Sprintf("%s?%d", target, i)
				for range 3 { // kept from the second time on
					dirty.raw(outRequest(target, one))
					asked++
				}
				for _, encoding := range []string{"", "Accept-Encoding: gzip"} {
					want := outPlain(model.raw(outRequest(target, encoding)).raw)
					for range 2 {
						if got := outPlain(honest.raw(outRequest(target, encoding)).raw); got != want {
							t.Errorf("%v: after %.100q a clean request for %s (%s) is answered with\n%.700q\nwant\n%.700q", dirty, one, target, encoding, got, want)
						}
					}
				}
			}
		}
	}
	tell(t, row{Kind: "out", What: "cache poisoning", Tried: fmt.Sprintf("%d things to say beside the target, %d targets, %d poisoned requests", len(said), len(targets), asked), Rouse: "the next client's reply is as without a cache"})
}

// outStream is a request of HTTP/2 with something said in it, as outRequest is one of HTTP/1.1.
func outStream(said string) (method string, fields []string) {
	method = "GET"
	switch {
	case strings.HasPrefix(said, "method "):
		return strings.TrimPrefix(said, "method "), nil
	case strings.HasPrefix(said, "absolute "):
		_, host, _ := strings.Cut(said, "://")
		return method, []string{"Host: " + host}
	case strings.HasPrefix(said, "version "), said == "":
		return method, nil
	}
	head, _, _ := strings.Cut(said, "\r\n\r\n")
	return method, strings.Split(head, "\r\n")
}

// The same over HTTP/2: whatever one client says over either version, the next one over HTTP/2 is sent what a server without a
// memory sends it: the file, a part of it, its head, a variant in a coding, or that it has it already.
func TestOutCachePoisoningHTTP2(t *testing.T) {
	t.Parallel()
	with, clean := outPoison(t)
	dirty, honest, model := &outHTTP2{t: t, s: with}, &outHTTP2{t: t, s: with}, &outHTTP2{t: t, s: clean}
	other := &outHTTP1{t: t, s: with, protocol: "http/1.1"} // its replies are kept with those
	ask := func(a *outHTTP2, target, said string) string {
		var fields []string
		a.method, fields = outStream(said)
		return outPlain(a.ask(target, fields...).raw)
	}
	said := append(outUnkeyed(), "Accept-Encoding: GZIP", "Accept-Encoding: gzip;q=0", "Accept-Encoding: x-gzip", "Accept-Encoding: ,,", "Accept-Encoding: identity", "Accept-Encoding: deflate, gzip;q=1.001", "Accept-Encoding: br;q=0.001, *;q=0.002", "Range: bytes=-1", "Range: bytes=0-0,2-2", "Cookie: a=b\r\nCookie: c=d", "Host: site.test\r\nX-Forwarded-Host: evil.test")
	clear := []string{"", "Accept-Encoding: gzip", "Accept-Encoding: zstd, br", "method HEAD", "Range: bytes=0-3", "If-None-Match: \"x\""}
	targets := []string{"/a.txt", "/page.html", "/static.html", "/sub", "/none", "/old/x"}
	asked := 0
	for i, one := range said {
		for j, target := range targets {
			target := fmt.Sprintf("%s?%d", target, i)
			for range 2 { // kept from the second time on
				ask(dirty, target, one)
				asked++
			}
			if (i+j)%3 == 0 {
				other.raw(outRequest(target, one))
				asked++
			}
			for k, plain := range clear {
				if (i+j+k)%2 == 1 { // each is asked of half of the targets
					continue
				}
				want := ask(model, target, plain)
				for range 2 {
					if got := ask(honest, target, plain); got != want {
						t.Errorf("after %.100q a clean request for %s (%s) is answered with\n%.700q\nwant\n%.700q", one, target, plain, got, want)
					}
				}
			}
		}
	}
	tell(t, row{Kind: "out", What: "cache poisoning over HTTP/2", Tried: fmt.Sprintf("%d things to say beside the target, %d targets, %d poisoned requests, then whole, HEAD, Range, If-None-Match and three codings", len(said), len(targets), asked), Rouse: "the next client's reply is as without a cache"})
}

// outPlain is a reply without what differs each time.
func outPlain(reply string) string {
	return regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(outUndated(reply), "HOST")
}
