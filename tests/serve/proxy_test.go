package serve

import (
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// headerV2 is a PROXY header of version 2 that names 203.0.113.9 as the client (proxy-protocol.txt §2.2).
func headerV2() string {
	addresses := "\xcb\x00\x71\x09\xc0\x00\x02\x01\x12\x67\x01\xbb" + "\x04\x00\x03xyz" // with a TLV of type NOOP
	return string(binary.BigEndian.AppendUint16([]byte("\r\n\r\n\x00\r\nQUIT\n\x21\x11"), uint16(len(addresses)))) + addresses
}

// proxied starts rouse on inherited sockets that take the PROXY protocol of this version.
func proxied(a *activator, version string, options ...string) *program.Process {
	options = append(options, "--log-level", "debug", "--listen", "systemd:https?proxy="+version, "--listen", "systemd:http?proxy="+version)
	p := a.start(options...)
	p.Stderr.WaitFor("at http", limit)
	return p
}

// Without this a load balancer's clients would all be the load balancer, in the log and for every limit.
func TestProxyProtocol(t *testing.T) {
	t.Parallel()
	for version, headers := range map[string][]string{
		"v1":  {"PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n"},
		"v2":  {headerV2()},
		"any": {headerV2(), "PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n"},
	} {
		a := newActivator(t)
		p := proxied(a, version)
		for _, header := range headers {
			plain := dial(t, a.http)
			plain.send(header)
			if _, body := plain.get("/?plain"); body != content {
				t.Errorf("%s: %q", version, body)
			}
			p.Stderr.WaitFor(` GET 200 /\?plain \S+ \S+ 203\.0\.113\.9 HTTP/1\.1 `, limit)
			for _, protocol := range []string{"http/1.1", "h2"} {
				c, err := net.DialTimeout("tcp", a.https, limit)
				if err != nil {
					t.Fatal(err)
				}
				io.WriteString(c, header)
				secured := tls.Client(c, &tls.Config{RootCAs: a.pool, ServerName: "localhost", NextProtos: []string{protocol}})
				secured.SetDeadline(time.Now().Add(limit))
				if err := secured.Handshake(); err != nil || secured.ConnectionState().NegotiatedProtocol != protocol {
					t.Fatalf("%s: %v", version, err)
				}
				if protocol == "h2" {
					secured.Close()
					continue
				}
				if _, body := over(t, secured).get("/?secure"); body != content {
					t.Errorf("%s: %q", version, body)
				}
				p.Stderr.WaitFor(` GET 200 /\?secure \S+ \S+ 203\.0\.113\.9 HTTP/1\.1\+TLS `, limit)
			}
		}
		exit(t, endOf(p), 0)
	}
}

// Without this Rouse would not understand the client that everybody tries it with, nor could it bind such a socket itself.
func TestProxyProtocolOfCurl(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	p := proxied(a, "v1")
	for _, url := range []string{"https://localhost:" + portOf(t, a.https) + "/", "http://localhost:" + portOf(t, a.http) + "/"} {
		if got := curl(t, a, "--haproxy-protocol", url); !strings.HasPrefix(got, content) || !strings.HasSuffix(got, " 200\n") {
			t.Errorf("%s: %q", url, got)
		}
	}
	exit(t, endOf(p), 0)

	bound := program.Start(t, program.Run{Args: []string{"serve", "--root", a.root, "--listen", "tcp:127.0.0.1:0?proxy=any"}})
	url := bound.Stderr.WaitFor(`at (http://\S+:\d+) `, limit)[1]
	if got := curl(t, a, "--haproxy-protocol", url); got != content+"1.1 200\n" {
		t.Errorf("%q", got)
	}
	exit(t, endOf(bound), 0)
}

// Without this anybody who reaches the socket could be whoever they like.
func TestNobodyGetsPastTheProxy(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	p := proxied(a, "v2", "--client-header-timeout", "1s", "--tls-handshake-timeout", "1s")
	for _, address := range []string{a.http, a.https} {
		for _, sent := range []string{"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n", "\r\n\r\n\x00\r\nQUIT\n\x21", "", "\x16\x03\x01"} {
			c := dial(t, address)
			c.send(sent)
			if n := c.closed(); n > 0 {
				t.Errorf("%q: %d bytes came", sent, n)
			}
		}
	}
	p.Stderr.WaitFor(`no PROXY header socket="systemd:http \(descriptor \d\)" remote_addr=127\.0\.0\.1 err="it is of version 1, and the socket's is v2"`, limit)
	exit(t, endOf(p), 0)

	p = proxied(a, "any", "--trusted-proxies", "192.0.2.0/24")
	for range 2 {
		c := dial(t, a.http)
		c.send(headerV2())
		if n := c.closed(); n > 0 {
			t.Errorf("of a stranger: %d bytes came", n)
		}
	}
	p.Stderr.WaitFor("closed a connection that is not from a trusted proxy", limit)
	exit(t, endOf(p), 0)
	if n := strings.Count(p.Stderr.String(), "not from a trusted proxy"); n != 1 {
		t.Errorf("it is warned %d times", n)
	}
}
