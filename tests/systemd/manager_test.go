package systemd

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

const (
	httpsURL = "https://127.0.0.1:8443/"
	httpURL  = "http://127.0.0.1:8080/"
	patience = 20 * time.Second // for what systemd does by itself, on a loaded machine
)

// shipped starts the shipped units anew, with a certificate of its own and drop-ins for the service, and returns the
// certificate. At the end everything is stopped again, and the journal shown if the test failed.
func shipped(t *testing.T, service string, sockets ...string) *x509.CertPool {
	t.Helper()
	needsSystemd(t)
	pool := newCertificate(t, "/etc/rouse")
	dropIn(t, "rouse.service", service)
	run(t, "systemctl", "daemon-reload")
	if len(sockets) == 0 {
		sockets = []string{"rouse.socket", "rouse-http.socket"}
	}
	since := time.Now()
	run(t, "systemctl", append([]string{"start"}, sockets...)...)
	t.Cleanup(func() {
		run(t, "systemctl", append([]string{"stop", "rouse.service"}, sockets...)...)
		exec.Command("systemctl", "reset-failed").Run()
		if t.Failed() {
			t.Log(journal(t, "rouse.service", since))
		}
	})
	return pool
}

// newCertificate puts a new pair where the units look for it.
func newCertificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	made := t.TempDir()
	cert, key, pool := program.KeyPair(t, made, "localhost", "127.0.0.1", "::1")
	for from, to := range map[string]string{cert: "tls.crt", key: "tls.key"} {
		if err := copyFile(from, filepath.Join(dir, to), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return pool
}

// dropIn adds lines to a unit, for this test.
func dropIn(t *testing.T, unit, text string) {
	t.Helper()
	dir := "/run/systemd/system/" + unit + ".d"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/test.conf", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
}

// unitFile writes a unit of the test's own.
func unitFile(t *testing.T, name, text string) {
	t.Helper()
	path := "/run/systemd/system/" + name
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(path) })
}

// run runs a command, which must succeed, and returns what it printed.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// property is what `systemctl show` says of a unit.
func property(t *testing.T, unit, name string) string {
	t.Helper()
	return strings.TrimSpace(run(t, "systemctl", "show", "-P", name, unit))
}

func mainPID(t *testing.T) int {
	t.Helper()
	pid, err := strconv.Atoi(property(t, "rouse.service", "MainPID"))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// waitFor waits until a condition holds.
func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); ; {
		if holds() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("still not after %s: %s", patience, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func waitState(t *testing.T, unit, state string) {
	t.Helper()
	waitFor(t, unit+" "+state, func() bool { return property(t, unit, "ActiveState") == state })
}

// curl asks with the real curl and returns status and protocol, such as "200 2".
func curl(t *testing.T, args ...string) string {
	t.Helper()
	return run(t, "curl", append([]string{"-sS", "-m", "20", "-k", "-o", "/dev/null", "-w", "%{http_code} %{http_version}"}, args...)...)
}

// line is a line of the journal.
type line struct {
	Message    string `json:"MESSAGE"`
	Priority   string `json:"PRIORITY"`
	Identifier string `json:"SYSLOG_IDENTIFIER"`
}

// journal returns the lines of a unit's processes.
func journalLines(t *testing.T, unit string, since time.Time) []line {
	t.Helper()
	var lines []line
	decoder := json.NewDecoder(strings.NewReader(run(t, "journalctl", "-q", "--no-pager", "-o", "json", "-u", unit, "--since", stamp(since))))
	for decoder.More() {
		var l line
		if err := decoder.Decode(&l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	return lines
}

func journal(t *testing.T, unit string, since time.Time) string {
	return run(t, "journalctl", "-q", "--no-pager", "-o", "short-precise", "-u", unit, "--since", stamp(since))
}

func stamp(at time.Time) string { return fmt.Sprintf("@%d.%06d", at.Unix(), at.Nanosecond()/1000) }

func kill(t *testing.T, pid int, signal syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, signal); err != nil {
		t.Fatalf("kill %d: %v", pid, err)
	}
}
