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

// Nothing that one client says changes what the next one is sent.
func TestOutCachePoisoning(t *testing.T) {
	t.Parallel()
	dir := outSite(t)
	outWrite(t, dir, map[string]string{"evil/index.html": "evil\n", "evil/a.txt": "evil\n", "rouse.toml": fmt.Sprintf(`
[advanced]
[[advanced.virtual-hosts]]
host = "evil.test"
root = %q
[[advanced.redirects]]
source = "/old/{*}"
destination = "/new/$1"
kind = 302
`, filepath.Join(dir, "evil"))})
	options := []string{"--root", filepath.Join(dir, "site"), "--config-file", filepath.Join(dir, "rouse.toml"), "--directory-listing", "--directory-listing-format=auto", "--accept-markdown", "--cors-allow-origins=https://friend.test", "--reply-ttl=1m", "--security-headers"}
	with, clean := outStart(t, "lane", options...), outStart(t, "clean", append(options, "--lane=off")...)
	said := outUnkeyed()
	targets := []string{"/a.txt", "/page.html", "/page", "/", "/sub", "/sub/", "/none", "/old/x", "/.hidden"}
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

// outPlain is a reply without what differs each time.
func outPlain(reply string) string {
	return regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(outUndated(reply), "HOST")
}
