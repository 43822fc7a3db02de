package conformance

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// limit is for what takes milliseconds where nothing else runs.
const limit = 20 * time.Second

// setup is the options of a server. In args and file, {dir} stands for the fixture's folder.
type setup struct {
	args     string // flags, separated by blanks
	file     string // the configuration file
	selfMade bool   // the certificate is self-made instead of issued
	changes  bool   // the point changes files
	own      bool   // the point starts programs of its own
}

// with is a server with these flags.
func with(args string) setup { return setup{args: args} }

// file is a server with this configuration file.
func file(text string) setup { return setup{file: text} }

// program is for points that start programs of their own.
func programs() setup { return setup{own: true} }

// changing is s for a point that changes files.
func (s setup) changing() setup { s.changes = true; return s }

// server is one that is asked.
type server struct {
	clients    map[transport]*http.Client // those that it can be asked with
	plain, tls string                     // host:port
	host       string                     // what requests name, unless they name another
	trust      *tls.Config
	process    *program.Process // nil: not ours
}

// servers starts each setup once.
type servers struct {
	t       *testing.T
	dir     string // the fixture
	at      string // another server's URL
	certs   string
	pool    *x509.CertPool
	mu      sync.Mutex
	started map[setup]*server
}

func newServers(t *testing.T) *servers {
	s := &servers{t: t, dir: t.TempDir(), certs: t.TempDir(), at: os.Getenv("ROUSE_CONFORMANCE_URL"), started: map[setup]*server{}}
	writeFixture(t, s.dir)
	_, _, s.pool = program.IssuedPair(t, s.certs, names()...)
	if s.at == "" {
		program.Binary(t)
	}
	return s
}

// names are the hosts of the certificate.
func names() []string {
	return []string{"localhost", "site.test", "www.site.test", "a.test", "b.test", "127.0.0.1", "::1"}
}

// cannot says why a point cannot be asked of the server that ROUSE_CONFORMANCE_URL names, or "".
func (s *servers) cannot(p point) string {
	switch {
	case s.at == "":
	case p.server.own:
		return "needs to start rouse itself"
	case p.server.changes:
		return "changes files that only a server of its own has"
	case p.server != setup{}:
		return "needs a server with " + strings.Join(strings.Fields(p.server.args+" "+p.server.file), " ")
	}
	return ""
}

// get returns the server with this setup and starts it the first time.
func (s *servers) get(wanted setup) *server {
	wanted.changes = false
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.started[wanted]
	switch {
	case one != nil:
	case s.at != "":
		one = s.elsewhere()
	default:
		one = s.start(wanted)
	}
	s.started[wanted] = one
	return one
}

// start starts rouse on a plain and a TLS socket. Nothing waits: the kernel queues clients until it accepts.
func (s *servers) start(wanted setup) *server {
	certs, pool := s.certs, s.pool
	if wanted.selfMade {
		certs = s.t.TempDir()
		_, _, pool = program.KeyPair(s.t, certs, names()...)
	}
	args := []string{"serve", "--tls-cert", filepath.Join(certs, "tls.crt"), "--tls-key", filepath.Join(certs, "tls.key")}
	words := strings.Fields(s.fill(wanted.args))
	if !strings.Contains(wanted.args, "--root") {
		args = append(args, "--root", s.site())
	}
	if wanted.file != "" {
		path := filepath.Join(s.t.TempDir(), "sws.toml")
		if err := os.WriteFile(path, []byte(s.fill(wanted.file)), 0o644); err != nil {
			s.t.Fatal(err)
		}
		args = append(args, "-w", path)
	}
	plain, plainAt := program.Listener(s.t)
	secure, secureAt := program.Listener(s.t)
	p := program.Start(s.t, program.Run{
		Args:  append(append(args, words...), moreArgs()...),
		Env:   []string{"TZ=UTC"},
		Files: []*os.File{plain, secure}, Listen: true, Names: []string{"http", "https"},
	})
	plain.Close() // when the program ends, clients must see that and not wait
	secure.Close()
	one := &server{plain: plainAt, tls: secureAt, host: "localhost", trust: &tls.Config{RootCAs: pool}, process: p}
	one.connect(transports()...)
	return one
}

func (s *server) connect(over ...transport) {
	s.clients = map[transport]*http.Client{}
	for _, v := range over {
		address := s.plain
		if v&secure != 0 {
			address = s.tls
		}
		s.clients[v] = v.client(address, s.trust)
	}
}

// elsewhere is the server that ROUSE_CONFORMANCE_URL names, with the transports that it speaks.
func (s *servers) elsewhere() *server {
	base, err := url.Parse(s.at)
	if err != nil || base.Host == "" {
		s.t.Fatalf("ROUSE_CONFORMANCE_URL=%s is not a URL such as http://127.0.0.1:8080", s.at)
	}
	address, over := base.Host, plain
	if base.Scheme == "https" {
		over = secure
	}
	if base.Port() == "" {
		address = net.JoinHostPort(base.Hostname(), map[string]string{"http": "80", "https": "443"}[base.Scheme])
	}
	one := &server{plain: address, tls: address, host: base.Hostname(), trust: &tls.Config{InsecureSkipVerify: true}}
	one.connect(transports()...)
	for v, client := range one.clients {
		if reply, err := client.Get(fmt.Sprintf("%s://%s/", v.scheme(), one.host)); over&v == 0 || err != nil {
			delete(one.clients, v)
		} else {
			reply.Body.Close()
		}
	}
	if len(one.clients) == 0 {
		s.t.Fatalf("no server answers at ROUSE_CONFORMANCE_URL=%s", s.at)
	}
	return one
}

func (s *servers) site() string { return filepath.Join(s.dir, "site") }

func (s *servers) fill(text string) string { return strings.ReplaceAll(text, "{dir}", s.dir) }
