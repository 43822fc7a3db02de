package health

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// A health check as in a container, where rouse binds its port itself and has nothing but its variables.
func TestAsInAContainer(t *testing.T) {
	for _, tool := range []string{"unshare", "ip", "timeout"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("no " + tool)
		}
	}
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "index.html"), []byte("hello"), 0o644); err != nil {
		t.Fatal(err)
	}
	unshare := []string{"unshare", "--net"}
	if os.Geteuid() != 0 { // in a user namespace anybody may have a network
		unshare = append(unshare, "--map-root-user")
	}
	if out, err := exec.CommandContext(t.Context(), unshare[0], append(unshare[1:], "ip", "link", "set", "lo", "up")...).CombinedOutput(); err != nil {
		t.Skipf("no network of its own: %v: %s", err, out)
	}
	const script = `ip link set lo up
"$0" health && echo "healthy before it runs"
"$0" serve &
until "$0" health 2>&1; do :; done
kill -TERM $!; wait $!; echo "ended with $?"
"$0" health; echo "then $?"`
	p := program.Start(t, program.Run{
		Binary: "/bin/sh", Args: []string{"-c", script, program.Binary(t)},
		Through: append([]string{"timeout", "30"}, unshare...),
		Env:     []string{"SERVER_HOST=::", "SERVER_PORT=8080", "SERVER_ROOT=" + root, "SERVER_HEALTH=true"},
	})
	p.Stdout.WaitFor(`(?s)http://127.0.0.1:8080/health answers 200 OK\nended with 0\nthen 1\n`, limit)
	if strings.Contains(p.Stdout.String(), "healthy before") {
		t.Errorf("%s", p.Stdout.String())
	}
}
