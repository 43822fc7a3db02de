package lane

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"syscall"
)

// http1Conn is a connection of HTTP/1.1 that remembers the bytes of each reply.
type http1Conn struct {
	net.Conn
	r     *bufio.Reader
	seen  bytes.Buffer // what was read from the socket
	reset bool         // the server closed the connection before it had read everything, and a reply may be lost
}

func newHTTP1(conn net.Conn) *http1Conn {
	c := &http1Conn{Conn: conn}
	c.r = bufio.NewReader(io.TeeReader(conn, &c.seen))
	return c
}

// talk sends the requests and returns the bytes of each reply but for Date, and last what comes until the server closes the
// connection.
func (c *http1Conn) talk(v conversation) []string {
	var replies []string
	var reply string
	goesOn := true
	if v.atOnce {
		var all string
		for _, r := range v.requests {
			all += r.following("").http1()
		}
		c.send(all, v.pieces)
	}
	for _, r := range v.requests {
		if !v.atOnce {
			c.send(r.following(reply).http1(), v.pieces)
		}
		reply, goesOn = c.read(r.askedMethod())
		replies = append(replies, reply)
		if !goesOn {
			break
		}
	}
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
	_, err := io.Copy(io.Discard, c.r)
	return append(replies, "then "+c.since(0)+c.ending(err))
}

// send writes text. An error shows when the reply is read: the server may have answered and closed before it had all.
func (c *http1Conn) send(text string, n int) {
	for _, piece := range pieces(text, n) {
		if _, err := io.WriteString(c.Conn, piece); err != nil {
			c.reset = true
			return
		}
	}
}

// read returns the bytes of one reply, of those that came before the final one too, and whether another may follow.
func (c *http1Conn) read(method string) (reply string, goesOn bool) {
	for {
		response, err := http.ReadResponse(c.r, &http.Request{Method: method})
		if err != nil {
			return c.since(0) + c.ending(err), false
		}
		_, err = io.Copy(io.Discard, response.Body)
		if response.StatusCode >= 200 || err != nil {
			return c.since(c.r.Buffered()) + c.ending(err), err == nil && !response.Close
		}
	}
}

// since is what was read since the last time but for the last bytes, which belong to the next reply; and but for what differs
// each time.
func (c *http1Conn) since(last int) string {
	text := withoutBoundary(string(c.seen.Next(c.seen.Len() - last)))
	head, body, found := strings.Cut(text, "\r\n\r\n")
	if found {
		body = "\r\n\r\n" + body
	}
	return regexp.MustCompile(`(?m)^Date: .{29}\r?$`).ReplaceAllString(head, "Date: -") + body
}

// withoutBoundary is a reply without what is random in it.
func withoutBoundary(text string) string {
	const kind = "multipart/byteranges; boundary="
	if i := strings.Index(text, kind); i >= 0 {
		boundary, _, _ := strings.Cut(strings.TrimSpace(text[i+len(kind):]), "\n")
		return strings.ReplaceAll(text, strings.TrimSpace(boundary), "-")
	}
	return text
}

func (c *http1Conn) ending(err error) string {
	c.reset = c.reset || errors.Is(err, syscall.ECONNRESET)
	return ending(err)
}

// refusal is why a connection cannot go on.
type refusal string

func (r refusal) Error() string { return string(r) }

// nothing is how a connection ends on which both wait for each other.
const nothing = " (nothing came in time)"

// ending tells how the reading ended. An end is an end, whoever noticed it first.
func ending(err error) string {
	if r, ok := errors.AsType[refusal](err); ok {
		return " (" + string(r) + ")"
	}
	if wait, ok := errors.AsType[net.Error](err); ok && wait.Timeout() {
		return nothing
	}
	return ""
}
