package http2

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2/hpack"
)

const malformed = "RST_STREAM PROTOCOL_ERROR"

// netHTTP serves h2c by net/http, and returns the address.
func netHTTP(t testing.TB, h http.Handler) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, MaxHeaderBytes: 64 << 10, Protocols: new(http.Protocols), ErrorLog: silent()}
	server.Protocols.SetUnencryptedHTTP2(true)
	server.HTTP2 = &http.HTTP2Config{MaxReadFrameSize: maxFrame}
	var served sync.WaitGroup
	served.Go(func() { server.Serve(l) })
	t.Cleanup(func() {
		server.Close()
		served.Wait()
	})
	return l.Addr().String()
}

func silent() *log.Logger { return log.New(io.Discard, "", 0) }

// step is one thing that a handler does.
type step func(w http.ResponseWriter, r *http.Request)

// script is what a handler does, step by step.
type script struct {
	steps []step
	text  []string
}

func (s *script) add(text string, one step) {
	s.text = append(s.text, text)
	s.steps = append(s.steps, one)
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for _, one := range s.steps {
		one(w, r)
	}
}

// anyScript makes one by chance. The file has 300,000 bytes.
func anyScript(random *rand.Rand, file string) *script {
	s := &script{}
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	name := func() string {
		return pick("X-A", "Etag", "Content-Type", "Cache-Control", "x-lower", "Trailer", "X-Sum", "Trailer:X-Late", "Bad Name", "X-Ä", "Content-Encoding", "Vary", "Date", "Transfer-Encoding", "Keep-Alive", "Link")
	}
	set := func() {
		n, v := name(), pick("a", "", "text/html", "X-Sum", "X-Sum, X-Other", "gzip", "two\nlines", "  spaces ", "ünïcode", strings.Repeat("long ", 5000), "trailers")
		if strings.HasPrefix(n, "Trailer:") {
			v = "late" // net/http never ends a stream whose trailers are all invalid
		}
		s.add(fmt.Sprintf("header %s: %.20s", n, v), func(w http.ResponseWriter, _ *http.Request) { w.Header()[n] = append(w.Header()[n], v) })
	}
	write := func() {
		n := []int{0, 1, 100, 511, 4095, 4096, 4097, 5000, 20000, 70000}[random.IntN(10)]
		text := pick("<!doctype html><p>", "plain text ", "\x00\x01\x02", "%PDF-1.4")
		b := bytes.Repeat([]byte(text), n/len(text)+1)[:n]
		if random.IntN(3) == 0 {
			s.add(fmt.Sprint("string ", n), func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, string(b)) })
			return
		}
		s.add(fmt.Sprint("write ", n), func(w http.ResponseWriter, _ *http.Request) { w.Write(b) })
	}
	for range random.IntN(7) {
		switch random.IntN(12) {
		case 0, 1, 2, 3:
			set()
		case 4, 5, 6:
			write()
		case 7:
			n, status := random.IntN(9), 0
			if status = []int{200, 404, 204, 304, 301, 500, 103, 102, 206}[n]; true {
				s.add(fmt.Sprint("status ", status), func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
			}
		case 8:
			s.add("flush", func(w http.ResponseWriter, _ *http.Request) { http.NewResponseController(w).Flush() })
		case 9:
			n := 10_000_000 // net/http sends more than was declared, if it comes before the head was sent
			s.add(fmt.Sprint("content-length ", n), func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", strconv.Itoa(n)) })
		case 10:
			n, exact := int64(random.IntN(300_000)), random.IntN(2) == 0
			s.add(fmt.Sprint("file ", n, " ", exact), func(w http.ResponseWriter, _ *http.Request) { copyFile(w, file, n, exact) })
			if exact {
				return s
			}
		case 11:
			switch random.IntN(6) {
			case 0:
				s.add("abort", func(_ http.ResponseWriter, r *http.Request) { abort(r) })
			default:
				s.add("echo", echo)
			}
		}
	}
	return s
}

// abort breaks off. Where the reply has ended already, which that to HEAD does early, net/http loses the connection by it.
func abort(r *http.Request) {
	if r.Method != http.MethodHead {
		panic(http.ErrAbortHandler)
	}
}

// copyFile sends the beginning of a file as http.ServeContent does.
func copyFile(w http.ResponseWriter, name string, n int64, declared bool) {
	f, err := os.Open(name)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if declared {
		w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
	}
	io.CopyN(w, f, n)
}

// echo sends what a handler sees of the request.
func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var header []string
	for name, values := range r.Header {
		header = append(header, fmt.Sprintf("%s: %q", name, values))
	}
	slices.Sort(header)
	fmt.Fprintf(w, "%s %s %s %q %q %d %s\n%q\n%q %t\n%v %v\n", r.Method, r.URL, r.RequestURI, r.Host, r.Proto, r.ContentLength, r.URL.Path,
		header, body, err == nil, r.Trailer, r.TransferEncoding)
}

// anyRequest makes a request by chance, mostly a good one.
func anyRequest(random *rand.Rand, path string) (fields []hpack.HeaderField, body []string, trailers []hpack.HeaderField) {
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	odd := random.IntN(4) == 0
	method, scheme, authority := pick("GET", "GET", "HEAD", "POST", "PUT"), "http", "localhost:8080"
	if odd {
		method, scheme = pick("GET", "", "CONNECT", "OPTIONS", "get", "G T"), pick("http", "https", "", "ftp")
		authority = pick("", "localhost", "user@host", "a b", "[::1]:80", "Ä")
		path = pick(path, "", "*", "/%zz", "/a b", "//x/y", "/?q=%", "http://x/y", "no-slash", "/ä", "/%41", "/\x7f")
	}
	fields = pairs(":method", method, ":scheme", scheme, ":authority", authority, ":path", path)
	if odd && random.IntN(3) == 0 {
		i := random.IntN(4)
		if fields = slices.Delete(fields, i, i+1); random.IntN(2) == 0 {
			fields = append(fields, pairs(pick(":status", ":protocol", ":path", ":unknown", ":method"), pick("/", "x"))...)
		}
	}
	for range random.IntN(6) {
		name := pick("accept", "accept-encoding", "user-agent", "cookie", "cookie", "x-a", "if-none-match", "range", "host", "trailer", "expect")
		value := pick("a", "b=c", "", "bytes=0-1", " padded\t", "X-T", "100-continue", "localhost")
		if odd {
			name = pick(name, "connection", "te", "te", "Upper", "keep-alive", "transfer-encoding", "proxy-connection", "upgrade", "bad name", "", "x-ä", "content-length")
			value = pick(value, "trailers", "nul\x00", "line\nfeed", "ünïcode", "5")
		}
		fields = append(fields, pairs(name, value)...)
	}
	if random.IntN(60) == 0 {
		fields = append(fields, pairs("x-large", strings.Repeat("x", random.IntN(40_000)), "x-larger", strings.Repeat("y", random.IntN(64_000)))...)
	}
	if random.IntN(3) > 0 || method == "CONNECT" {
		return fields, nil, nil
	}
	length := 0
	for range 1 + random.IntN(3) {
		body = append(body, strings.Repeat("b", []int{0, 1, 10, 1000, 16000}[random.IntN(5)]))
		length += len(body[len(body)-1])
	}
	switch random.IntN(4) {
	case 0:
		fields = append(fields, pairs("content-length", strconv.Itoa(length))...)
	case 1:
		trailers = pairs("x-t", "1", "x-u", "2")
	}
	return fields, body, trailers
}

// Without this a reply could change when a site is served by the engine instead of net/http.
func TestSameAsNetHTTP(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, bytes.Repeat([]byte("0123456789"), 30_000), 0o600); err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	const count = 500
	var current atomic.Pointer[script]
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { current.Load().ServeHTTP(w, r) })
	addresses := [2]string{netHTTP(t, handler), listen(t, handled(handler))}
	var wires [2]*wire
	for i := range count {
		doing := anyScript(random, file)
		current.Store(doing)
		fields, body, trailers := anyRequest(random, fmt.Sprintf("/%d?q", i))
		var got [2]outcome
		for side := range wires {
			if wires[side] == nil {
				wires[side] = dial(t, addresses[side])
			}
			got[side] = wires[side].ask(fields, body, trailers)
			// What net/http gets for a stream that it has closed already ends the connection.
			if end := got[side].end; body != nil || !strings.HasPrefix(end, "END") && !strings.HasPrefix(end, "RST") {
				wires[side].nc.Close()
				wires[side] = nil
			}
		}
		if want, have := expected(got[0], got[1].end, body == nil), aborted(got[1], body != nil); want.String() != have.String() {
			t.Fatalf("request %d (seed %d): %.2000q, body %d parts, trailers %q\nhandler: %q\nnet/http: %v\nengine:   %v", i, seed, fmt.Sprint(fields), len(body), trailers, doing.text, want, have)
		}
	}
}

// expected is what the engine makes of what net/http does. A request that HTTP/2 does not allow is answered by both; the engine
// ends its stream with an error, as RFC 9113 §8.2.2 wants. And it does not ask for a body that there is not.
func expected(o outcome, end string, noBody bool) outcome {
	if noBody && slices.Contains(o.status, "100") {
		o.status = slices.DeleteFunc(o.status, func(s string) bool { return s == "100" })
	}
	if strings.HasSuffix(o.body, "in HTTP/2\n") && o.end == "END_STREAM" {
		o.end = malformed
	}
	if !noBody && o.end == "GOAWAY PROTOCOL_ERROR" && end == malformed { // for the body, whose stream it takes for idle
		o.end = end
	}
	return aborted(o, !noBody)
}

// aborted leaves out what a handler had written before it was broken off: how much of that was sent may differ. The body of a
// request that is too long for its content-length may come before the reply, or behind it.
func aborted(o outcome, hasBody bool) outcome {
	if o.end == "RST_STREAM INTERNAL_ERROR" || o.end == malformed && hasBody {
		return outcome{end: o.end}
	}
	return o
}
