package badinput

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// The commonest failure of all: the port is taken. The message has to name who has it, where the system tells. Managers
// try again, so it is no error of the configuration. One after the other, as a process that is being started has a copy
// of the listener for a moment.
func TestPortInUse(t *testing.T) {
	_, at := program.Listener(t)
	_, port, _ := net.SplitHostPort(at)
	root := t.TempDir()
	holder := "another program"
	if runtime.GOOS == "linux" {
		name, err := os.ReadFile("/proc/self/comm")
		if err != nil {
			t.Fatal(err)
		}
		holder = fmt.Sprintf("%s (pid %d)", strings.TrimSpace(string(name)), os.Getpid())
	}
	taken := ": port " + port + " is taken by " + holder + ": stop that, or choose another port: address already in use"
	socket, path := program.UnixListener(t)
	cert, key, _ := program.KeyPair(t, t.TempDir())
	for _, r := range []refusal{
		{name: "host and port", args: []string{"--host", "127.0.0.1", "--port", port, "--root", root}, want: "tcp:127.0.0.1:" + port + taken},
		{name: "port", args: []string{"-p", port, "--root", root}, want: "tcp:[::]:" + port + taken},
		{name: "variable", env: []string{"SERVER_PORT=" + port, "SERVER_HOST=127.0.0.1"}, want: "tcp:127.0.0.1:" + port + taken},
		{name: "address", args: []string{"--listen", "tcp:127.0.0.1:" + port}, want: "tcp:127.0.0.1:" + port + taken},
		{name: "second of two addresses", args: []string{"--listen", "unix:sock tcp:127.0.0.1:" + port}, want: "tcp:127.0.0.1:" + port + taken},
		{name: "port to redirect from", args: []string{"--host", "127.0.0.1", "--port", "0", "--tls-cert", cert, "--tls-key", key, "--https-redirect", "--https-redirect-from-port", port},
			want: "--https-redirect: tcp:127.0.0.1:" + port + taken + "; or choose another port with --https-redirect-from-port"},
		{name: "unix path", args: []string{"--listen", "unix:" + path, "--root", root}, want: "unix:" + path + ": another program answers on it: stop that, or choose another path: address already in use"},
	} {
		r.code = failed
		t.Run(r.name, r.check)
	}
	if c, err := net.Dial("unix", path); err != nil {
		t.Errorf("the other program's socket was touched: %v", err)
	} else {
		c.Close()
	}
	socket.Close()
}

// A unix socket that was bound before the start failed must not stay behind: the next program would find it in its way.
func TestBoundUnixSocketIsRemovedAgain(t *testing.T) {
	path := filepath.Join(program.ShortDir(t), "s")
	refusal{args: []string{"--listen", "https=unix:" + path}, code: config, want: "unix:" + path + noCertificate}.check(t)
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", path, err)
	}
}
