package faults

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/rouse-server/rouse/tests/program"
)

// outLimit is for what takes milliseconds where nothing else runs.
const outLimit = 30 * time.Second

// canary is in every file that must never be sent, and in no other.
const canary = "canary-4f1d-nobody-may-read-this"

// outWrite writes files below a folder. A name "a -> b" is a symbolic link to b.
func outWrite(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		name, target, link := strings.Cut(name, " -> ")
		path := filepath.Join(dir, name)
		outMust(t, os.MkdirAll(filepath.Dir(path), 0o755))
		if link {
			outMust(t, os.Symlink(target, path))
			continue
		}
		outMust(t, os.WriteFile(path, []byte(text), 0o644))
	}
}

func outMust(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// outSite is a folder whose site/ may be served, and with canaries beside it and hidden in it.
func outSite(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	outWrite(t, dir, map[string]string{
		"outside.txt": canary, "outside/index.html": canary, "outside/x.txt": canary, "outside/a.txt.gz": canary,
		"site/index.html": "<!doctype html><title>index</title>index\n", "site/a.txt": "a\n", "site/sub/b.txt": "b\n", "site/sub/index.html": "sub\n",
		"site/page.html": strings.Repeat("<p>A page that is long enough to be compressed.</p>\n", 40), "site/404.html": "<!doctype html><title>none</title>none\n",
		"site/.hidden": canary, "site/.git/config": canary, "site/sub/.env": canary,
	})
	return dir
}

// outServer is a rouse that serves on two sockets.
type outServer struct {
	*program.Process
	name          string
	plain, secure string // host:port
	trust         *tls.Config
}

// outStart starts `rouse serve` with the options, and with a certificate for site.test unless it has a name without "tls".
func outStart(t testing.TB, name string, options ...string) *outServer {
	t.Helper()
	s := &outServer{name: name}
	cert, key, pool := program.KeyPair(t, t.TempDir(), "site.test", "localhost")
	s.trust = &tls.Config{RootCAs: pool, ServerName: "site.test"}
	http, plain := program.Listener(t)
	https, secure := program.Listener(t)
	s.plain, s.secure = plain, secure
	s.Process = program.Start(t, program.Run{
		Args:  append([]string{"serve", "--tls-cert", cert, "--tls-key", key}, options...),
		Files: []*os.File{http, https}, Listen: true, Names: []string{"http", "https"},
	})
	http.Close() // when the program ends, clients must see that and not wait
	https.Close()
	return s
}

// outPair starts two that serve the same, with the lane and without.
func outPair(t testing.TB, options ...string) []*outServer {
	t.Helper()
	return []*outServer{outStart(t, "lane", append(options, "--lane=auto")...), outStart(t, "net/http", append(options, "--lane=off")...)}
}

func (s *outServer) dial(t testing.TB, protocol string) net.Conn {
	t.Helper()
	var conn net.Conn
	var err error
	dialer := &net.Dialer{Timeout: outLimit}
	if protocol == "" {
		conn, err = dialer.Dial("tcp", s.plain)
	} else {
		trust := s.trust.Clone()
		trust.NextProtos = []string{protocol}
		conn, err = tls.DialWithDialer(dialer, "tcp", s.secure, trust)
	}
	outMust(t, err)
	outMust(t, conn.SetDeadline(time.Now().Add(outLimit)))
	return conn
}

// outAnswer is what came back, and all its bytes.
type outAnswer struct {
	status int // 0: the connection was closed without a word
	raw    string
	body   string
	header http.Header
}

// outAsker asks one request after the other, however wrong its target is. A connection that was closed is opened again.
type outAsker interface {
	ask(target string, fields ...string) outAnswer
	String() string
}

// outAskers are the ways to a server.
func outAskers(t testing.TB, s *outServer) []outAsker {
	return []outAsker{&outHTTP1{t: t, s: s}, &outHTTP1{t: t, s: s, protocol: "http/1.1"}, &outHTTP2{t: t, s: s}}
}

type outHTTP1 struct {
	t        testing.TB
	s        *outServer
	protocol string // of ALPN; empty: in clear
	method   string // GET when empty
	conn     net.Conn
	r        *bufio.Reader
	seen     bytes.Buffer
}

func (a *outHTTP1) String() string {
	return a.s.name + map[bool]string{true: " h1", false: " h1+tls"}[a.protocol == ""]
}

// ask sends a request with one Host unless a field says otherwise.
func (a *outHTTP1) ask(target string, fields ...string) outAnswer {
	a.t.Helper()
	if !slices.ContainsFunc(fields, func(f string) bool { return strings.HasPrefix(strings.ToLower(f), "host:") }) {
		fields = append([]string{"Host: site.test"}, fields...)
	}
	method := a.method
	if method == "" {
		method = "GET"
	}
	return a.raw(method, method+" "+target+" HTTP/1.1\r\n"+strings.Join(fields, "\r\n")+"\r\n\r\n")
}

// raw sends bytes and reads one reply.
func (a *outHTTP1) raw(method, text string) outAnswer {
	a.t.Helper()
	for fresh := false; ; fresh = true {
		if a.conn == nil {
			a.conn, fresh = a.s.dial(a.t, a.protocol), true
			a.t.Cleanup(func() { a.close() })
			a.r = bufio.NewReader(io.TeeReader(a.conn, &a.seen))
		}
		a.conn.SetDeadline(time.Now().Add(outLimit))
		a.seen.Reset()
		io.WriteString(a.conn, text) // what is wrong shows when it is read
		response, err := http.ReadResponse(a.r, &http.Request{Method: method})
		if err != nil {
			a.close()
			if wait, ok := err.(net.Error); ok && wait.Timeout() {
				a.t.Fatalf("%v: no answer to %.200q", a, text)
			}
			if a.seen.Len() == 0 && !fresh { // it was closed after the reply before
				continue
			}
			return outAnswer{raw: a.seen.String()}
		}
		body, err := io.ReadAll(response.Body)
		answer := outAnswer{response.StatusCode, a.seen.String(), string(body), response.Header}
		if err != nil || response.Close {
			a.close()
		}
		return answer
	}
}

func (a *outHTTP1) close() {
	if a.conn != nil {
		a.conn.Close()
		a.conn = nil
	}
}

type outHTTP2 struct {
	t       testing.TB
	s       *outServer
	method  string
	conn    net.Conn
	framer  *http2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder
	stream  uint32
}

func (a *outHTTP2) String() string { return a.s.name + " h2" }

func (a *outHTTP2) connect() {
	a.t.Helper()
	a.conn = a.s.dial(a.t, "h2")
	a.t.Cleanup(func() { a.close() })
	io.WriteString(a.conn, http2.ClientPreface)
	a.framer = http2.NewFramer(a.conn, a.conn)
	a.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	a.framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 16 << 20})
	a.framer.WriteWindowUpdate(0, 64<<20)
	a.block.Reset()
	a.encoder = hpack.NewEncoder(&a.block)
	a.stream = ^uint32(0) // the first one is 1
}

// ask sends a request; fields are "Name: value".
func (a *outHTTP2) ask(target string, fields ...string) outAnswer {
	a.t.Helper()
	for fresh := false; ; fresh = true {
		if a.conn == nil {
			a.connect()
			fresh = true
		}
		answer, again := a.once(target, fields)
		if again && !fresh {
			continue
		}
		return answer
	}
}

// once sends a request on the connection of the moment. again says that this one was closed before.
func (a *outHTTP2) once(target string, fields []string) (answer outAnswer, again bool) {
	a.t.Helper()
	a.conn.SetDeadline(time.Now().Add(outLimit))
	a.block.Reset()
	method, authority := a.method, "site.test"
	if method == "" {
		method = "GET"
	}
	var rest []hpack.HeaderField
	for _, field := range fields {
		name, value, _ := strings.Cut(field, ":")
		if name = strings.ToLower(name); name == "host" {
			authority = strings.TrimSpace(value)
			continue
		}
		rest = append(rest, hpack.HeaderField{Name: name, Value: strings.TrimSpace(value)})
	}
	for _, field := range append([]hpack.HeaderField{{Name: ":method", Value: method}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: authority}, {Name: ":path", Value: target}}, rest...) {
		a.encoder.WriteField(field)
	}
	a.stream += 2
	block := a.block.Bytes()
	const most = 16 << 10
	first := block[:min(len(block), most)]
	a.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: a.stream, BlockFragment: first, EndStream: true, EndHeaders: len(first) == len(block)})
	for block = block[len(first):]; len(block) > 0; {
		next := block[:min(len(block), most)]
		block = block[len(next):]
		a.framer.WriteContinuation(a.stream, len(block) == 0, next)
	}
	return a.reply()
}

func (a *outHTTP2) reply() (answer outAnswer, again bool) {
	a.t.Helper()
	for {
		frame, err := a.framer.ReadFrame()
		if err != nil {
			a.close()
			if wait, ok := err.(net.Error); ok && wait.Timeout() {
				a.t.Fatalf("%v: no answer", a)
			}
			return answer, answer.raw == ""
		}
		ended := false
		if id := frame.Header().StreamID; id != 0 && id != a.stream { // a word too many about the one before
			continue
		}
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				a.framer.WriteSettingsAck()
			}
		case *http2.MetaHeadersFrame:
			if answer.header == nil {
				answer.header = http.Header{}
			}
			for _, field := range frame.Fields {
				answer.raw += field.Name + ": " + field.Value + "\n"
				if field.Name == ":status" {
					fmt.Sscan(field.Value, &answer.status)
					continue
				}
				answer.header.Add(field.Name, field.Value)
			}
			ended = frame.StreamEnded()
		case *http2.DataFrame:
			answer.body += string(frame.Data())
			a.framer.WriteWindowUpdate(0, uint32(max(1, len(frame.Data()))))
			ended = frame.StreamEnded()
		case *http2.RSTStreamFrame:
			ended = true
		case *http2.GoAwayFrame:
			answer.raw += "goaway"
		}
		if ended {
			answer.raw += answer.body
			return answer, false
		}
	}
}

func (a *outHTTP2) close() {
	if a.conn != nil {
		a.conn.Close()
		a.conn = nil
	}
}

// outSay sends bytes on a connection of their own, ends its half of it, and returns everything that comes back but for the dates.
func outSay(t testing.TB, address, text string) string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, outLimit)
	outMust(t, err)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(outLimit))
	io.WriteString(conn, text)
	conn.(*net.TCPConn).CloseWrite()
	reply, err := io.ReadAll(conn)
	if wait, ok := err.(net.Error); ok && wait.Timeout() {
		t.Errorf("nobody ends the connection after %.300q", text)
	}
	return outUndated(string(reply))
}

// outUndated is a reply without its date.
func outUndated(reply string) string {
	return regexp.MustCompile(`(?mi)^Date: .{29}(\r?)$`).ReplaceAllString(reply, "Date: -$1")
}
