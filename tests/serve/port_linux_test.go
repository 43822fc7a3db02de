package serve

import (
	"net"
	"net/http"
	"os/exec"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// asUser returns what starts a program so that bind(2) treats it as any user's: without CAP_NET_BIND_SERVICE.
func asUser(t *testing.T) []string {
	t.Helper()
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip("no setpriv: it comes with util-linux")
	}
	return []string{"setpriv", "--bounding-set=-net_bind_service", "--inh-caps=-net_bind_service"}
}

// Without this a user who is not root would get an error instead of a page; and with it at the wrong moment, a server
// would come up on a port where nobody looks.
func TestPort8080StandsInFor80(t *testing.T) {
	t.Parallel()
	if !inOwnNetwork(t) {
		return
	}
	d := newDeveloper(t)
	d.folder("public")
	t.Run("not permitted", func(t *testing.T) {
		p := d.in(t).through(asUser(t), "serve", "--host", "127.0.0.1")
		p.Stderr.WaitFor(`may not bind port 80, so port 8080 is used: .*--port`, limit)
		p.Stderr.WaitFor(`http://127\.0\.0\.1:8080`, limit)
		if reply, body := fetch(t, program.Client(t, nil).HTTP1, "http://127.0.0.1:8080/"); reply.StatusCode != http.StatusOK || body != "in public" {
			t.Errorf("%s %q", reply.Status, body)
		}
	})
	t.Run("asked for and not permitted", func(t *testing.T) {
		p := d.in(t).through(asUser(t), "serve", "--port", "80")
		exit(t, p, 78)
		says(t, p.Stderr.String(), "may not bind port 80", "systemd", "from 1024 on")
	})
	t.Run("permitted", func(t *testing.T) {
		p := d.in(t).rouse("serve", "--host", "localhost")
		p.Stderr.WaitFor(`http://127\.0\.0\.1 from`, limit)
		fetch(t, program.Client(t, nil).HTTP1, "http://127.0.0.1/")
	})
	t.Run("taken", func(t *testing.T) {
		held := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:80"))
		defer held.Close()
		p := d.in(t).rouse("serve", "--host", "127.0.0.1")
		exit(t, p, 1)
		says(t, p.Stderr.String(), "port 80 is taken by")
	})
	t.Run("on all addresses", func(t *testing.T) {
		p := d.in(t).rouse("serve", "--port", "8081")
		p.Stderr.WaitFor(`http://localhost:8081`, limit)
		for _, host := range []string{"127.0.0.1", "127.0.0.2", "[::1]"} {
			fetch(t, program.Client(t, nil).HTTP1, "http://"+host+":8081/")
		}
	})
}

// Without this, addresses that everybody sees would carry a :443 that nobody writes.
func TestRedirectLeavesPort443Out(t *testing.T) {
	t.Parallel()
	if !inOwnNetwork(t) {
		return
	}
	a := newActivator(t)
	bound := program.Start(t, program.Run{Args: []string{"serve", "--root", a.root, "--host", "::", "--port", "443",
		"--tls-cert", a.cert, "--tls-key", a.key, "--https-redirect"}})
	bound.Stderr.WaitFor(`https://localhost from`, limit)
	wanted := redirection{"port 443", "GET /a?b HTTP/1.1\nHost: www.example.com:80", 301, "https://www.example.com/a?b"}
	wanted.check(t, "127.0.0.1:80", "")
	wanted.check(t, "[::1]:80", "")
	exit(t, endOf(bound), 0)

	secure, https := program.ListenerAt(t, "tcp", "127.0.0.1:443")
	plain, http := program.ListenerAt(t, "tcp", "127.0.0.1:80")
	a.files[0], a.files[1], a.https, a.http = secure, plain, https, http
	a.start("--https-redirect")
	wanted.check(t, a.http, "")
}
