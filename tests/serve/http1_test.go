package serve

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// http1Conn is one HTTP/1.x connection on which a test writes what it likes and never tries again, unlike client libraries.
type http1Conn struct {
	net.Conn
	t testing.TB
	r *bufio.Reader
}

// dial connects in plain text.
func dial(t testing.TB, address string) *http1Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, limit)
	if err != nil {
		t.Fatal(err)
	}
	return over(t, c)
}

// dialTLS connects over TLS and speaks HTTP/1.1.
func dialTLS(t testing.TB, address string, pool *x509.CertPool) *http1Conn {
	t.Helper()
	c, err := handshake(address, pool, "http/1.1")
	if err != nil {
		t.Fatal(err)
	}
	return over(t, c)
}

// handshake connects over TLS with one protocol offered by ALPN (RFC 7301).
func handshake(address string, pool *x509.CertPool, protocol string) (*tls.Conn, error) {
	config := &tls.Config{RootCAs: pool, ServerName: "localhost", NextProtos: []string{protocol}}
	return tls.DialWithDialer(&net.Dialer{Timeout: limit}, "tcp", address, config)
}

func over(t testing.TB, c net.Conn) *http1Conn {
	t.Cleanup(func() { c.Close() })
	return &http1Conn{Conn: c, t: t, r: bufio.NewReader(c)}
}

// send writes a request as it stands.
func (c *http1Conn) send(request string) {
	c.t.Helper()
	c.SetDeadline(time.Now().Add(limit))
	if _, err := io.WriteString(c, request); err != nil {
		c.t.Fatalf("write %q: %v", request, err)
	}
}

// head reads the head of the next reply; its Body is still to be read.
func (c *http1Conn) head() *http.Response {
	c.t.Helper()
	c.SetDeadline(time.Now().Add(limit))
	reply, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatalf("read a reply: %v", err)
	}
	return reply
}

// get asks for a path and returns the whole reply.
func (c *http1Conn) get(path string) (*http.Response, string) {
	c.t.Helper()
	c.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
	return c.reply()
}

// reply reads a whole reply.
func (c *http1Conn) reply() (*http.Response, string) {
	c.t.Helper()
	reply := c.head()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		c.t.Fatalf("read a reply's body: %v", err)
	}
	return reply, string(body)
}

// closed waits until the server has closed the connection and returns how many bytes came before.
func (c *http1Conn) closed() int64 {
	c.t.Helper()
	c.SetDeadline(time.Now().Add(limit))
	n, err := io.Copy(io.Discard, c.r)
	if wait, ok := errors.AsType[net.Error](err); ok && wait.Timeout() {
		c.t.Fatalf("the connection is still open after %v", limit)
	}
	return n
}

// newHTTP1 is for try alone.
func newHTTP1(c net.Conn) *http1Conn { return &http1Conn{Conn: c, r: bufio.NewReader(c)} }

// try does one request without failing a test: for loops that count.
func (c *http1Conn) try(path string) (reply *http.Response, err error) {
	c.SetDeadline(time.Now().Add(limit))
	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path); err != nil {
		return nil, fmt.Errorf("write: %w", err)
	}
	if reply, err = http.ReadResponse(c.r, nil); err != nil {
		return nil, fmt.Errorf("read the head: %w", err)
	}
	if n, err := io.Copy(io.Discard, reply.Body); err != nil || n != reply.ContentLength {
		return nil, fmt.Errorf("read the body: %d of %d bytes: %w", n, reply.ContentLength, err)
	}
	if reply.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", reply.StatusCode)
	}
	return reply, nil
}
