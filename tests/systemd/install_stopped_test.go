package systemd

import (
	"os"
	"strings"
	"testing"
	"time"
)

// standing is how units stand: "enabled active" and the like. One that never was is " inactive".
func standing(t *testing.T, units ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, unit := range units {
		all[unit] = property(t, unit, "UnitFileState") + " " + property(t, unit, "ActiveState")
	}
	return all
}

// starts is how often a service that runs has been started since then.
func starts(t *testing.T, service string, since time.Time) int {
	t.Helper()
	waitState(t, service, "active")
	run(t, "journalctl", "--sync")
	return strings.Count(run(t, "journalctl", "-q", "--no-pager", "--since", stamp(since), "-u", service, "-o", "cat"), "Started "+service)
}

// Without this an installation that fails would open what an administrator has closed: it is put back as it stood. One that
// succeeds means it to be open.
func TestInstallPutsBackWhatWasStopped(t *testing.T) {
	t.Parallel()
	const https, plain, timer, service = "rouse-stopped.socket", "rouse-stopped-http.socket", "rouse-stopped-renew.timer", "rouse-stopped.service"
	units := []string{https, plain, timer, service, "rouse-stopped-renew.service", "rouse-stopped-admin.socket"}
	site := []string{"--name=stopped", "--listen=https=127.0.0.1:9310", "--listen=http=127.0.0.1:9311", "--keepalive-timeout=5m", folderWith(t, "/srv/stopped", "here\n")}
	again := append([]string{"install"}, site...)
	installs(t, "stopped", site...)
	fails := func(when string) {
		t.Helper()
		before, files := standing(t, units...), look(t, []string{"/etc/rouse/stopped", "/etc/systemd/system"})
		// Nobody can make a folder there: the socket fails when everything else has been opened.
		got := try(t, rousePath, append(again, "--cache-control-headers=false", "--listen=admin=/proc/none/stopped.sock")...)
		if got.code == 0 || !strings.Contains(got.stderr, "everything is as it was") || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("%s: it ends with %d: %s%s", when, got.code, got.stdout, got.stderr)
		}
		for unit, is := range standing(t, units...) {
			if is != before[unit] {
				t.Errorf("%s: %s is %q, and was %q", when, unit, is, before[unit])
			}
		}
		for _, difference := range files.differences(look(t, []string{"/etc/rouse/stopped", "/etc/systemd/system"})) {
			if strings.Contains(difference, "stopped") { // others install theirs meanwhile
				t.Errorf("%s: %s", when, difference)
			}
		}
	}
	client := secure(t, "stopped")
	fails("while it sleeps")
	page(t, client, "https://localhost:9310/")
	fails("while it is awake")
	if got := page(t, client, "https://localhost:9310/"); got != "here\n" {
		t.Errorf("it serves %q", got)
	}
	run(t, "systemctl", "disable", "--now", plain)
	run(t, "systemctl", "stop", timer)
	fails("half stopped")
	if said := rouse(t, again...); !strings.Contains(said, "installed like this already") {
		t.Errorf("the same again: %s", said)
	}
	for unit, is := range standing(t, https, plain, timer) {
		if is != "enabled active" {
			t.Errorf("installed again, %s is %s", unit, is)
		}
	}
	run(t, "systemctl", "disable", "--now", https, plain, timer)
	run(t, "systemctl", "stop", service)
	fails("stopped")
	rouse(t, again...)
	if got := page(t, client, "https://localhost:9310/"); got != "here\n" {
		t.Errorf("it serves %q", got)
	}
}

// Without this people would be thrown out twice, or for nothing.
func TestInstallRestartsOnce(t *testing.T) {
	t.Parallel()
	const service = "rouse-once.service"
	folder := folderWith(t, "/srv/once", "here\n")
	installs(t, "once", "--name=once", "--listen=https=127.0.0.1:9320", "--listen=http=127.0.0.1:9321", folder)
	since, begun := time.Now(), 0
	for _, change := range []struct {
		why     string
		args    []string
		prepare func() error
		more    int // starts, with that of the first client afterwards
	}{
		{"the first client", nil, nil, 1},
		{"another variable", []string{"--cache-control-headers=false"}, nil, 1},
		{"a key that everybody can read", []string{"--cache-control-headers=false"}, func() error { return os.Chmod("/etc/rouse/once/tls.key", 0o644) }, 0},
		{"another service", []string{"--cache-control-headers=false", "--egress"}, nil, 1},
		{"another service and variable", nil, nil, 1},
		{"another certificate", []string{"--host-name=localhost"}, nil, 1},
	} {
		if change.prepare != nil {
			if err := change.prepare(); err != nil {
				t.Fatal(err)
			}
		}
		said := rouse(t, append([]string{"install", "--name=once", "--listen=https=127.0.0.1:9320", "--listen=http=127.0.0.1:9321", folder}, change.args...)...)
		page(t, secure(t, "once"), "https://localhost:9320/")
		if now := starts(t, service, since); now != begun+change.more {
			t.Errorf("%s: started %d times, want %d\n%s", change.why, now-begun, change.more, said)
		}
		begun = starts(t, service, since)
	}
	if info, err := os.Stat("/etc/rouse/once/tls.key"); err != nil || info.Mode() != 0o600 {
		t.Errorf("the key: %v, %v", info, err)
	}
}
