package systemd

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// What `rouse install` promises: one command, and there is an https site that sleeps until someone knocks; one more, and the
// machine is as before.
func TestInstall(t *testing.T) {
	before := settledMachine(t)
	since := time.Now()
	said := installs(t, "site", "--idle-exit=1s")
	leaf, pool := madeCertificate(t, "site")
	tellsAll(t, said, leaf)
	filesOf(t, "site", "rouse-site.socket", "rouse-site-http.socket", "rouse-site.service", "rouse-site-renew.service", "rouse-site-renew.timer")
	asleep := statusOf(t, "site")
	if asleep.State != "asleep" || !asleep.LastKnock.IsZero() || asleep.PID != 0 || asleep.Trouble != "" {
		t.Errorf("before the first client: %+v", asleep)
	}
	if text := rouse(t, "status"); !strings.Contains(text, "asleep") || !strings.Contains(text, "https://localhost:8443/") {
		t.Errorf("status: %s", text)
	}
	for unit, state := range map[string]string{"rouse-site.socket": "active", "rouse-site-http.socket": "active", "rouse-site-renew.timer": "active",
		"rouse-site.service": "inactive", "rouse-site-renew.service": "inactive"} {
		if is := property(t, unit, "ActiveState"); is != state {
			t.Errorf("%s is %s", unit, is)
		}
		if is := property(t, unit, "UnitFileState"); state == "active" && is != "enabled" {
			t.Errorf("%s is %s: it does not come back at the next boot", unit, is)
		}
	}
	awakes(t, program.Client(t, pool))
	waitState(t, "rouse-site.service", "inactive")
	if again := statusOf(t, "site"); again.State != "asleep" || again.LastKnock.Before(since.Add(-time.Second)) {
		t.Errorf("after the idle exit: %+v", again)
	}
	page(t, program.Client(t, pool).HTTP2, httpsURL)
	rouse(t, "uninstall", "site") // while it is awake
	noTraces(t, "site")
	sameMachine(t, before)
	if got := try(t, rousePath, "status", "site"); got.code != 2 || !strings.Contains(got.stderr, "there is no site site") {
		t.Errorf("status of what is gone: %+v", got)
	}
}

// tellsAll checks that an installation says what people need to go on.
func tellsAll(t *testing.T, said string, leaf *x509.Certificate) {
	t.Helper()
	for _, part := range []string{"/etc/systemd/system/rouse-site.socket", "/etc/systemd/system/rouse-site-http.socket",
		"/etc/systemd/system/rouse-site.service", "/etc/rouse/site/rouse.env", "/etc/rouse/site/tls.crt", "/etc/rouse/site/tls.key",
		"https://localhost:8443/", "http://localhost:8080/", "journalctl -u rouse-site.service", "rouse uninstall site",
		leaf.NotAfter.Format(time.DateOnly), fingerprint(leaf)} {
		if !strings.Contains(said, part) {
			t.Errorf("install does not say %q:\n%s", part, said)
		}
	}
}

// fingerprint is a certificate's, as browsers show it.
func fingerprint(leaf *x509.Certificate) string {
	return strings.ReplaceAll(fmt.Sprintf("% X", sha256.Sum256(leaf.Raw)), " ", ":")
}

// filesOf checks modes, owners and first lines of a site's files.
func filesOf(t *testing.T, name string, units ...string) {
	t.Helper()
	modes := map[string]string{"tls.crt": "-rw------- 0:0", "tls.key": "-rw------- 0:0", "rouse.env": "-rw-r--r-- 0:0", "installed.json": "-rw-r--r-- 0:0"}
	found := look(t, []string{"/etc/rouse/" + name, "/etc/systemd/system"})
	for file, mode := range modes {
		if is := found["/etc/rouse/"+name+"/"+file]; !strings.HasPrefix(is, mode) {
			t.Errorf("%s is %q, want %s", file, is, mode)
		}
	}
	for _, unit := range units {
		path := "/etc/systemd/system/" + unit
		if is := found[path]; !strings.HasPrefix(is, "-rw-r--r-- 0:0") {
			t.Errorf("%s is %q", path, is)
		}
		if head := "# Written by rouse install (site " + name + "); rouse uninstall " + name + " removes it.\n"; !strings.HasPrefix(content(t, path), head) {
			t.Errorf("%s does not begin with %q", path, head)
		}
		if out := run(t, "systemd-analyze", "verify", path); out != "" {
			t.Errorf("%s: %s", unit, out)
		}
	}
}

// awakes is the first client, over TLS, and those who come by another way.
func awakes(t *testing.T, clients program.Clients) {
	t.Helper()
	defer clients.HTTP1.CloseIdleConnections() // a connection keeps it awake
	machine, _ := os.Hostname()
	for _, url := range []string{"https://localhost:8443/", httpsURL, "https://[::1]:8443/"} {
		if got := page(t, clients.HTTP2, url); got != "<h1>Rouse</h1>\n" {
			t.Errorf("%s: %q", url, got)
		}
	}
	if leaf, _ := madeCertificate(t, "site"); !slices.Contains(leaf.DNSNames, strings.ToLower(machine)) {
		t.Errorf("the certificate is for %q, and the machine's name is %q", leaf.DNSNames, machine)
	}
	reply, err := clients.HTTP1.Get("http://localhost:8080/a?b=c")
	if err != nil {
		t.Fatal(err)
	}
	reply.Body.Close()
	if to := reply.Header.Get("Location"); reply.StatusCode != http.StatusMovedPermanently || to != "https://localhost:8443/a?b=c" {
		t.Errorf("the http socket: %s to %q", reply.Status, to)
	}
	awake := statusOf(t, "site")
	if awake.State != "awake" || fmt.Sprint(awake.PID) != property(t, "rouse-site.service", "MainPID") || time.Since(awake.LastKnock) > patience {
		t.Errorf("while it runs: %+v", awake)
	}
	if text := rouse(t, "status", "site"); !strings.Contains(text, "awake since ") {
		t.Errorf("status: %s", text)
	}
	want := []string{"127.0.0.1:8080", "127.0.0.1:8443", "[::1]:8080", "[::1]:8443"}
	if is := slices.Sorted(slices.Values(awake.Listen)); !slices.Equal(is, want) {
		t.Errorf("it listens on %q", is)
	}
}
