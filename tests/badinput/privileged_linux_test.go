package badinput

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// Binding port 443 as an ordinary user is what Rouse makes unnecessary; the message has to say so.
func TestPrivilegedPort(t *testing.T) {
	first, err := os.ReadFile("/proc/sys/net/ipv4/ip_unprivileged_port_start")
	if err != nil || strings.TrimSpace(string(first)) == "0" || strings.TrimSpace(string(first)) == "1" {
		t.Skipf("every user may bind every port here: ip_unprivileged_port_start=%s %v", first, err)
	}
	const refusedPort = ": this user may not bind port 1: let systemd, launchd or inetd open it, or choose a port from 1024 on: permission denied"
	through := withoutCapabilities(t)
	refused(t, []refusal{
		{name: "flag", args: []string{"--host", "127.0.0.1", "--port", "1"}, through: through, code: config, want: "tcp:127.0.0.1:1" + refusedPort},
		{name: "variable", env: []string{"SERVER_PORT=1"}, through: through, code: config, want: "tcp:[::]:1" + refusedPort},
		{name: "address", args: []string{"--listen", "http=tcp:1"}, through: through, code: config, want: "tcp:1" + refusedPort},
	})
}

// static-web-server's default port is 80, which ordinary users may not bind; 8080 stands in for it, and that must be said.
// In a network of its own, as both numbers are fixed.
func TestPort8080StandsInFor80(t *testing.T) {
	if out, err := exec.Command("unshare", "-rn", "true").CombinedOutput(); err != nil {
		t.Skipf("no network namespaces here: %v %s", err, out)
	}
	root := t.TempDir()
	p := program.Start(t, program.Run{
		Through: []string{"unshare", "-rn", "setpriv", "--bounding-set=-all", "--inh-caps=-all"},
		Args:    []string{"--tls=false", "--root", root}, // any option of sockets or TLS ends bare mode
	})
	p.Stderr.WaitFor(`at http://\S+ from \S+\n`, soon)
	same(t, lines(p.Stderr.String()), []string{
		"this user may not bind port 80, so port 8080 is used: say --port to choose, or let systemd or launchd open the socket",
		"serving " + root,
		"at http://localhost:8080 from tcp:[::]:8080",
	})
	if code := p.Stop().ExitCode(); code != 0 {
		t.Errorf("exit code %d after SIGTERM", code)
	}
}
