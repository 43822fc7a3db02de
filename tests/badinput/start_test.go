package badinput

import (
	"crypto/x509"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// start is a way to start rouse that looks odd and still has to serve. It serves an empty folder on a socket of its own,
// which is descriptor 3.
type start struct {
	name   string
	args   []string
	env    []string
	listen bool // pass the socket, and more behind it, by LISTEN_FDS
	names  []string
	more   []*os.File
	stdin  bool // pass the socket as descriptor 0 too

	scheme  string         // what it has to speak there
	pool    *x509.CertPool // trusted with https
	notices []string       // all it says beside what it serves, where, and with which certificate; whole lines
}

// served starts rouse in each of the ways.
func served(t *testing.T, starts []start) {
	t.Helper()
	for _, s := range starts {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			s.check(t)
		})
	}
}

func (s start) check(t *testing.T) {
	t.Helper()
	root := t.TempDir()
	listener, at := program.Listener(t)
	run := program.Run{
		Args: s.args, Env: append([]string{"SERVER_ROOT=" + root}, s.env...),
		Files: append([]*os.File{listener}, s.more...), Listen: s.listen, Names: s.names,
	}
	if s.stdin {
		run.Stdin = listener
	}
	p := program.Start(t, run)
	request, err := http.NewRequest(http.MethodGet, s.scheme+"://"+at, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := program.Client(t, s.pool).HTTP1.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if code := p.Stop().ExitCode(); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
	var notices []string
	for _, line := range lines(p.Stderr.String()) {
		switch {
		case line == "serving "+root:
		case strings.HasPrefix(line, "at http"):
		case strings.HasPrefix(line, "certificate "):
		default:
			notices = append(notices, line)
		}
	}
	same(t, notices, s.notices)
	if out := p.Stdout.String(); out != "" {
		t.Errorf("on stdout: %q", out)
	}
}
