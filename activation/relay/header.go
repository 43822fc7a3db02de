package relay

import (
	"fmt"
	"net"

	proxyproto "github.com/pires/go-proxyproto"
)

// Header tells a server who its client is, in a few bytes before the client's own: the PROXY protocol
// (https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt).
type Header string

const (
	None Header = ""   // no header
	V1   Header = "v1" // a line of text
	V2   Header = "v2" // binary
)

// of returns the header for a client: who it is and which address it asked for. Of a client without an IP address, which
// came over a unix socket, the header says that the address is unknown (UNKNOWN in v1, LOCAL in v2), and servers take the
// connection's own.
func (h Header) of(client net.Conn) ([]byte, error) {
	if h == None {
		return nil, nil
	}
	var from, to net.Addr
	if tcp, ok := client.RemoteAddr().(*net.TCPAddr); ok {
		from, to = tcp, client.LocalAddr()
	}
	version := byte(2)
	if h == V1 {
		version = 1
	}
	b, err := proxyproto.HeaderProxyFromAddrs(version, from, to).Format()
	if err != nil {
		return nil, fmt.Errorf("PROXY header for %s: %w", client.RemoteAddr(), err)
	}
	return b, nil
}

// Local returns the header of a connection that no client made, such as one that asks whether the server listens.
func (h Header) Local() []byte {
	switch h {
	case V1:
		return []byte("PROXY UNKNOWN\r\n")
	case V2:
		b, _ := proxyproto.HeaderProxyFromAddrs(2, nil, nil).Format() // without addresses there is nothing to fail at
		return b
	}
	return nil
}
