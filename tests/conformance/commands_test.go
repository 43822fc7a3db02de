package conformance

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// command is a command line that static-web-server's documentation shows, without its first word, or one with the
// options of such a page; or variables of an environment file. One request shows that it means the same to rouse.
type command struct {
	page  string // of the documentation
	words string // as one types them; {port} is a free port, without it a socket is passed and the port is not bound
	env   string // NAME=value, separated by blanks
	over  transport
	do    func(*asker)
}

// The documented commands and variables must go on working when one word is replaced in a unit, a Dockerfile or a shell
// history.
func TestCommands(t *testing.T) {
	needsRouse(t)
	list, servers := newListing(t, "documented commands and variables"), newServers(t)
	dir := workshop(t, servers)
	for i, c := range append(append(commands(), newCommands()...), variables()...) {
		for _, first := range []string{"", "serve "} {
			name := strings.TrimSpace(fmt.Sprintf("rouse %s%s %s", first, c.words, c.env))
			t.Run(fmt.Sprintf("D%d %s", i+1, strings.ReplaceAll(name, "/", "|")), func(t *testing.T) {
				t.Parallel()
				a := &asker{T: t, point: point{number: fmt.Sprintf("D%d", i+1), title: c.page + ": " + name}, servers: servers, list: list}
				c.start(a, dir, first)
				c.do(a)
			})
		}
	}
}

// needsRouse skips what is about command lines when another server is asked.
func needsRouse(t *testing.T) {
	t.Helper()
	if os.Getenv("ROUSE_CONFORMANCE_URL") != "" {
		t.Skip("ROUSE_CONFORMANCE_URL names a server that runs: there is no command line to try")
	}
}

// start starts the command in dir, on a socket that it inherits or on a port of its own.
func (c command) start(a *asker, dir, first string) {
	a.Helper()
	words, over := c.words, c.over
	if over == 0 {
		over = h1
	}
	run := program.Run{Dir: dir, Env: append(strings.Fields(a.servers.fill(c.env)), "TZ=UTC")}
	var address string
	if strings.Contains(words, "{port}") || strings.Contains(c.env, "{port}") {
		address = freePort(a)
		words = strings.ReplaceAll(words, "{port}", portOf(address))
		for i := range run.Env {
			run.Env[i] = strings.ReplaceAll(run.Env[i], "{port}", portOf(address))
		}
	} else {
		var listener *os.File
		listener, address = program.Listener(a)
		run.Files, run.Listen = []*os.File{listener}, true
	}
	run.Args = shellWords(first + a.servers.fill(words))
	a.startsOver(over, run, address, a.trust())
	if !run.Listen {
		a.server.process.Stderr.WaitFor("at https?://", limit)
	}
}

// freePort returns a host:port of which nobody listens.
func freePort(a *asker) string {
	listener, address := program.Listener(a)
	listener.Close()
	return address
}

// shellWords splits a line as a shell does, as far as the documentation needs it: quotes keep blanks together.
func shellWords(line string) (words []string) {
	var word strings.Builder
	quote, begun := rune(0), false
	for _, r := range line + " " {
		switch {
		case quote == 0 && (r == '\'' || r == '"'):
			quote, begun = r, true
		case r == quote:
			quote = 0
		case quote == 0 && r == ' ':
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	return words
}

// workshop is a folder such as the documentation's commands are typed in.
func workshop(t *testing.T, s *servers) string {
	dir := t.TempDir()
	for _, name := range []string{"public", "my-public-dir", "docker/public", "tests/fixtures/public"} {
		must(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
		must(t, os.Symlink(s.site(), filepath.Join(dir, name)))
	}
	for name, text := range map[string]string{
		"maintenance.html": "<h1>Back soon</h1>", "app.html": "<h1>application</h1>",
		"sws.conf.toml": "[general]\nroot = './public'\ndirectory-listing = true\n",
	} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	must(t, os.WriteFile(filepath.Join(s.site(), "my-page-404.html"), []byte("<h1>my 404</h1>"), 0o644))
	for name, of := range map[string]string{"my-tls.cert": "tls.crt", "my-tls.key": "tls.key", "tests/tls/local.dev_cert.ecc.pem": "tls.crt", "tests/tls/local.dev_key.ecc.pem": "tls.key"} {
		must(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
		must(t, os.Symlink(filepath.Join(s.certs, of), filepath.Join(dir, name)))
	}
	return dir
}

// site expects a file of the site.
func site(a *asker) { a.typed(a.get("/a.txt")).want(200, body(aText)) }

// asks gets path and compares the reply.
func asks(path string, status int, all ...expectation) func(*asker) {
	return func(a *asker) { a.typed(a.get(path)).want(status, all...) }
}

// asksWith asks with a header line.
func asksWith(header, path string, status int, all ...expectation) func(*asker) {
	return func(a *asker) { a.typed(a.get(path, header)).want(status, all...) }
}

// typed puts the command line in front of what was asked.
func (a *asker) typed(r *reply) *reply {
	r.asked = a.title + "; " + r.asked
	return r
}

// logged gets path and expects a line of the log that matches.
func logged(path, pattern string, header ...string) func(*asker) {
	return func(a *asker) {
		a.get(path, header...)
		output := a.ended()
		found := matching(output, pattern)
		a.compare(a.title, "a log line like "+pattern, found+output, found != "")
	}
}
