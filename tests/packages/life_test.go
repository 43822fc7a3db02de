package packages

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// life is how a package manager is asked for each step in the life of a package.
type life struct {
	install, upgrade []string
	remove           []string
	again            []string // installs it once more after that; empty: remove has left nothing
	purge            []string
	kept             string // what the administrator has written, and is left in the end
}

// The whole life of the Debian package.
func TestDebLife(t *testing.T) {
	live(t, life{
		install: []string{"dpkg", "--install", deb("first", version)},
		upgrade: []string{"dpkg", "--install", deb("next", next)},
		remove:  []string{"dpkg", "--remove", "rouse"},
		again:   []string{"dpkg", "--install", deb("next", next)},
		purge:   []string{"dpkg", "--purge", "rouse"},
	})
}

// The whole life of the RPM, on a Debian: its scripts need nothing of Red Hat's but rpm itself.
func TestRPMLife(t *testing.T) {
	needs(t, "rpm")
	live(t, life{
		install: []string{"rpm", "--force-debian", "--nodeps", "-i", rpm("first", version)},
		upgrade: []string{"rpm", "--force-debian", "--nodeps", "-U", rpm("next", next)},
		remove:  []string{"rpm", "--force-debian", "-e", "rouse"},
		kept:    "/etc/rouse/rouse.env.rpmsave",
	})
}

// live goes through it, as people and their visitors see it.
func live(t *testing.T, l life) {
	needsSystemd(t)
	before := emptyMachine(t)
	step(t, l.install)
	opened(t)
	wellFormed(t)
	firstRequest(t)
	upgrade(t, l.upgrade)
	told(t)
	step(t, l.remove)
	closed(t)
	if l.again != nil {
		step(t, l.again)
		opened(t)
		firstRequest(t)
		step(t, l.purge)
		closed(t)
	}
	if l.kept != "" {
		if err := errors.Join(os.Remove(l.kept), os.Remove(filepath.Dir(l.kept))); err != nil {
			t.Error(err)
		}
	}
	before.same(t)
}

// step runs a command and tells of it.
func step(t *testing.T, command []string) {
	t.Helper()
	t.Logf("%s:\n%s", strings.Join(command, " "), run(t, command[0], command[1:]...))
}

// opened checks what an installation ends with: sockets on loopback that come back at every boot, and nobody awake.
func opened(t *testing.T) {
	t.Helper()
	for _, unit := range []string{"rouse.socket", "rouse-http.socket", "rouse-renew.timer"} {
		if got := property(t, unit, "ActiveState") + " " + property(t, unit, "UnitFileState"); got != "active enabled" {
			t.Errorf("%s is %s", unit, got)
		}
	}
	for _, unit := range []string{"rouse.service", "rouse-dispatch.service"} {
		if got := property(t, unit, "ActiveState"); got != "inactive" {
			t.Errorf("%s is %s", unit, got)
		}
	}
	for _, unit := range []string{"rouse.socket", "rouse-http.socket"} {
		for address := range strings.Lines(property(t, unit, "Listen")) {
			host, _, err := net.SplitHostPort(strings.Fields(address)[0])
			if err != nil || !net.ParseIP(host).IsLoopback() {
				t.Errorf("%s listens on %s", unit, address)
			}
		}
	}
	for _, name := range []string{"tls.crt", "tls.key"} {
		info, err := os.Stat("/etc/rouse/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if name == "tls.key" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v", name, info.Mode())
		}
	}
	if out := run(t, "dpkg", "--audit"); out != "" {
		t.Errorf("dpkg --audit: %s", out)
	}
}

// wellFormed has systemd and Rouse look at the files that the package brought.
func wellFormed(t *testing.T) {
	t.Helper()
	// It ends well also when it finds something to say.
	if out := run(t, "sh", "-c", "systemd-analyze verify /usr/lib/systemd/system/rouse*.s* /usr/lib/systemd/system/rouse*.timer 2>&1"); out != "" {
		t.Errorf("systemd-analyze verify: %s", out)
	}
	run(t, "rouse", "dispatch", "--check", "--config", "/etc/rouse/dispatch.toml")
}

// firstRequest wakes the service.
func firstRequest(t *testing.T) {
	t.Helper()
	page, err := get(client(t), httpsURL)
	if err != nil || !strings.Contains(page, "Rouse is awake") {
		t.Fatalf("%v %s\n%s", err, page, run(t, "journalctl", "-q", "--no-pager", "-n", "30", "-u", "rouse.service"))
	}
}

// upgrade installs the next version under requests, none of which fails. The sockets are those of before, and the service is
// the new program; what somebody wrote into the file of options stays.
func upgrade(t *testing.T, command []string) {
	t.Helper()
	const own = "\n#: mine\n"
	file, err := os.OpenFile("/etc/rouse/rouse.env", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(file, own)
	file.Close()
	sockets := property(t, "rouse.socket", "InvocationID") + property(t, "rouse-http.socket", "InvocationID")
	pid := property(t, "rouse.service", "MainPID")
	answered := under(t, func() { step(t, command) })
	t.Logf("%d requests answered meanwhile", answered)
	if now := property(t, "rouse.socket", "InvocationID") + property(t, "rouse-http.socket", "InvocationID"); now != sockets {
		t.Error("the sockets were opened anew")
	}
	now := property(t, "rouse.service", "MainPID")
	program, err := os.Readlink("/proc/" + now + "/exe")
	if now == pid || program != "/usr/bin/rouse" {
		t.Errorf("process %s, %s before, is of %s, %v", now, pid, program, err)
	}
	if out := run(t, "rouse", "version"); !strings.Contains(out, next) {
		t.Errorf("rouse version says %s", out)
	}
	text, err := os.ReadFile("/etc/rouse/rouse.env")
	if err != nil || !strings.HasSuffix(string(text), own) {
		t.Errorf("rouse.env was replaced: %v", err)
	}
}

// told checks that Rouse knows of the site, and that its timer's service finds nothing to renew.
func told(t *testing.T) {
	t.Helper()
	before, err := os.ReadFile("/etc/rouse/tls.crt")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := try(t, "systemctl", "start", "rouse-renew.service"); err != nil {
		t.Errorf("%v: %s\n%s", err, out, run(t, "journalctl", "-q", "--no-pager", "-u", "rouse-renew.service"))
	}
	if after, err := os.ReadFile("/etc/rouse/tls.crt"); err != nil || !bytes.Equal(after, before) {
		t.Errorf("a new certificate was renewed: %v", err)
	}
	if out := run(t, "rouse", "status"); !strings.Contains(out, "8443") || !strings.Contains(out, "rouse") {
		t.Errorf("rouse status says %s", out)
	}
}

// closed checks that nothing listens, runs or is enabled any more.
func closed(t *testing.T) {
	t.Helper()
	for _, address := range []string{"127.0.0.1:8443", "[::1]:8443", "127.0.0.1:8080", "[::1]:8080"} {
		if connection, err := net.Dial("tcp", address); err == nil {
			connection.Close()
			t.Errorf("somebody listens on %s", address)
		}
	}
	if out := run(t, "systemctl", "list-units", "--no-legend", "--plain", "--all", "rouse*"); strings.Contains(out, " active ") || strings.Contains(out, "failed") {
		t.Errorf("units are left:\n%s", out)
	}
	if _, err := exec.LookPath("rouse"); err == nil {
		t.Error("the program is there")
	}
}
