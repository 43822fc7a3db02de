// Package serve shows from outside what `rouse serve` and bare `rouse` promise: the built program, on sockets that the
// test holds as an activator would, and real clients.
package serve

import (
	"crypto/x509"
	"flag"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// limit is for what takes milliseconds where nothing else runs.
const limit = 20 * time.Second

// TestMain lets more tests run at once than there are processors: most of them wait for a time limit of the program.
func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "test.parallel" })
	if !chosen {
		flag.Set("test.parallel", "6")
	}
	os.Exit(m.Run())
}

// activator holds two listening sockets, an https and an http one, and starts rouse on them, as often as a test likes.
type activator struct {
	t           testing.TB
	https, http string // host:port
	files       []*os.File
	names       []string

	root      string // the folder that is served
	cert, key string
	pool      *x509.CertPool // trusts cert
	env       []string
}

// content is the site's index page.
const content = "<!doctype html><title>Rouse</title><p>awake\n"

// newActivator returns an activator with a site that has an index page.
func newActivator(t testing.TB) *activator {
	t.Helper()
	a := &activator{t: t, root: t.TempDir(), names: []string{"https", "http"}}
	secure, https := program.Listener(t)
	plain, http := program.Listener(t)
	a.files, a.https, a.http = []*os.File{secure, plain}, https, http
	a.cert, a.key, a.pool = program.KeyPair(t, t.TempDir())
	a.write("index.html", content)
	return a
}

// start starts `rouse serve` with the site, the certificate and these options.
func (a *activator) start(options ...string) *program.Process {
	a.t.Helper()
	return a.run(append([]string{"--tls-cert", a.cert, "--tls-key", a.key}, options...)...)
}

// run is start without a certificate.
func (a *activator) run(options ...string) *program.Process {
	a.t.Helper()
	return program.Start(a.t, program.Run{
		Args:  append([]string{"serve", "--root", a.root}, options...),
		Env:   a.env,
		Files: a.files, Listen: true, Names: a.names,
	})
}

// write puts a file into the site.
func (a *activator) write(name, text string) {
	a.t.Helper()
	if err := os.WriteFile(filepath.Join(a.root, name), []byte(text), 0o644); err != nil {
		a.t.Fatal(err)
	}
}

// large puts a file of zeros into the site that is longer than all socket buffers together, and returns its size.
func (a *activator) large(name string) int64 {
	a.t.Helper()
	a.write(name, "")
	const size = 64 << 20
	if err := os.Truncate(filepath.Join(a.root, name), size); err != nil {
		a.t.Fatal(err)
	}
	return size
}

// until waits until condition holds, and fails the test when it does not within the limit.
func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// exit waits until the program has ended and checks its exit code.
func exit(t testing.TB, p *program.Process, want int) {
	t.Helper()
	if got := p.Wait(limit).ExitCode(); got != want {
		t.Errorf("exit code %d, want %d", got, want)
	}
}

// portOf is the port of host:port.
func portOf(t testing.TB, address string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// says fails the test when text lacks one of the words.
func says(t testing.TB, text string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(text, word) {
			t.Errorf("no %q in\n%s", word, text)
		}
	}
}
