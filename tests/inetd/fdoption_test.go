package inetd

import (
	"net"
	"os"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// Two options on one command line that say different things about sockets: one would be dropped without a word.
func TestFDOptionExcludesOthers(t *testing.T) {
	t.Parallel()
	file, _ := program.Listener(t)
	for _, other := range []string{"--port=8080", "--host=127.0.0.1", "--https-redirect", "--listen=fd:3"} {
		t.Run(other, func(t *testing.T) {
			p := program.Start(t, program.Run{Args: []string{"serve", "--root=" + site(t), "--fd=0", other}, Stdin: file})
			if code := p.Wait(limit).ExitCode(); code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
			name, _, _ := strings.Cut(other, "=")
			has(t, p.Stderr, "--fd", name, "exclude each other")
		})
	}
}

// A host or port in an environment file from earlier days would stop the site, or seem to hold (static-web-server#229).
func TestFDOptionOverVariables(t *testing.T) {
	t.Parallel()
	for name, env := range map[string][]string{
		"port":          {"SERVER_PORT=8787"},
		"host and port": {"SERVER_HOST=127.0.0.9", "SERVER_PORT=8787"},
	} {
		t.Run(name, func(t *testing.T) {
			file, address := program.Listener(t)
			p := program.Start(t, program.Run{Args: []string{"serve", "--root=" + site(t), "--fd=0"}, Env: env, Stdin: file})
			askAll(t, []service{{network: "tcp", address: address}})
			for _, variable := range env {
				name, _, _ := strings.Cut(variable, "=")
				if n := strings.Count(p.Stderr.String(), name); n != 1 {
					t.Errorf("%s is named %d times in\n%s", name, n, p.Stderr)
				}
			}
			has(t, p.Stderr, " not used")
		})
	}
}

// The same options without LISTEN_FDS, on a socket of each kind that static-web-server refuses or hangs on.
func TestFDOptionOnStandardInput(t *testing.T) {
	t.Parallel()
	for name, listen := range listeners() {
		t.Run("listener "+name, func(t *testing.T) {
			file, svc := listen(t)
			p := program.Start(t, program.Run{Args: []string{"serve", "--root=" + site(t), "--fd=0"}, Stdin: file})
			askAll(t, []service{svc})
			p.Stop()
		})
	}
	for name, pair := range connections() {
		t.Run("connection "+name, func(t *testing.T) { serveOnly(t, pair, "--fd=0") })
	}
	for _, option := range []string{"--fd=0", "--listen=fd:0"} { // named by number, an unnamed pair is a client too
		t.Run("unnamed pair "+option, func(t *testing.T) {
			serveOnly(t, func(t testing.TB) (*os.File, net.Conn) { return unnamedPair(t) }, option)
		})
	}
	t.Run("LISTEN_FDS_FIRST_FD=0", func(t *testing.T) {
		file, address := program.Listener(t)
		env := []string{"LISTEN_FDS=1", "LISTEN_FDS_FIRST_FD=0"}
		p := program.Start(t, program.Run{Args: []string{"serve", "--root=" + site(t), "--fd=0"}, Env: env, Stdin: file})
		askAll(t, []service{{network: "tcp", address: address}})
		p.Stop()
	})
}

// serveOnly starts rouse with a connection as standard input, output and error, and fails the test unless it answers on it
// with nothing but HTTP and exits.
func serveOnly(t *testing.T, pair func(testing.TB) (*os.File, net.Conn), option string) {
	t.Helper()
	server, client := pair(t)
	args := []string{"serve", "--root=" + site(t), "--log-level=trace", option}
	p := program.Start(t, program.Run{Args: args, Stdin: server, Stdout: server, Stderr: server})
	server.Close() // or the client would not see the end
	checkPlainWire(t, client)
	if code := p.Wait(limit).ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
