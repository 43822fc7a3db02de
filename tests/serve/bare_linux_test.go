package serve

import (
	"crypto/x509"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// developer is somebody who types rouse: a folder, and the state that outlives a program.
type developer struct {
	t          *testing.T
	dir, state string
}

func newDeveloper(t *testing.T) developer {
	t.Helper()
	return developer{t, t.TempDir(), filepath.Join(t.TempDir(), "state")}
}

// in is the same person in a subtest, at whose end the programs end.
func (d developer) in(t *testing.T) developer {
	d.t = t
	return d
}

// rouse starts the program with these arguments.
func (d developer) rouse(args ...string) *program.Process { return d.through(nil, args...) }

func (d developer) through(wrapper []string, args ...string) *program.Process {
	d.t.Helper()
	return program.Start(d.t, program.Run{Through: wrapper, Args: args, Dir: d.dir, Env: []string{"XDG_STATE_HOME=" + d.state}})
}

// folder makes a folder with an index page that says its name.
func (d developer) folder(name string) {
	d.t.Helper()
	if err := os.MkdirAll(filepath.Join(d.dir, name), 0o755); err != nil {
		d.t.Fatal(err)
	}
	replace(d.t, filepath.Join(d.dir, name, "index.html"), []byte("in "+name))
}

// ready waits until the program has said where it serves.
func ready(p *program.Process) *program.Process {
	p.Stderr.WaitFor(`development certificate, SHA-256 \S+, until \d{4}-\d\d-\d\d; browsers .*\n`, limit)
	return p
}

// development trusts the certificate that the program keeps.
func (d developer) development() program.Clients {
	d.t.Helper()
	return program.Client(d.t, d.pool())
}

// pool holds the certificate that the program keeps.
func (d developer) pool() *x509.CertPool {
	d.t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(must[[]byte](d.t)(os.ReadFile(filepath.Join(d.state, "rouse", "development.pem")))) {
		d.t.Fatal("no certificate in the file that is kept")
	}
	return pool
}

// Without this a newcomer's first minute shows nothing: no page, no address to click, or a certificate error that no
// browser lets pass.
func TestBareModeServesTheWelcomeSite(t *testing.T) {
	t.Parallel()
	if !inOwnNetwork(t) {
		return
	}
	d := newDeveloper(t)
	p := ready(d.rouse())
	says(t, p.Stderr.String(), "https://localhost:8443\n", "http://localhost:8080\n", "the welcome page")
	if lines := strings.Count(p.Stderr.String(), "\n"); lines != 4 {
		t.Errorf("%d lines, want one on what, two on where, one on the certificate:\n%s", lines, p.Stderr.String())
	}
	clients := d.development()
	for _, host := range []string{"localhost", "127.0.0.1", "[::1]"} {
		for client, url := range map[*http.Client]string{
			clients.HTTP1: "https://" + host + ":8443/", clients.HTTP2: "https://" + host + ":8443/", clients.H2C: "http://" + host + ":8080/",
		} {
			reply, body := fetch(t, client, url)
			if reply.StatusCode != http.StatusOK {
				t.Errorf("%s: %s", url, reply.Status)
			}
			says(t, body, "<title>", "https://localhost:8443/", "http://localhost:8080/", "127.0.0.1:8443", "[::1]:8080", d.dir)
			if policy := reply.Header.Get("Strict-Transport-Security"); policy != "" {
				t.Errorf("%s: Strict-Transport-Security: %s would lock localhost for all other programs", url, policy)
			}
		}
	}
	for _, address := range []string{"127.0.0.2:8443", "127.0.0.2:8080"} { // another machine's way in
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			t.Errorf("%s can be reached: bare mode is for this machine alone", address)
		}
	}
	p.Stderr.WaitFor(` GET 200 / `, limit)
}

// Without these forms one would have to learn options before the first folder is served.
func TestBareModeServesAFolder(t *testing.T) {
	t.Parallel()
	if !inOwnNetwork(t) {
		return
	}
	for _, c := range []struct {
		folder string
		args   []string
	}{
		{"public", nil},
		{"public", []string{"serve"}},
		{"site", []string{"site"}},
		{"site", []string{"./site/"}},
		{"site", []string{"serve", "site"}},
		{"site", []string{"serve", "--root", "site", "--log-level", "error"}},
		{"site", []string{"-d", "site"}},
		{"serve", []string{"./serve"}},
	} {
		d := newDeveloper(t)
		d.folder(c.folder)
		p := ready(d.rouse(c.args...))
		reply, body := fetch(t, d.development().HTTP2, "https://localhost:8443/")
		if reply.StatusCode != http.StatusOK || body != "in "+c.folder {
			t.Errorf("rouse %s: %s %q", c.args, reply.Status, body)
		}
		says(t, p.Stderr.String(), "serving "+filepath.Join(d.dir, c.folder)+"\n")
		if err := os.Mkdir(filepath.Join(d.dir, c.folder, "notes"), 0o755); err != nil {
			t.Fatal(err)
		}
		_, body = fetch(t, d.development().HTTP2, "https://localhost:8443/notes/")
		says(t, body, "Index of /notes/")
		p.Signal(syscall.SIGINT)
		exit(t, p, 0)
	}
}

// Without this, machines without IPv6 could not even be tried on.
func TestBareModeWithoutIPv6(t *testing.T) {
	t.Parallel()
	if !inOwnNetwork(t) {
		return
	}
	withoutIPv6(t)
	d := newDeveloper(t)
	p := ready(d.rouse())
	says(t, p.Stderr.String(), "https://localhost:8443\n", "http://localhost:8080\n")
	fetch(t, d.development().HTTP2, "https://localhost:8443/")
	fetch(t, d.development().HTTP1, "http://localhost:8080/")
}
