package serve

import (
	"net/http"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// redirection is a request as it goes over the line, and what it has to be answered with. PORT stands for the https port.
type redirection struct {
	name, request string
	status        int
	location      string
}

func (r redirection) check(t *testing.T, http, port string) {
	t.Helper()
	c := dial(t, http)
	c.send(strings.ReplaceAll(r.request, "\n", "\r\n") + "\r\n\r\n")
	reply := c.head()
	location := strings.ReplaceAll(r.location, "PORT", port)
	if got := reply.Header.Get("Location"); reply.StatusCode != r.status || got != location {
		t.Errorf("%s: %d %q, want %d %q", r.name, reply.StatusCode, got, r.status, location)
	}
}

// Without this, people who type an address without https:// would read and send everything in plain text, or end at the
// wrong place; and with a forged Host they could be led to any place.
func TestRedirectToHTTPS(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	a.start("--https-redirect")
	long := strings.Repeat("a.", 127) + "example"
	for _, r := range []redirection{
		{"GET", "GET /a/b HTTP/1.1\nHost: localhost", 301, "https://localhost:PORT/a/b"},
		{"HEAD", "HEAD / HTTP/1.1\nHost: localhost", 301, "https://localhost:PORT/"},
		{"POST", "POST /form HTTP/1.1\nHost: localhost\nContent-Length: 0", 308, "https://localhost:PORT/form"},
		{"PUT", "PUT /x HTTP/1.1\nHost: localhost\nContent-Length: 0", 308, "https://localhost:PORT/x"},
		{"OPTIONS", "OPTIONS /x HTTP/1.1\nHost: localhost", 308, "https://localhost:PORT/x"},
		{"query", "GET /s?q=a%20b&c=/d?e HTTP/1.1\nHost: localhost", 301, "https://localhost:PORT/s?q=a%20b&c=/d?e"},
		{"empty query", "GET /s? HTTP/1.1\nHost: localhost", 301, "https://localhost:PORT/s?"},
		{"escapes", "GET /%C3%A4%2Fb%00 HTTP/1.1\nHost: localhost", 301, "https://localhost:PORT/%C3%A4%2Fb%00"},
		{"path of two slashes", "GET //evil.example/ HTTP/1.1\nHost: localhost", 301, "https://localhost:PORT//evil.example/"},
		{"port of the request", "GET / HTTP/1.1\nHost: www.example.com:8080", 301, "https://www.example.com:PORT/"},
		{"port 80", "GET / HTTP/1.1\nHost: www.example.com:80", 301, "https://www.example.com:PORT/"},
		{"empty port", "GET / HTTP/1.1\nHost: www.example.com:", 301, "https://www.example.com:PORT/"},
		{"IPv4", "GET / HTTP/1.1\nHost: 192.0.2.7", 301, "https://192.0.2.7:PORT/"},
		{"IPv6", "GET / HTTP/1.1\nHost: [2001:db8::7]", 301, "https://[2001:db8::7]:PORT/"},
		{"IPv6 with port", "GET / HTTP/1.1\nHost: [::1]:8080", 301, "https://[::1]:PORT/"},
		{"absolute target", "GET http://www.example.com/a?b HTTP/1.1\nHost: ignored.example", 301, "https://www.example.com:PORT/a?b"},
		{"HTTP/1.0 with Host", "GET / HTTP/1.0\nHost: localhost", 301, "https://localhost:PORT/"},
		{"HTTP/1.0 without Host", "GET / HTTP/1.0", 400, ""},
		{"no Host", "GET / HTTP/1.1", 400, ""},
		{"empty Host", "GET / HTTP/1.1\nHost:", 400, ""},
		{"two Hosts", "GET / HTTP/1.1\nHost: a.example\nHost: b.example", 400, ""},
		{"user in Host", "GET / HTTP/1.1\nHost: localhost@evil.example", 400, ""},
		{"path in Host", "GET / HTTP/1.1\nHost: evil.example/x", 400, ""},
		{"blank in Host", "GET / HTTP/1.1\nHost: a b", 400, ""},
		{"zone in Host", "GET / HTTP/1.1\nHost: [fe80::1%25eth0]", 400, ""},
		{"letters as port", "GET / HTTP/1.1\nHost: localhost:http", 400, ""},
		{"port out of range", "GET / HTTP/1.1\nHost: localhost:65536", 400, ""},
		{"half a bracket", "GET / HTTP/1.1\nHost: [::1", 400, ""},
		{"long Host", "GET / HTTP/1.1\nHost: " + long, 400, ""},
	} {
		r.check(t, a.http, portOf(t, a.https))
	}
	// The https socket serves, over HTTP/2 too, and h2c is redirected like HTTP/1.1.
	clients := program.Client(t, a.pool)
	if reply, body := fetch(t, clients.HTTP2, "https://"+a.https); reply.StatusCode != http.StatusOK || body != content {
		t.Errorf("https: %s %q", reply.Status, body)
	}
	if reply, _ := fetch(t, clients.H2C, "http://"+a.http+"/x"); reply.StatusCode != 301 || reply.Header.Get("Location") != "https://"+a.https+"/x" {
		t.Errorf("h2c: %s %s", reply.Status, reply.Header.Get("Location"))
	}
	followed := curl(t, a, "--location", "--resolve", "localhost:"+portOf(t, a.http)+":127.0.0.1", "http://localhost:"+portOf(t, a.http)+"/")
	if want := content + "2 200\n"; followed != want {
		t.Errorf("curl --location: %q, want %q", followed, want)
	}
}

// Without these options a site with one true name could not send all others there, nor keep strangers' names out.
func TestRedirectOptions(t *testing.T) {
	t.Parallel()
	one := newActivator(t)
	one.start("--https-redirect", "--https-redirect-host", "www.example.com")
	for _, r := range []redirection{
		{"to one host", "GET /a?b HTTP/1.1\nHost: example.com", 301, "https://www.example.com:PORT/a?b"},
		{"from an address", "GET / HTTP/1.1\nHost: 192.0.2.7", 301, "https://www.example.com:PORT/"},
	} {
		r.check(t, one.http, portOf(t, one.https))
	}
	some := newActivator(t)
	some.env = []string{"SERVER_HTTPS_REDIRECT=true", "SERVER_HTTPS_REDIRECT_FROM_HOSTS=example.com, www.example.com"}
	some.start()
	for _, r := range []redirection{
		{"listed", "GET / HTTP/1.1\nHost: example.com", 301, "https://example.com:PORT/"},
		{"listed, in capitals and with port", "GET / HTTP/1.1\nHost: WWW.Example.com:80", 301, "https://WWW.Example.com:PORT/"},
		{"not listed", "GET / HTTP/1.1\nHost: other.example", 400, ""},
		{"longer than listed", "GET / HTTP/1.1\nHost: evil-example.com", 400, ""},
	} {
		r.check(t, some.http, portOf(t, some.https))
	}
}

// Without this pair, a machine without systemd would need a second server just for the redirect.
func TestRedirectFromBoundPort(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	p := program.Start(t, program.Run{Args: []string{"serve", "--root", a.root, "--host", "127.0.0.1", "--port", "0",
		"--tls-cert", a.cert, "--tls-key", a.key, "--https-redirect", "--https-redirect-from-port", "0"}})
	port := p.Stderr.WaitFor(`https://127\.0\.0\.1:(\d+)`, limit)[1]
	http := p.Stderr.WaitFor(` http://(127\.0\.0\.1:\d+) .*redirecting to https`, limit)[1]
	redirection{"bound", "GET /a HTTP/1.1\nHost: localhost", 301, "https://localhost:PORT/a"}.check(t, http, port)
}

// Without this an http socket beside an https one would send people away although nobody asked for it.
func TestWithoutRedirectHTTPServes(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	a.start()
	redirection{"no redirect", "GET / HTTP/1.1\nHost: localhost", 200, ""}.check(t, a.http, "")
}
