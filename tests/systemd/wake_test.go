package systemd

import (
	"crypto/tls"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Without this nobody is served: the first client starts the service, idleness ends it, the next client starts it again.
func TestFirstClientWakesAndIdlenessEnds(t *testing.T) {
	shipped(t, "[Service]\nEnvironment=SERVER_IDLE_EXIT=1s\n")
	if state := property(t, "rouse.service", "ActiveState"); state != "inactive" {
		t.Fatalf("before the first client the service is %s", state)
	}
	if got := curl(t, "--http2", httpsURL); got != "200 2" {
		t.Fatalf("first client over TLS: %s", got)
	}
	first := mainPID(t)
	inherited(t, first)
	if got := curl(t, "--http1.1", "https://[::1]:8443/"); got != "200 1.1" {
		t.Fatalf("over IPv6: %s", got)
	}
	waitState(t, "rouse.service", "inactive")
	if result := property(t, "rouse.service", "Result"); result != "success" {
		t.Fatalf("the idle exit is a %s", result)
	}
	for _, socket := range []string{"rouse.socket", "rouse-http.socket"} {
		if state := property(t, socket, "ActiveState"); state != "active" {
			t.Fatalf("%s is %s after the idle exit", socket, state)
		}
	}
	if got := curl(t, "--http2", httpsURL); got != "200 2" {
		t.Fatalf("next client: %s", got)
	}
	if next := mainPID(t); next == first {
		t.Fatal("the next client was not served by a new process")
	}
}

// inherited checks that the process serves systemd's own sockets, and has bound none.
func inherited(t *testing.T, pid int) {
	t.Helper()
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(environ), fmt.Sprintf("LISTEN_PID=%d\x00", pid)) {
		t.Fatalf("no LISTEN_PID for %d in %q", pid, environ)
	}
	shared, managers := 0, sockets(t, 1)
	for socket := range sockets(t, pid) {
		if managers[socket] {
			shared++
		}
	}
	if shared < 4 { // two units, IPv4 and IPv6 each
		t.Fatalf("%d sockets are shared with systemd, want 4", shared)
	}
}

func sockets(t *testing.T, pid int) map[string]bool {
	t.Helper()
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, "socket:") {
			found[target] = true
		}
	}
	return found
}

// Without this an open HTTP site would not send its visitors to the secure one.
func TestHTTPSocketRedirects(t *testing.T) {
	shipped(t, "")
	out := run(t, "curl", "-sS", "-m", "20", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", httpURL+"a?b=c")
	if out != "301 https://127.0.0.1:8443/a?b=c" {
		t.Fatal(out)
	}
}

// Without this the plain site could not be had without a certificate.
func TestHTTPSocketAloneNeedsNoCertificate(t *testing.T) {
	needsSystemd(t)
	shipped(t, "", "rouse-http.socket")
	os.Remove("/etc/rouse/tls.crt")
	os.Remove("/etc/rouse/tls.key")
	if got := curl(t, httpURL); got != "200 1.1" {
		t.Fatal(got)
	}
}

// Without this a missing certificate would cost the port, or the clients that came meanwhile.
func TestMissingCertificateIsSaidAndClientsWait(t *testing.T) {
	needsSystemd(t)
	since := time.Now()
	shipped(t, "[Service]\nRestartSec=100ms\n", "rouse.socket")
	os.Remove("/etc/rouse/tls.crt")
	os.Remove("/etc/rouse/tls.key")
	answered := make(chan error, 1)
	go func() { answered <- get(&tls.Config{InsecureSkipVerify: true}) }()
	waitFor(t, "an error line that names the three ways", func() bool {
		for _, l := range journalLines(t, "rouse.service", since) {
			if l.Priority == "3" && strings.Contains(l.Message, "--tls-cert") && strings.Contains(l.Message, "LoadCredential") && strings.Contains(l.Message, "loopback") {
				return true
			}
		}
		return false
	})
	pool := newCertificate(t, "/etc/rouse")
	if err := <-answered; err != nil {
		t.Fatalf("the client that waited: %v", err)
	}
	if err := get(&tls.Config{RootCAs: pool}); err != nil {
		t.Fatal(err)
	}
}

// Without this the manager would not know when Rouse is ready, nor people what it does; nor would a hang be noticed.
func TestNotify(t *testing.T) {
	shipped(t, "[Service]\nWatchdogSec=1s\nRestartSec=100ms\n")
	curl(t, httpsURL)
	if status := property(t, "rouse.service", "StatusText"); !strings.Contains(status, "/var/www/html") || !strings.Contains(status, "https://127.0.0.1:8443") {
		t.Fatalf("status: %q", status)
	}
	run(t, "systemctl", "reload", "rouse.service")
	pid := mainPID(t)
	beaten := time.Now().Add(3 * time.Second)
	for time.Now().Before(beaten) { // thrice the watchdog's limit: beats keep it alive
		if got := curl(t, httpsURL); !strings.HasPrefix(got, "200") {
			t.Fatal(got)
		}
	}
	if now := mainPID(t); now != pid {
		t.Fatalf("the watchdog ended %d although it answered", pid)
	}
	kill(t, pid, syscall.SIGSTOP)
	waitFor(t, "the watchdog ends a process that hangs", func() bool {
		return property(t, "rouse.service", "MainPID") != fmt.Sprint(pid) && property(t, "rouse.service", "NRestarts") != "0"
	})
	if got := curl(t, httpsURL); !strings.HasPrefix(got, "200") {
		t.Fatal(got)
	}
}

// Without this a new certificate would need a restart, or cut off those who are being served.
func TestReloadSwapsTheCertificateUnderAnOpenConnection(t *testing.T) {
	needsSystemd(t)
	dir := "/var/lib/rouse-certificates"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	renew := func() *tls.Config {
		pool := newCertificate(t, dir)
		if err := os.Chmod(dir+"/tls.key", 0o644); err != nil { // the service runs as a user of its own
			t.Fatal(err)
		}
		os.Chmod(dir+"/tls.crt", 0o644)
		return &tls.Config{RootCAs: pool}
	}
	old := renew()
	shipped(t, "[Service]\nEnvironment=SERVER_TLS_CERT="+dir+"/tls.crt SERVER_TLS_KEY="+dir+"/tls.key\n")
	c, err := connect(old)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := ask(c); err != nil {
		t.Fatal(err)
	}
	pid := mainPID(t)
	fresh := renew()
	run(t, "systemctl", "reload", "rouse.service")
	waitFor(t, "new connections get the new certificate", func() bool { return get(fresh) == nil })
	if err := ask(c); err != nil {
		t.Fatalf("the open connection: %v", err)
	}
	if mainPID(t) != pid {
		t.Fatal("the process is another one")
	}
}

// Without this people would wonder why a reload does not bring their new certificate: systemd's credentials stay the same
// until a restart, before version 260.
func TestReloadSaysThatCredentialsStay(t *testing.T) {
	since := time.Now()
	shipped(t, "")
	curl(t, httpsURL)
	newCertificate(t, "/etc/rouse")
	run(t, "systemctl", "reload", "rouse.service")
	waitFor(t, "a line about it", func() bool {
		for _, l := range journalLines(t, "rouse.service", since) {
			if strings.Contains(l.Message, "at a reload only since version 260") {
				return true
			}
		}
		return false
	})
}

// Without this `journalctl -p err` would show everything, or nothing.
func TestJournalLinesHavePriorities(t *testing.T) {
	since := time.Now()
	shipped(t, "")
	curl(t, httpsURL)
	wanted := map[string]string{"serving": "5", "GET": "6"}
	waitFor(t, "the request in the journal", func() bool {
		for _, l := range journalLines(t, "rouse.service", since) {
			word, _, _ := strings.Cut(l.Message, " ")
			if priority, ok := wanted[word]; ok && l.Identifier == "rouse" {
				if l.Priority != priority {
					t.Fatalf("priority %s, want %s: %s", l.Priority, priority, l.Message)
				}
				if delete(wanted, word); len(wanted) == 0 {
					return true
				}
			}
		}
		return false
	})
}

// Without this Rouse would have rights that it does not need.
func TestExposureScore(t *testing.T) {
	shipped(t, "")
	curl(t, httpsURL)
	run(t, "systemd-analyze", "security", "--no-pager", "--threshold=2", "rouse.service")
	run(t, "systemd-analyze", "security", "--no-pager", "--offline=yes", "--threshold=2", "/etc/systemd/system/rouse.service")
	for _, unit := range []string{"rouse.socket", "rouse-http.socket", "rouse.service"} {
		if out := run(t, "systemd-analyze", "verify", "/etc/systemd/system/"+unit); out != "" {
			t.Errorf("%s: %s", unit, out)
		}
	}
}

// Every other way in which systemd hands sockets over works as well.
func TestOtherWaysToPassSockets(t *testing.T) {
	needsSystemd(t)
	const service = "[Service]\nExecStart=/usr/bin/rouse serve --root /var/www/html --idle-exit 1s\n"
	for _, way := range []struct{ name, socket, accept, service string }{
		{"one process per connection", "ListenStream=127.0.0.1:9001", "yes", ""},
		{"one process per connection, as standard input", "ListenStream=127.0.0.1:9001", "yes", "StandardInput=socket\n"},
		{"the listener as standard input", "ListenStream=127.0.0.1:9001", "no", "StandardInput=socket\n"},
		{"a unix socket", "ListenStream=/run/rouse-test.sock", "no", ""},
		{"a unix socket as standard input", "ListenStream=/run/rouse-test.sock", "no", "StandardInput=socket\n"},
		{"unix, one process per connection", "ListenStream=/run/rouse-test.sock", "yes", "StandardInput=socket\n"},
		{"no name, several sockets", "ListenStream=127.0.0.1:9001\nListenStream=/run/rouse-test.sock", "no", ""},
	} {
		t.Run(way.name, func(t *testing.T) {
			unit := "rouse-test.service"
			if way.accept == "yes" {
				unit = "rouse-test@.service"
			}
			unitFile(t, "rouse-test.socket", "[Socket]\n"+way.socket+"\nAccept="+way.accept+"\n")
			unitFile(t, unit, service+way.service)
			run(t, "systemctl", "daemon-reload")
			run(t, "systemctl", "start", "rouse-test.socket")
			defer run(t, "systemctl", "stop", "rouse-test.socket")
			arguments := []string{"http://127.0.0.1:9001/"}
			if strings.Contains(way.socket, "/run/") {
				arguments = []string{"--unix-socket", "/run/rouse-test.sock", "http://localhost/"}
			}
			for range 3 {
				if got := curl(t, arguments...); got != "200 1.1" {
					t.Error(got)
				}
			}
			defer func() {
				if t.Failed() { // what is still there
					left, _ := exec.Command("systemctl", "status", "--no-pager", "rouse-test*").CombinedOutput()
					t.Logf("%s", left)
				}
			}()
			waitFor(t, "all processes have ended", func() bool {
				return run(t, "systemctl", "list-units", "--no-legend", "--state=active,activating,deactivating", "rouse-test*.service") == ""
			})
			if failed := run(t, "systemctl", "list-units", "--no-legend", "--state=failed", "rouse-test*"); failed != "" {
				t.Errorf("failed: %s\n%s", failed, run(t, "journalctl", "-q", "-n", "20", "--no-pager"))
			}
		})
	}
}
