package conformance

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"path/filepath"
	"time"
)

// transport is a way to speak HTTP. They are bits, so that a point can name several.
type transport uint8

const (
	h1    transport = 1 << iota // HTTP/1.1
	h1tls                       // HTTP/1.1 over TLS
	h2                          // HTTP/2 over TLS
	h2c                         // HTTP/2 over plain TCP, with prior knowledge

	plain  = h1 | h2c
	secure = h1tls | h2
)

func transports() []transport { return []transport{h1, h1tls, h2, h2c} }

func (v transport) String() string {
	return map[transport]string{0: "program", h1: "h1", h1tls: "h1+tls", h2: "h2", h2c: "h2c"}[v]
}

func (v transport) scheme() string {
	if v&secure != 0 {
		return "https"
	}
	return "http"
}

// client speaks one transport with the server at address, whatever host a URL names. It changes nothing of what is sent
// or comes: no redirect is followed, no encoding asked for or taken away.
func (v transport) client(address string, trust *tls.Config) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(v&(h1|h1tls) != 0)
	protocols.SetHTTP2(v == h2)
	protocols.SetUnencryptedHTTP2(v == h2c)
	return &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Protocols:          protocols,
			DisableCompression: true,
			TLSClientConfig:    trust.Clone(),
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				var dialer net.Dialer
				return dialer.DialContext(ctx, network(address), address)
			},
		},
	}
}

// network is what an address is of: host:port, or the path of a unix socket.
func network(address string) string {
	if filepath.IsAbs(address) {
		return "unix"
	}
	return "tcp"
}
