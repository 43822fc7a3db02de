package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// handshake makes the connection secure within its time and hands it on.
func (s *Server) handshake(c *connection) {
	c.transport.SetDeadline(c.accepted.Add(s.config.TLSHandshakeTimeout.limit())) // HandshakeContext would start a goroutine for it
	secured := tls.Server(c.transport, s.tls)
	done := s.greet(c)
	err := secured.Handshake()
	done()
	if err != nil {
		s.refuse(c, err)
		return
	}
	c.transport.SetDeadline(time.Time{})
	state := secured.ConnectionState()
	c.secure(secured, state)
	c.transport.acknowledge()
	s.hear(c)
}

// refuse ends a connection whose handshake failed. Who speaks plain HTTP is told so.
func (s *Server) refuse(c *connection, err error) {
	defer c.Close()
	s.log.Debug("TLS handshake failed", "remote_addr", client(c.RemoteAddr()), "err", err)
	if wrong, ok := errors.AsType[tls.RecordHeaderError](err); !ok || wrong.Conn == nil || !looksLikeHTTP(wrong.RecordHeader) {
		return
	}
	const body = "This port speaks HTTPS, and the request came in plain HTTP. Write https:// in front of the address.\n"
	fmt.Fprintf(c.transport, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
	c.part()
}

// part says that nothing follows, and lets the client read what came before: closing with unread bytes resets the connection
// (RFC 9112 §9.6). Of one that sends without end no more is read, but it has the rest of a second to take what it was told: behind a
// reset the kernel sends nothing.
func (c *connection) part() {
	until := time.Now().Add(time.Second)
	c.transport.SetReadDeadline(until)
	if secured, ok := c.Conn.(*tls.Conn); ok {
		secured.CloseWrite()
	}
	if half, ok := bottom(c.transport.Conn).(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		io.CopyN(io.Discard, c.transport, 64<<10)
		c.transport.awaitDelivery(until)
	}
}

// looksLikeHTTP tells whether the first bytes are a request's method.
func looksLikeHTTP(head [5]byte) bool {
	start := string(head[:])
	for _, method := range []string{"GET ", "HEAD ", "POST ", "PUT ", "OPTIO", "DELET", "PATCH", "TRACE", "CONNE", "PRI *"} {
		if strings.HasPrefix(start, method) {
			return true
		}
	}
	return false
}
