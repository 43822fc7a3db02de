// Package site shows from outside what a file of options makes of a site: virtual hosts, reload, maintenance, pages.
package site

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// limit is for what takes milliseconds where nothing else runs.
const limit = 20 * time.Second

// site is a folder, a file of options, and a program that serves by them.
type site struct {
	*program.Process
	t       testing.TB
	dir     string // everything lies below: public, rouse.toml
	address string // host:port
	client  *http.Client
	scheme  string
}

// newSite starts the program with these options and files. A file's name is a path below the folder; rouse.toml is the
// file of options. @ in it stands for the folder.
func newSite(t testing.TB, files map[string]string, options ...string) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), scheme: "http", client: program.Client(t, nil).HTTP1}
	s.write("public/index.html", "general")
	s.write("rouse.toml", "")
	for name, text := range files {
		s.write(name, text)
	}
	listener, address := program.Listener(t)
	s.address = address
	s.Process = program.Start(t, program.Run{
		Args: append([]string{"serve", "--config-file", filepath.Join(s.dir, "rouse.toml")}, options...),
		Dir:  s.dir, Files: []*os.File{listener}, Listen: true,
	})
	return s
}

// write makes a file, or replaces it as a whole.
func (s *site) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path+"~", []byte(strings.ReplaceAll(text, "@", s.dir)), 0o644); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(path+"~", path); err != nil {
		s.t.Fatal(err)
	}
}

// reply is what came back.
type reply struct {
	*http.Response
	body string
}

// get asks for a path with header fields given as name, value, name, value. Host is one of them.
func (s *site) get(path string, fields ...string) reply {
	s.t.Helper()
	r, err := s.ask(path, fields...)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *site) ask(path string, fields ...string) (reply, error) {
	request, err := http.NewRequest(http.MethodGet, s.scheme+"://"+s.address+path, nil)
	if err != nil {
		return reply{}, err
	}
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] == "Host" {
			request.Host = fields[i+1]
			continue
		}
		request.Header.Set(fields[i], fields[i+1])
	}
	response, err := s.client.Do(request)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return reply{response, string(body)}, err
}

// is fails the test unless the reply has this status and body.
func (s *site) is(r reply, status int, body string) {
	s.t.Helper()
	if r.StatusCode != status || !strings.Contains(r.body, body) {
		s.t.Errorf("%s: %d %.200q, want %d %q", r.Request.URL.Path, r.StatusCode, r.body, status, body)
	}
}

// shows returns the certificate that a client gets who names this host.
func (s *site) shows(host string, pool *x509.CertPool) *x509.Certificate {
	s.t.Helper()
	c, err := tls.Dial("tcp", s.address, &tls.Config{ServerName: host, RootCAs: pool, InsecureSkipVerify: pool == nil})
	if err != nil {
		s.t.Fatalf("%s: %v", host, err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0]
}

// until waits until condition holds.
func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// adminOf is the same program, asked over its socket admin.sock.
func adminOf(t testing.TB, s *site) *site {
	admin := *s
	admin.client = program.ClientTo(t, nil, program.DialUnix(s.dir+"/admin.sock")).HTTP1
	return &admin
}
