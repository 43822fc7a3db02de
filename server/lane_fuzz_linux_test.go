package server

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/server/rules"
)

// FuzzLane holds the lane against net/http: the same bytes on a connection, in the same pieces, are answered with the same bytes
// but for Date and what is random, and the connection is closed or kept by both. The lane is asked three times, so that it
// answers the last from what it keeps. cuts are three places of 16 bits where what is sent is cut; how chooses the site (bit 0),
// and whether a last request is sent behind it all, whose answer tells that the connection was kept (bit 1).
//
// HTTP/2 is not compared here: tests/lane holds its replies against each other, and what their frames are is up to the engine.
func FuzzLane(f *testing.F) {
	for _, text := range laneSeeds() {
		f.Add([]byte(text), uint64(0), byte(2))
		f.Add([]byte(text+text), uint64(len(text)-1)<<16|uint64(len(text)+9), byte(3))
	}
	var sites [2][2]string // paths of sockets: with the lane and without
	root := lanePages(f)
	for i, change := range []func(*Config){nil, everythingTold} {
		for j, lane := range []Lane{"auto", "off"} {
			sites[i][j] = laneSite(f, root, lane, change)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, cuts uint64, how byte) {
		if len(b) > 32<<10 || bytes.Contains(b, []byte("PRI * HTTP/2")) {
			return
		}
		if how&2 != 0 {
			b = append(bytes.Clone(b), "GET /last.txt HTTP/1.1\r\nHost: last\r\nConnection: close\r\n\r\n"...)
		}
		sameOverLane(t, sites[how&1], cutUp(b, cuts))
	})
}

// sameOverLane compares what both answer. What differs is asked again, with more time before the client ends its half.
func sameOverLane(t *testing.T, site [2]string, pieces [][]byte) {
	t.Helper()
	off := converse(t, site[1], pieces, patient)
	for n := range 3 {
		with := converse(t, site[0], pieces, patient)
		for patience := patient; with != off; with, off = converse(t, site[0], pieces, patience), converse(t, site[1], pieces, patience) {
			if patience *= 2; patience > 30*patient {
				t.Fatalf("asked for the %d. time: %q\nwith the lane: %q\nwithout: %q", n+1, pieces, with, off)
			}
		}
	}
}

// patient is how long nothing has to come before the client ends its half of the connection: net/http takes that for a client who
// has left, and what it was about to answer is a matter of chance then.
const patient = 10 * time.Millisecond

// cutUp cuts b at the places.
func cutUp(b []byte, cuts uint64) [][]byte {
	var all [][]byte
	for range 3 {
		at := int(uint16(cuts)) % (len(b) + 1)
		if cuts >>= 16; at > 0 {
			all, b = append(all, b[:at]), b[at:]
		}
	}
	return append(all, b)
}

// lanePages is the folder that all of them serve: an ETag tells which file it is.
func lanePages(f *testing.F) string {
	f.Helper()
	root := shortDir(f)
	then := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) // what has just changed is not kept
	for name, text := range map[string]string{
		"index.html": "<title>index</title>", "a.txt": "a\n", "last.txt": "last\n", "empty.txt": "", "page.html": strings.Repeat("<p>A page worth compressing.</p>\n", 40),
		"p.md": "# p\n", "p.html": "<p>p", "list/b.txt": "b\n", "sub/index.html": "sub\n", ".hidden": "hidden\n", "404.html": "<p>none",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			f.Fatal(err)
		}
		write(f, path, text)
		if err := os.Chtimes(path, then, then); err != nil {
			f.Fatal(err)
		}
	}
	if err := os.Chtimes(filepath.Join(root, "list"), then, then); err != nil {
		f.Fatal(err)
	}
	return root
}

// laneSite serves it on a unix socket, on which no byte is lost when one side closes early, as it may be with TCP. It returns the
// socket's path.
func laneSite(f *testing.F, root string, lane Lane, change func(*Config)) string {
	f.Helper()
	c := Default()
	c.Root, c.Lane, c.ReplyTTL = root, lane, Duration(time.Hour)
	if change != nil {
		change(&c)
	}
	w := &world{ended: make(chan error, 1)}
	w.Server = New(Parts{Config: c, Log: quietLog()})
	w.use(f, c)
	listener, err := net.Listen("unix", filepath.Join(shortDir(f), "s"))
	if err != nil {
		f.Fatal(err)
	}
	w.serve(f, Socket{Listener: listener})
	return listener.Addr().String()
}

// everythingTold is what makes replies depend on more of a request.
func everythingTold(c *Config) {
	c.DirectoryListing, c.DirectoryListingFormat, c.AcceptMarkdown, c.SecurityHeaders, c.Health, c.ReprDigest = true, "auto", true, "true", true, true
	c.CORSAllowOrigins = List{"https://friend.test"}
	c.Advanced.Redirects = []rules.Redirect{{Source: "/old/{*}", Destination: "/new/$1", Kind: 302}}
	c.Advanced.Headers = []rules.Header{{Source: "**.txt", Headers: map[string]string{"X-Text": "yes"}}}
	c.Advanced.VirtualHosts = []VirtualHost{{Host: "b.test", Root: filepath.Join(c.Root, "sub")}}
}

// converse sends the pieces, each when the one before was taken, and says that it was all when nothing comes any more. It returns
// what came back.
func converse(t *testing.T, path string, pieces [][]byte, patience time.Duration) string {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, piece := range pieces {
		if _, err := c.Write(piece); err != nil { // it was closed
			break
		}
		untilTaken(t, c)
	}
	var reply bytes.Buffer
	for came := int64(1); came > 0 && err == nil; {
		c.SetReadDeadline(time.Now().Add(patience))
		came, err = reply.ReadFrom(c)
		if errors.Is(err, os.ErrDeadlineExceeded) && came > 0 {
			err = nil
		}
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.(*net.UnixConn).CloseWrite()
		c.SetReadDeadline(time.Now().Add(bound))
		if _, err = reply.ReadFrom(c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("nobody ends the connection after %q; so far came %q", pieces, reply.Bytes())
		}
	}
	return undated(reply.Bytes())
}

// untilTaken waits until the server has read all, if it does soon.
func untilTaken(t *testing.T, c net.Conn) {
	t.Helper()
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	left := 1
	for begun := time.Now(); left > 0 && time.Since(begun) < 2*time.Millisecond; runtime.Gosched() {
		if err := raw.Control(func(fd uintptr) { left, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }); err != nil {
			return
		}
	}
}

// undated is replies without what differs each time.
func undated(b []byte) string {
	text := regexp.MustCompile(`(?m)^Date: .{29}\r$`).ReplaceAllString(string(b), "Date: -\r")
	for _, found := range regexp.MustCompile(`multipart/byteranges; boundary=([0-9a-f]{20,})`).FindAllStringSubmatch(text, -1) {
		text = strings.ReplaceAll(text, found[1], "-")
	}
	return text
}

// laneSeeds are connections' bytes: what browsers send, and what has been used to make two readers disagree.
func laneSeeds() []string {
	all := []string{
		"GET / HTTP/1.1\nHost: a\n\n", "HEAD /page.html HTTP/1.1\nHost: a\nAccept-Encoding: gzip, br;q=0.5, zstd;q=0\n\n", "GET /a.txt HTTP/1.1\nHost: b.test\nIf-None-Match: *\n\n", "GET /a.txt HTTP/1.1\nHost: a\nIf-Modified-Since: Fri, 02 Jan 2026 03:04:05 GMT\n\n",
		"GET /page.html HTTP/1.1\nHost: a\nRange: bytes=0-3,5-9\n\nGET /page HTTP/1.1\nHost: a\nConnection: close\n\n", "GET /p.html HTTP/1.1\nHost: a\nAccept: text/markdown\n\nGET /list/ HTTP/1.1\nHost: a\nAccept: application/json\n\n", "GET /old/%0d%0aX: HTTP/1.1\nHost: a\n\n", "OPTIONS /a.txt HTTP/1.1\nHost: a\nOrigin: https://friend.test\nAccess-Control-Request-Method: GET\n\n", "GET /list?sort=size&order=desc HTTP/1.1\nHost: a\nOrigin: https://other.test\n\n", "GET /.hidden HTTP/1.1\nHost: a\n\nGET /sub HTTP/1.1\nHost: a:80\n\n",
		"GET /a.txt HTTP/1.0\n\n", "GET /a.txt HTTP/1.0\nConnection: keep-alive\n\nGET /health HTTP/1.1\nHost: a\n\n", "GET http://b.test/a.txt HTTP/1.1\nHost: a\n\n", "\n\nGET / HTTP/1.1\nHost: a\n\n", "GET //a.txt HTTP/1.1\nHost: a\n\n", "GET /a.txt\n\n", "OPTIONS * HTTP/1.1\nHost: a\n\n", "CONNECT a:1 HTTP/1.1\nHost: a\n\n",
		"POST /a.txt HTTP/1.1\nHost: a\nContent-Length: 5\n\nhelloGET /a.txt HTTP/1.1\nHost: a\n\n", "GET /a.txt HTTP/1.1\nHost: a\nContent-Length: 3\nContent-Length: 3\n\nabcGET / HTTP/1.1\nHost: a\n\n", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n3;x=y\nabc\n0\nX: y\n\nGET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nContent-Length: 4\n\n0\n\nGET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\nHost: a\nExpect: 100-continue\nContent-Length: 1\n\nx", "GET / HTTP/1.1\nHost: a\nUpgrade: h2c\nConnection: Upgrade, HTTP2-Settings\nHTTP2-Settings: AAMAAABkAAQAAP__\n\n",
		"GET / HTTP/1.1\nHost: a\nX: a\n b\n\n", "GET / HTTP/1.1\nHost : a\n\n", "GET / HTTP/1.1\nHost: a\nHost: b\n\n", "GET / HTTP/1.1\nHost: a b\n\n", "GET / HTTP/1.1\nHost: a\nConnection: close, x\n\nGET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\nHost: a\nX: \x00\n\n", "GET /%zz HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\nHost:\n\n",
	}
	for i, text := range all {
		all[i] = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return append(all, "GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", "GET / HTTP/1.1\rHost: a\r\r", "G", "\x16\x03\x01\x02\x00", string(binary.BigEndian.AppendUint64(nil, 1<<63)))
}
