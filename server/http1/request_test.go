package http1

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/server/reply"
)

// chrome is what a browser sends for a page.
const chrome = "GET /blog/2026/02/index.html?from=feed HTTP/1.1\r\nHost: www.example.com\r\nConnection: keep-alive\r\n" +
	"Upgrade-Insecure-Requests: 1\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36\r\n" +
	"Accept: text/html,*/*;q=0.8\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nSec-Fetch-Mode: navigate\r\nCookie: a=b\r\n\r\n"

func TestWhatABrowserSendsIsRead(t *testing.T) {
	r := reply.Request{Scope: 7}
	size, v := Recognize([]byte(chrome+"GET /next"), &r)
	if v != Plain || size != len(chrome) || r.Scope != 7 || r.Head || r.Close {
		t.Fatalf("%d bytes, verdict %d, %+v", size, v, r)
	}
	for got, want := range map[string]string{
		string(r.Target): "/blog/2026/02/index.html?from=feed", string(r.Host): "www.example.com",
		string(r.Fields[reply.Accept]): "text/html,*/*;q=0.8", string(r.Fields[reply.AcceptEncoding]): "gzip, deflate, br, zstd",
		string(r.Fields[reply.SecFetchMode]): "navigate", string(r.UserAgent[:11]): "Mozilla/5.0",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if r.Referer != nil || r.Fields[reply.Origin] != nil || r.Fields[reply.IfNoneMatch] != nil {
		t.Errorf("fields that were not sent: %+v", r)
	}
}

// plain and odd are heads with \n for CRLF and without the empty line.
func plain() []string {
	long := strings.Repeat("x", longestTarget-1)
	return []string{
		"GET / HTTP/1.1\nHost: a",
		"HEAD / HTTP/1.1\nHost: a",
		"GET /%7e%2F%00?%aa&'()*+,;=!$-._~:@/? HTTP/1.1\nhOST:a.b-c_d:80",
		"GET /a//b/../c/. HTTP/1.1\nHost:\t [::1]:8080 \t",
		"GET /? HTTP/1.1\nHost: a\nCONNECTION: Close",
		"GET / HTTP/1.1\nHost: a\nConnection: Keep-Alive",
		"GET / HTTP/1.1\nX:\nHost: a\nY: \t \nZ: a\tb ~",
		"GET / HTTP/1.1\nHost: a\nCookie: a\nCookie: b\nX-Range: bytes=0-\nRange-: 1\nContent-Type: x\nPragma: no-cache",
		"GET / HTTP/1.1\nHost: a\nAccept:\nIf-None-Match: \"a\", W/\"b\"\nIf-Modified-Since: never\nOrigin: null\nReferer: x\nForwarded: for=a\nX-Forwarded-For: a, b\nX-Real-IP: a",
		"GET / HTTP/1.1\nHost: a\nProxy-Authorization: Basic eDp5\n!#$%&'*+-.^_`|~09azAZ: b\n" + strings.Repeat("long-", 20) + ": c",
		"GET /" + long + " HTTP/1.1\nHost: a",
	}
}

func odd() []string {
	long := strings.Repeat("x", longestTarget)
	lines := []string{ // beside a Host
		"Host: a", "Host: b", "Connection: close\nConnection: close", "Connection: close, x", "Connection: upgrade", "Connection:",
		"Accept: a\nAccept: b", "Accept-Encoding: a\nAccept-Encoding: b", "If-None-Match: a\nif-none-match: b", "If-Modified-Since:\nIf-Modified-Since:",
		"Origin: a\nOrigin: a", "Sec-Fetch-Mode: a\nSec-Fetch-Mode: a", "User-Agent: a\nUser-Agent: b", "Referer: a\nReferer: b",
		"Forwarded: a\nForwarded: b", "X-Forwarded-For: a\nX-Forwarded-For: b", "X-Real-Ip: a\nX-Real-Ip: b",
		"Range: bytes=0-1", "range: x", "If-Range: a", "If-Match: a", "If-Unmodified-Since: a", "Authorization: a", "Expect: 100-continue", "Upgrade: h2c",
		"Content-Length: 0", "content-length: 5", "Transfer-Encoding: chunked", "TE: trailers", "Trailer: x", "HTTP2-Settings: AAMAAABkAAQAAP__",
		"Access-Control-Request-Method: GET", "Access-Control-Request-Headers: x", "Access-Control-Request-Private-Network: true",
		"X : a", " X: a", "\tX: a", ": a", "X", "X\xe9: a", "X\x00: a", "X(: a", "X: a\x00", "X: a\x7f", "X: \xe9", "X: a\rb", "X: a\vb", "X: a\n b", "X: a\n\tb", "X: a\r",
		"X: 1234567\x1f", "X: 12345678\x80", "X: \xff12345678",
	}
	for i, line := range lines {
		lines[i] = "GET / HTTP/1.1\nHost: a\n" + line
	}
	return append(lines,
		"get / HTTP/1.1\nHost: a", "POST / HTTP/1.1\nHost: a", "GETS / HTTP/1.1\nHost: a", "OPTIONS * HTTP/1.1\nHost: a", "PRI * HTTP/2.0\n\nSM",
		"\nGET / HTTP/1.1\nHost: a", " GET / HTTP/1.1\nHost: a", "GET  / HTTP/1.1\nHost: a", "GET\t/ HTTP/1.1\nHost: a", "GET / HTTP/1.1 \nHost: a", "GET /  HTTP/1.1\nHost: a",
		"GET / HTTP/1.0\nHost: a", "GET / HTTP/1.2\nHost: a", "GET / http/1.1\nHost: a", "GET / HTTP/2.0\nHost: a", "GET /\nHost: a", "GET / \nHost: a", "GET / HTTP/1.1 x\nHost: a",
		"GET //a HTTP/1.1\nHost: a", "GET * HTTP/1.1\nHost: a", "GET http://a/ HTTP/1.1\nHost: a", "GET a HTTP/1.1\nHost: a", "GET /a\x00 HTTP/1.1\nHost: a", "GET /\xc3\xa4 HTTP/1.1\nHost: a",
		"GET /a#b HTTP/1.1\nHost: a", "GET /\"<>\\^`{|} HTTP/1.1\nHost: a", "GET /[ HTTP/1.1\nHost: a", "GET /%zz HTTP/1.1\nHost: a", "GET /%a HTTP/1.1\nHost: a", "GET /?% HTTP/1.1\nHost: a", "GET /\t HTTP/1.1\nHost: a",
		"GET /"+long+" HTTP/1.1\nHost: a",
		"GET / HTTP/1.1", "GET / HTTP/1.1\nHost:", "GET / HTTP/1.1\nHost: a b", "GET / HTTP/1.1\nHost: a/b", "GET / HTTP/1.1\nHost: a@b", "GET / HTTP/1.1\nHost: a,b", "GET / HTTP/1.1\nHost: [fe80::1%25lo]", "GET / HTTP/1.1\nX: a",
	)
}

func wire(text string) []byte { return []byte(strings.ReplaceAll(text, "\n", "\r\n") + "\r\n\r\n") }

func TestPlain(t *testing.T) {
	for _, text := range plain() {
		b := wire(text)
		var r reply.Request
		if size, v := Recognize(b, &r); v != Plain || size != len(b) {
			t.Errorf("%q: verdict %d, %d bytes", text, v, size)
		}
		sameAsNetHTTP(t, b, len(b), &r)
		prefixesArePartial(t, b)
	}
}

// http.ReadRequest, which the fuzzing asks, refuses less than a server does.
func TestServersOfNetHTTPTakeWhatIsPlain(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer server.Close()
	for _, text := range plain() {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conn.Write(wire(text))
		answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if conn.Close(); err != nil || answer.StatusCode != http.StatusTeapot {
			t.Errorf("%q: %v, %v", text, answer, err)
		}
	}
}

func TestOdd(t *testing.T) {
	bare := []string{"GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\n\r\n", "GET / HTTP/1.1\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nX: b\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\n", "GET / HTTP/1.1\r\rHost: a\r\n\r\n", "\x16\x03\x01", "\x00"}
	for _, text := range odd() {
		bare = append(bare, string(wire(text)))
	}
	for _, text := range bare {
		var r reply.Request
		if size, v := Recognize([]byte(text), &r); v != Odd || size != 0 {
			t.Errorf("%q: verdict %d, %d bytes", text, v, size)
		}
	}
}

// What cannot become plain is answered at once, not when the client has sent the rest.
func TestGarbageIsNotWaitedFor(t *testing.T) {
	for _, text := range []string{"P", "g", "GET h", "GET //", "GET /%x", "GET /a b", "GET / HTTP/1.0", "GET / HTTP/1.1\n", "GET / HTTP/1.1\r\n ", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n", "GET / HTTP/1.1\r\nRange: a\r\n", "GET / HTTP/1.1\r\nX: \x00"} {
		if _, v := Recognize([]byte(text), new(reply.Request)); v != Odd {
			t.Errorf("%q: verdict %d", text, v)
		}
	}
}

func TestLongHeadsAreOdd(t *testing.T) {
	for _, size := range []int{longestHead, longestHead + 1} {
		const begin, end = "GET / HTTP/1.1\r\nHost: a\r\nX: ", "\r\n\r\n"
		b := []byte(begin + strings.Repeat("x", size-len(begin)-len(end)) + end)
		want := Plain
		if size > longestHead {
			want = Odd
		}
		if _, v := Recognize(b, new(reply.Request)); v != want {
			t.Errorf("%d bytes: verdict %d, want %d", size, v, want)
		}
		if _, v := Recognize(b[:longestHead-1], new(reply.Request)); v != Partial {
			t.Errorf("%d bytes of it: verdict %d", longestHead-1, v)
		}
	}
}

func TestRecognizeAllocatesNothing(t *testing.T) {
	b, r := []byte(chrome), new(reply.Request)
	if n := testing.AllocsPerRun(100, func() { Recognize(b, r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRecognize(b *testing.B) {
	short := "GET /1k HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for _, text := range []string{short, chrome} {
		b.Run(fmt.Sprint(len(text)), func(b *testing.B) {
			sent, r := []byte(text), new(reply.Request)
			b.SetBytes(int64(len(sent)))
			for b.Loop() {
				if _, v := Recognize(sent, r); v != Plain {
					b.Fatal("not recognized")
				}
			}
		})
	}
}
