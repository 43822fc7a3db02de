package serve

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// shows returns the certificate that a new handshake gets.
func shows(t testing.TB, address string) *x509.Certificate {
	t.Helper()
	c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) // which one it is, is the question
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0]
}

// written returns the certificate in a PEM file.
func written(t testing.TB, path, key string) *x509.Certificate {
	t.Helper()
	return must[tls.Certificate](t)(tls.LoadX509KeyPair(path, key)).Leaf
}

// Without this, one would have to restart the server, and break connections, each time the certificate is renewed.
func TestNewCertificateUnderOpenConnections(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		renew func(*testing.T, *activator, *program.Process)
		says  string
	}{
		{"SIGHUP", func(t *testing.T, a *activator, p *program.Process) {
			program.KeyPair(t, filepath.Dir(a.cert))
			p.Signal(syscall.SIGHUP)
		}, "reloaded; certificate|the certificate files changed"}, // whichever looks first
		{"files renamed over", func(t *testing.T, a *activator, _ *program.Process) {
			program.KeyPair(t, filepath.Dir(a.cert))
		}, "the certificate files changed; certificate .*SHA-256"},
		{"link swapped", func(t *testing.T, a *activator, _ *program.Process) {
			swapLink(t, filepath.Dir(a.cert))
		}, "the certificate files changed; certificate .*SHA-256"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := newActivator(t)
			a.behindLink()
			p := a.start()
			before := shows(t, a.https)
			h1 := dialTLS(t, a.https, a.pool)
			h1.get("/")
			h2 := dialHTTP2(t, a.https, a.pool, 1<<20)
			h2.get(1, "/")
			h2.answered(1)

			c.renew(t, a, p)
			p.Stderr.WaitFor(c.says, limit)
			want := written(t, a.cert, a.key)
			if got := shows(t, a.https); !got.Equal(want) || got.Equal(before) {
				t.Errorf("new handshakes get serial %d, want %d; it was %d", got.SerialNumber, want.SerialNumber, before.SerialNumber)
			}
			if reply, body := h1.get("/"); reply.StatusCode != http.StatusOK || body != content {
				t.Errorf("on the old connection: %s %q", reply.Status, body)
			}
			h2.get(3, "/")
			h2.answered(3)
		})
	}
}

// behindLink puts the pair behind a link to a folder, as Kubernetes mounts secrets and certbot keeps them.
func (a *activator) behindLink() {
	a.t.Helper()
	dir := a.t.TempDir()
	first, link := filepath.Join(dir, "1"), filepath.Join(dir, "live")
	if err := os.Mkdir(first, 0o700); err != nil {
		a.t.Fatal(err)
	}
	_, _, a.pool = program.KeyPair(a.t, first)
	if err := os.Symlink(first, link); err != nil {
		a.t.Fatal(err)
	}
	a.cert, a.key = filepath.Join(link, "tls.crt"), filepath.Join(link, "tls.key")
}

// swapLink makes a new pair in a new folder and lets the link lead there, by rename.
func swapLink(t *testing.T, link string) {
	t.Helper()
	second := filepath.Join(filepath.Dir(link), "2")
	if err := os.Mkdir(second, 0o700); err != nil {
		t.Fatal(err)
	}
	program.KeyPair(t, second)
	if err := os.Symlink(second, link+".new"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link+".new", link); err != nil {
		t.Fatal(err)
	}
}

// Without this a renewal that went wrong would take the site down, at night and without a word.
func TestBrokenNewCertificateIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, says string
		spoil      func(*testing.T, *activator)
	}{
		{"mismatch", "does not belong", func(t *testing.T, a *activator) {
			other, _, _ := program.KeyPair(t, t.TempDir())
			replace(t, a.cert, must[[]byte](t)(os.ReadFile(other)))
		}},
		{"half a file", "cut short|not a PEM file", func(t *testing.T, a *activator) {
			text := must[[]byte](t)(os.ReadFile(a.cert))
			replace(t, a.cert, text[:len(text)/2])
		}},
		{"gone", "no such file", func(t *testing.T, a *activator) {
			if err := os.Remove(a.key); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		for _, signal := range []bool{true, false} {
			name := c.name + " seen by itself"
			if signal {
				name = c.name + " at SIGHUP"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				a := newActivator(t)
				p := a.start() // at the level error: this must be seen
				before := shows(t, a.https)
				c.spoil(t, a)
				says := `ERR the changed certificate files cannot be used, the old certificate is kept .*(` + c.says + `)`
				if signal {
					p.Signal(syscall.SIGHUP)
					says = `ERR the certificate was not loaded again, the old one is kept .*(` + c.says + `)`
				}
				p.Stderr.WaitFor(says, limit)
				if !shows(t, a.https).Equal(before) {
					t.Error("new handshakes get another certificate")
				}
				program.KeyPair(t, filepath.Dir(a.cert)) // mended
				until(t, "a mended pair is taken up", func() bool { return !shows(t, a.https).Equal(before) })
			})
		}
	}
}

// Without this a unit with LoadCredential= would need its paths spelled out, and whoever reloads it on a systemd that
// keeps credentials until a restart would wonder why nothing changes.
func TestCredentialsOfSystemd(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	dir := filepath.Join(t.TempDir(), "credentials", "rouse.service") // as below /run
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	_, _, a.pool = program.KeyPair(t, dir)
	a.env = []string{"CREDENTIALS_DIRECTORY=" + dir}
	p := a.run()
	if reply, body := fetch(t, program.Client(t, a.pool).HTTP2, "https://"+a.https); reply.StatusCode != http.StatusOK || body != content {
		t.Errorf("%s %q", reply.Status, body)
	}
	p.Signal(syscall.SIGHUP)
	p.Stderr.WaitFor(`reloaded; the certificate is the same: systemd .*restart.*260`, limit)

	// What a systemd that refreshes credentials does: the whole folder is another one.
	fresh := t.TempDir()
	program.KeyPair(t, fresh)
	for _, move := range [][2]string{{dir, dir + ".old"}, {fresh, dir}} {
		if err := os.Rename(move[0], move[1]); err != nil {
			t.Fatal(err)
		}
	}
	p.Signal(syscall.SIGHUP)
	p.Stderr.WaitFor(`reloaded; certificate .*SHA-256|the certificate files changed`, limit)
	if want := written(t, filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")); !shows(t, a.https).Equal(want) {
		t.Error("new handshakes do not get the new credentials")
	}
}

// Without this, options could not override what a unit brings along.
func TestCertificateOptionsWinOverCredentials(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	dir := t.TempDir()
	program.KeyPair(t, dir)
	a.env = []string{"CREDENTIALS_DIRECTORY=" + dir}
	a.start()
	if want := written(t, a.cert, a.key); !shows(t, a.https).Equal(want) {
		t.Error("the certificate is not the one that was named")
	}
}
