package program

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"testing"
	"time"
)

// Clients are HTTP clients that speak one protocol each and follow no redirect. A request may take 10 s.
type Clients struct {
	HTTP1 *http.Client // HTTP/1.1, over https:// and http://
	HTTP2 *http.Client // HTTP/2 over TLS
	H2C   *http.Client // HTTP/2 over plain TCP, with prior knowledge
}

// Client returns clients that trust the certificates in pool (nil: the system's). Their connections are closed when the
// test ends.
func Client(t testing.TB, pool *x509.CertPool) Clients {
	return ClientTo(t, pool, nil)
}

// ClientTo is Client with dial in place of the network, such as DialUnix(path).
func ClientTo(t testing.TB, pool *x509.CertPool, dial func(ctx context.Context, network, address string) (net.Conn, error)) Clients {
	client := func(choose func(*http.Protocols, bool)) *http.Client {
		protocols := new(http.Protocols)
		choose(protocols, true)
		transport := &http.Transport{
			Protocols:       protocols,
			DialContext:     dial,
			TLSClientConfig: &tls.Config{RootCAs: pool},
		}
		t.Cleanup(transport.CloseIdleConnections)
		return &http.Client{
			Transport:     transport,
			Timeout:       10 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	return Clients{
		HTTP1: client((*http.Protocols).SetHTTP1),
		HTTP2: client((*http.Protocols).SetHTTP2),
		H2C:   client((*http.Protocols).SetUnencryptedHTTP2),
	}
}

// DialUnix returns a dial function for ClientTo that connects to the unix socket at path, whatever the URL says.
func DialUnix(path string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, "unix", path)
	}
}
