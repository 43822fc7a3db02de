package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/rouse-server/rouse/server/forwarded"
)

// introduced reads the PROXY header that every connection of the socket begins with, within the time of what comes after it,
// and hands the connection on. Who is not introduced properly is not served: a client could reach the socket past the proxy
// otherwise, and be whom it likes (proxy-protocol.txt §2).
func (s *Server) introduced(c *connection) {
	peer := c.transport.Conn.RemoteAddr()
	if trusted := forwarded.Trusted(s.config.TrustedProxies); len(trusted) > 0 && !trusted.Trusts(addressOf(peer)) {
		s.warnOfStranger(c, peer)
		c.Close()
		return
	}
	limit := s.config.ClientHeaderTimeout.limit()
	if c.socket.TLS {
		limit = s.config.TLSHandshakeTimeout.limit() // the handshake gets what is left of it
	}
	c.transport.Conn.SetReadDeadline(c.accepted.Add(limit))
	source, rest, err := readProxyHeader(c.transport.Conn, c.socket.Proxy)
	if err != nil {
		s.log.Debug("no PROXY header", "socket", c.socket.Name, "remote_addr", client(peer), "err", err)
		c.Close()
		return
	}
	c.transport.Conn.SetReadDeadline(time.Time{})
	c.transport.introduce(source, rest)
	if source != nil && !s.welcome(c) {
		c.Close()
		return
	}
	if c.socket.TLS {
		s.handshake(c)
		return
	}
	c.enter(fresh)
	s.hear(c)
}

// warnOfStranger says now and then that somebody who is no trusted proxy connects: a setting is wrong, or somebody tries.
func (s *Server) warnOfStranger(c *connection, peer net.Addr) {
	now, next := int64(s.clock()), s.strangers.Load()
	if now < next || !s.strangers.CompareAndSwap(next, now+int64(tellEvery)) {
		return
	}
	s.log.Warn("closed a connection that is not from a trusted proxy; only those may connect where the PROXY protocol is spoken: add it to --trusted-proxies if it is one",
		"socket", c.socket.Name, "remote_addr", client(peer))
}

// longestProxyHeader is more than a header with certificates' names and tokens takes; the library refuses longer ones.
const longestProxyHeader = 16 + 4096

// readProxyHeader reads a header of the version v1, v2 or any. source is the client, nil when the proxy speaks for itself
// (LOCAL, or UNKNOWN in version 1); rest is what was read beyond the header.
func readProxyHeader(from io.Reader, version string) (source net.Addr, rest []byte, err error) {
	r := bufio.NewReaderSize(io.LimitReader(from, longestProxyHeader), 256)
	header, err := proxyproto.Read(r)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, nil, errors.New("it did not come in time")
	case err != nil:
		return nil, nil, err
	case version != "any" && version != fmt.Sprintf("v%d", header.Version):
		return nil, nil, fmt.Errorf("it is of version %d, and the socket's is %s", header.Version, version)
	}
	rest = make([]byte, r.Buffered())
	r.Read(rest) // from the buffer alone
	if header.Command.IsLocal() {
		return nil, rest, nil
	}
	if header.SourceAddr == nil || !header.TransportProtocol.IsStream() {
		return nil, nil, fmt.Errorf("it tells of no connection by TCP or unix socket: %v", header.SourceAddr)
	}
	return header.SourceAddr, rest, nil
}
