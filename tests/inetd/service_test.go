// Package inetd shows that rouse works under the real activators that are not service managers: inetd and its family,
// tcpserver, s6 and systemd-socket-activate, and under everything else that passes sockets by descriptor and variable.
// The servers come from tests/setup.sh; what needs none of them runs everywhere.
package inetd

import (
	"context"
	"crypto/x509"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// limit bounds every wait; it is far more than a loaded machine needs.
const limit = 20 * time.Second

const page = "<!doctype html><title>the page</title>\n"

// site returns a folder whose index file is page.
func site(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "index.html"), []byte(page), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// service is where a rouse answers that an activator starts.
type service struct {
	network, address string
	pool             *x509.CertPool // not nil: it speaks TLS, with a certificate of this pool
	starts           starts         // which processes served it
}

func (s service) dial(t testing.TB) net.Conn {
	t.Helper()
	conn, err := net.DialTimeout(s.network, s.address, limit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(limit))
	return conn
}

// clients returns clients that connect to the service, whatever the URL says.
func (s service) clients(t testing.TB) program.Clients {
	return program.ClientTo(t, s.pool, func(ctx context.Context, _, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, s.network, s.address)
	})
}

// protocols returns the clients for HTTP/1.1 and HTTP/2 as the service speaks them.
func (s service) protocols(t testing.TB) map[string]*http.Client {
	clients := s.clients(t)
	if s.pool != nil {
		return map[string]*http.Client{"HTTP/1.1": clients.HTTP1, "HTTP/2.0": clients.HTTP2}
	}
	return map[string]*http.Client{"HTTP/1.1": clients.HTTP1, "HTTP/2.0": clients.H2C}
}

func (s service) url() string {
	if s.pool != nil {
		return "https://localhost/"
	}
	return "http://localhost/"
}

// ask gets the URL and fails the test unless the answer is the page.
func ask(t testing.TB, client *http.Client, url string) {
	t.Helper()
	response, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || string(body) != page {
		t.Fatalf("%s over %s: status %d, body %q, error %v", url, response.Proto, response.StatusCode, body, err)
	}
}

// askAll asks every service in all its protocols; no connection is left open.
func askAll(t testing.TB, services []service) {
	t.Helper()
	for _, s := range services {
		for _, client := range slices.Collect(maps.Values(s.protocols(t))) {
			defer client.CloseIdleConnections()
			ask(t, client, s.url())
		}
	}
}

// await waits until done says true and fails the test when that takes too long.
func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// has fails the test unless all the words stand in the output.
func has(t testing.TB, output *program.Output, words ...string) {
	t.Helper()
	for _, word := range words {
		if text := output.String(); !strings.Contains(text, word) {
			t.Errorf("no %q in\n%s", word, text)
		}
	}
}
