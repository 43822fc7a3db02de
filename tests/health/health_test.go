// Package health tests `rouse health` from outside: against a rouse serve that runs, well or not, and against nobody.
package health

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// limit is for what takes milliseconds where nothing else runs.
const limit = 20 * time.Second

// site is a rouse serve on a socket that the test holds, so that its port is known and nobody else's.
type site struct {
	*program.Process
	env []string // with which rouse health finds it
}

// serve starts rouse with these variables, on a socket of loopback.
func serve(t *testing.T, variables ...string) site {
	t.Helper()
	file, address := program.Listener(t)
	port := address[strings.LastIndex(address, ":")+1:]
	env := append([]string{"SERVER_HOST=::", "SERVER_PORT=" + port, "SERVER_ROOT=" + t.TempDir(), "SERVER_LOG_LEVEL=info"}, variables...)
	return site{program.Start(t, program.Run{Args: []string{"serve"}, Env: env, Files: []*os.File{file}, Listen: true}), env}
}

// ask runs rouse health, and returns its status and the line that it wrote.
func ask(t *testing.T, env []string, args ...string) (status int, line string) {
	t.Helper()
	p := program.Start(t, program.Run{Args: append([]string{"health", "--timeout=15s"}, args...), Env: env}) // the later one holds
	status = p.Wait(limit).ExitCode()
	out, errs := p.Stdout.String(), p.Stderr.String()
	if (status == 0) != (errs == "") || (status == 0) == (out == "") || strings.Count(out+errs, "\n") != 1 {
		t.Errorf("status %d, stdout %q, stderr %q", status, out, errs)
	}
	return status, out + errs
}

// expect asks, and compares.
func expect(t *testing.T, status int, words string, env []string, args ...string) {
	t.Helper()
	if got, line := ask(t, env, args...); got != status || !strings.Contains(line, words) {
		t.Errorf("status %d: %s; want %d, %s", got, line, status, words)
	}
}

func TestHealthy(t *testing.T) {
	s := serve(t, "SERVER_HEALTH=true")
	expect(t, 0, "/health answers 200 OK", s.env)
	expect(t, 0, "/health answers 200 OK", append(s.env, "http_proxy=http://192.0.2.1:1", "HTTP_PROXY=http://192.0.2.1:1"))
	s.Stop()
	if log := s.Stderr.String(); strings.Contains(log, "/health") {
		t.Errorf("each question stands in the log: %s", log)
	}
}

// The certificate is the server's own affair, unless a URL says which name it is to have.
func TestHealthyOverTLS(t *testing.T) {
	cert, key, _ := program.KeyPair(t, t.TempDir(), "www.example.com", "127.0.0.1")
	s := serve(t, "SERVER_HEALTH=true", "SERVER_TLS_CERT="+cert, "SERVER_TLS_KEY="+key)
	expect(t, 0, "https://127.0.0.1:", s.env)
	url := "https://127.0.0.1:" + strings.TrimPrefix(s.env[1], "SERVER_PORT=") + "/health"
	expect(t, 1, "--insecure", nil, url)
	expect(t, 0, "200 OK", nil, "--insecure", url)
	if runtime.GOOS == "linux" { // macOS asks its keychain
		expect(t, 0, "200 OK", []string{"SSL_CERT_FILE=" + cert}, url)
	}
	expect(t, 1, "", nil, strings.Replace(url, "https:", "http:", 1))
}

// Both are given the same variables, and meet on a unix socket.
func TestHealthyOnAUnixSocket(t *testing.T) {
	path := filepath.Join(program.ShortDir(t), "s")
	env := []string{"SERVER_UNIX_SOCKET=" + path, "SERVER_HEALTH=true", "SERVER_LOG_LEVEL=info", "SERVER_ROOT=" + t.TempDir()}
	p := program.Start(t, program.Run{Args: []string{"serve"}, Env: env})
	p.Stderr.WaitFor("at http on ", limit)
	expect(t, 0, "200 OK", env)
	p.Stop()
	expect(t, 1, "nobody listens there", env)
}

func TestUnhealthy(t *testing.T) {
	empty := serve(t)
	expect(t, 1, "/ answers 404 Not Found", empty.env)

	maintained := serve(t, "SERVER_MAINTENANCE_MODE=true")
	expect(t, 1, "/ answers 503 Service Unavailable", maintained.env)

	stopped := serve(t, "SERVER_HEALTH=true")
	expect(t, 0, "200 OK", stopped.env)
	stopped.Signal(syscall.SIGSTOP)
	expect(t, 1, "has not answered within", stopped.env, "--timeout", "300ms")
	stopped.Signal(syscall.SIGCONT)
	expect(t, 0, "200 OK", stopped.env)
}
