package serve

import (
	"crypto/tls"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// command runs a client that must be there and succeed within its own time limit, and returns what it wrote.
func command(t testing.TB, stdin string, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no %s: tests/setup.sh installs it", name)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// curl fetches a URL, with the certificate checked; the version of HTTP and the status follow the body.
func curl(t testing.TB, a *activator, args ...string) string {
	t.Helper()
	return command(t, "", "curl", append([]string{"--silent", "--show-error", "--max-time", "20", "--cacert", a.cert,
		"--write-out", "%{http_version} %{http_code}\n"}, args...)...)
}

// Without this the most used client could not fetch a page in one of the three ways to speak HTTP.
func TestCurl(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	a.start()
	secure, plain := "https://localhost:"+portOf(t, a.https)+"/", "http://localhost:"+portOf(t, a.http)+"/"
	for _, c := range []struct{ option, url, want string }{
		{"--http1.1", secure, "1.1 200\n"},
		{"--http1.0", secure, "1 200\n"},
		{"--http2", secure, "2 200\n"},
		{"--tls-max 1.2", secure, "2 200\n"},
		{"--http1.1", plain, "1.1 200\n"},
		{"--http2-prior-knowledge", plain, "2 200\n"},
	} {
		if got := curl(t, a, append(strings.Fields(c.option), c.url)...); got != content+c.want {
			t.Errorf("curl %s %s: %q, want %q", c.option, c.url, got, content+c.want)
		}
	}
}

// Without this old or odd TLS clients, and people who look into a connection with openssl, would find something else than
// what every other server does.
func TestOpenSSL(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	a.start()
	const request = "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n"
	for _, c := range []struct {
		name, stdin string
		args, want  []string
	}{
		{"TLS 1.2", request, []string{"-tls1_2"}, []string{"New, TLSv1.2", "No ALPN negotiated", "200 OK", content}},
		{"TLS 1.3", request, []string{"-tls1_3"}, []string{"New, TLSv1.3", "No ALPN negotiated", "200 OK", content}},
		{"http/1.1", request, []string{"-alpn", "http/1.1"}, []string{"ALPN protocol: http/1.1", "200 OK", content}},
		{"the server's choice", "", []string{"-alpn", "http/1.1,h2"}, []string{"ALPN protocol: h2"}},
		{"no name", request, []string{"-noservername"}, []string{"200 OK", content}},
		{"another name", request, []string{"-servername", "elsewhere.example"}, []string{"200 OK", content}},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"20", "openssl", "s_client", "-connect", a.https, "-CAfile", a.cert, "-verify_return_error"}, c.args...)
			if c.stdin != "" {
				args = append(args, "-ign_eof")
			}
			says(t, command(t, c.stdin, "timeout", args...), append(c.want, "Verify return code: 0 (ok)")...)
		})
	}
}

// Without this Go's own client, which tools and services are made with, could not use what it expects: keep-alive,
// resumption, HTTP/2 over TLS and in plain text.
func TestGoClients(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	a.start()
	clients := program.Client(t, a.pool)
	for _, c := range []struct {
		name   string
		client *http.Client
		url    string
	}{
		{"HTTP/1.1 over TLS", clients.HTTP1, "https://" + a.https},
		{"HTTP/1.1", clients.HTTP1, "http://" + a.http},
		{"HTTP/2.0 over TLS", clients.HTTP2, "https://" + a.https},
		{"HTTP/2.0", clients.H2C, "http://" + a.http},
	} {
		for range 3 {
			reply, body := fetch(t, c.client, c.url)
			if !strings.HasPrefix(c.name, reply.Proto) || reply.StatusCode != http.StatusOK || body != content {
				t.Errorf("%s: %s %s %q", c.name, reply.Proto, reply.Status, body)
			}
		}
	}
}

// Without this each of a browser's new connections would cost a full handshake.
func TestSessionsAreResumed(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	a.start()
	config := &tls.Config{RootCAs: a.pool, ServerName: "localhost", ClientSessionCache: tls.NewLRUClientSessionCache(0)}
	for _, want := range []bool{false, true} {
		c, err := tls.Dial("tcp", a.https, config)
		if err != nil {
			t.Fatal(err)
		}
		over(t, c).get("/") // the ticket comes with the reply
		if got := c.ConnectionState().DidResume; got != want {
			t.Errorf("resumed %v, want %v", got, want)
		}
		c.Close()
	}
}

// Without this a scanner, and the people it frightens, would find versions of TLS that RFC 8996 forbids.
func TestOldTLSIsRefused(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	a.start()
	_, err := tls.Dial("tcp", a.https, &tls.Config{RootCAs: a.pool, ServerName: "localhost", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err == nil || !strings.Contains(err.Error(), "protocol version") {
		t.Errorf("TLS 1.1: %v, want an alert about the version", err)
	}
}

// Without this somebody who forgot the s of https sees garbage, or nothing, and looks for the fault elsewhere.
func TestPlainHTTPToTLSSocketIsExplained(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	a.start()
	for _, request := range []string{"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n"} {
		c := dial(t, a.https)
		c.send(request)
		reply, body := c.reply()
		if reply.StatusCode != http.StatusBadRequest {
			t.Errorf("status %s", reply.Status)
		}
		says(t, body, "HTTPS", "https://")
		c.closed()
	}
	if got := curl(t, a, "http://"+a.https+"/"); !strings.HasSuffix(got, "400\n") {
		t.Errorf("curl: %q", got)
	}
	c := dial(t, a.https)
	c.send("\x00\x01\x02 this is not HTTP either\r\n\r\n")
	if n := c.closed(); n > 7 { // at most a TLS alert
		t.Errorf("%d bytes for what is neither TLS nor HTTP", n)
	}
}

// Without this a client that agreed on HTTP/2 and speaks something else would get an answer in the wrong protocol
// (RFC 9113 §3.4).
func TestHTTP2WithoutItsPrefaceEnds(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	a.start()
	c := over(t, must[*tls.Conn](t)(handshake(a.https, a.pool, "h2")))
	c.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if n := c.closed(); n > 0 {
		t.Errorf("%d bytes came", n)
	}
}

// fetch gets a page.
func fetch(t testing.TB, client *http.Client, url string) (*http.Response, string) {
	t.Helper()
	reply, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatalf("GET %s: %v", url, err)
	}
	return reply, string(body)
}
