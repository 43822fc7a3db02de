package lane

import "strings"

// malformed are requests that are wrong, odd, or older than HTTP/1.1, each alone and after requests that are not.
func malformed(over transport) []conversation {
	if over == h2 || over == h2c {
		return nil
	}
	var all []conversation
	for _, text := range malformedTexts() {
		r := request{raw: text}
		all = append(all, conversation{name: "alone", requests: []request{r}},
			conversation{name: "after others", requests: append(thrice(get("/a.txt")), r, get("/a.txt"))},
			conversation{name: "at once with others", atOnce: true, requests: append(thrice(get("/a.txt")), r, get("/a.txt"))})
	}
	return all
}

func malformedTexts() []string {
	fields := []string{ // beside a Host
		"Host: a", "Connection: close, x", "Connection: upgrade", "Connection:", "Connection: close\nConnection: close", "Accept: a\nAccept: b", "Accept-Encoding: gzip\nAccept-Encoding: br", "User-Agent: a\nUser-Agent: b",
		"Expect: 100-continue", "Expect: x", "Upgrade: h2c\nConnection: Upgrade, HTTP2-Settings\nHTTP2-Settings: AAMAAABkAAQAAP__", "Content-Length: 0", "Content-Length: 5\n\nhello", "Content-Length: 5\nContent-Length: 5\n\nhello", "Content-Length: 5, 5\n\nhello", "Content-Length: -1", "Content-Length: x",
		"Transfer-Encoding: chunked\n\n5\nhello\n0\n", "Transfer-Encoding: chunked\nContent-Length: 3\n\n5\nhello\n0\n", "Transfer-Encoding: x", "Transfer-Encoding: chunked\n\nzz", "TE: trailers", "Trailer: X",
		"X : a", " X: a", "\tX: a", ": a", "X", "X\xe9: a", "X\x00: a", "X(: a", "X: a\x00", "X: a\x7f", "X: \xe9", "X: a\rb", "X: a\vb", "X: a\n b", "X: a\n\tb", "Range: bytes=0-1\nRange: bytes=2-3", "X: " + strings.Repeat("x", 9<<10), "Cookie: " + strings.Repeat("x", 2<<20),
	}
	var all []string
	for _, field := range fields {
		all = append(all, "GET /a.txt HTTP/1.1\nHost: site.test\n"+field+"\n\n")
	}
	for _, line := range []string{
		"GET /a.txt HTTP/1.0", "GET /a.txt HTTP/1.0\nConnection: keep-alive", "GET /a.txt HTTP/1.2", "GET /a.txt http/1.1", "GET /a.txt HTTP/2.0", "GET /a.txt HTTP/3", "GET /a.txt HTTP/1.1 x", "GET /a.txt", "GET  /a.txt HTTP/1.1", "GET\t/a.txt HTTP/1.1", "GET /a.txt HTTP/1.1 ",
		"\n\nGET /a.txt HTTP/1.1", " GET /a.txt HTTP/1.1", "GET /a b HTTP/1.1", "GET /%zz HTTP/1.1", "GET /a#b HTTP/1.1", "GET /\xc3\xa4 HTTP/1.1", "GET /\x00 HTTP/1.1", "GET /\"<>\\^`{|} HTTP/1.1", "GET //a.txt HTTP/1.1", "GET /[ HTTP/1.1", "GET a.txt HTTP/1.1", "GET * HTTP/1.1", "OPTIONS * HTTP/1.1",
		"GET http://site.test/a.txt HTTP/1.1", "GET http://b.test/ HTTP/1.1", "GET https://site.test/a.txt?x HTTP/1.1", "GET ftp://site.test/ HTTP/1.1", "CONNECT site.test:443 HTTP/1.1", "G(T / HTTP/1.1", "GET /" + strings.Repeat("x", 5<<10) + " HTTP/1.1", "PRI * HTTP/2.0", "PRI * HTTP/1.1",
	} {
		all = append(all, line+"\nHost: site.test\n\n")
	}
	return append(all, "GET / HTTP/1.1\n\n", "GET / HTTP/1.1\nHost:\n\n", "GET / HTTP/1.1\nHost: a b\n\n", "GET / HTTP/1.1\nHost: a/b\n\n", "GET / HTTP/1.1\nHost: [fe80::1%25lo]\n\n", "HEAD /a.txt HTTP/1.0\n\n", "GET /a.txt HTTP/1.0\n\n", "\x16\x03\x01\x00\x05hello\n\n", "hello, is anybody there?\n\n")
}
