package systemd

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// cutOff runs the program, and sends it a signal as soon as something holds.
func cutOff(t *testing.T, signal syscall.Signal, when func() bool, args ...string) outcome {
	t.Helper()
	cmd := exec.Command(rousePath, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	limit := time.After(patience)
	for {
		select {
		case err := <-ended: // before it could be cut off
			if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
				t.Fatal(err)
			}
			return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
		case <-limit:
			cmd.Process.Kill()
			t.Fatalf("rouse %q does not end after %v\n%s", args, signal, stderr.String())
		default:
		}
		if when != nil && when() {
			cmd.Process.Signal(signal)
			when = nil
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// step is something that can be seen of an installation, or a time after its beginning.
type step struct {
	name, path string
	after      time.Duration
}

// reached begins to watch for it: for the path to be there, or not to be there any more.
func (s step) reached(there bool) func() bool {
	begun := time.Now()
	return func() bool {
		if s.path == "" {
			return time.Since(begun) > s.after
		}
		_, err := os.Lstat(s.path)
		return (err == nil) == there
	}
}

// steps are those of a site, in their order: in a long run all of them and many times, else those where it is half done.
func steps(name string) []step {
	const units = "/etc/systemd/system/"
	all := []step{
		{name: "the folder", path: "/etc/rouse/" + name}, {name: "the record", path: "/etc/rouse/" + name + "/installed.json"},
		{name: "the variables", path: "/etc/rouse/" + name + "/rouse.env"}, {name: "the key", path: "/etc/rouse/" + name + "/tls.key"},
		{name: "the service", path: units + "rouse-" + name + ".service"}, {name: "the last unit", path: units + "rouse-" + name + "-renew.timer"},
		{name: "enabled", path: units + "sockets.target.wants/rouse-" + name + ".socket"},
		{name: "the timer runs", path: "/var/lib/systemd/timers/stamp-rouse-" + name + "-renew.timer"},
	}
	if !isLong() {
		return []step{all[1], all[4], all[6]}
	}
	for range 30 {
		after := rand.N(800 * time.Millisecond) // longer than it takes
		all = append(all, step{name: after.String(), after: after})
	}
	return all
}

// Without this Ctrl-C would leave half a site, of which nobody knows: an installation that is told to end puts everything back,
// or is complete.
func TestInstallTerminated(t *testing.T) {
	t.Parallel()
	needsSystemd(t)
	site := []string{"install", "--name=stopped", "--listen=https=127.0.0.1:9160", folderWith(t, "/srv/stopped", "stopped\n")}
	t.Cleanup(func() { uninstalls(t, "stopped") })
	for _, step := range steps("stopped") {
		switch got := cutOff(t, syscall.SIGTERM, step.reached(true), site...); {
		case got.code == 0:
			if state := statusOf(t, "stopped").State; state != "asleep" {
				t.Errorf("ended at %q, it says that it is installed, and the site is %s", step.name, state)
			}
			uninstalls(t, "stopped")
		case got.code == 1 && strings.Count(got.stderr, "\n") == 1, got.code == -1 && step.path == "": // before it listens to signals
			noTraces(t, "stopped")
		default:
			t.Errorf("ended at %q: %+v", step.name, got)
		}
	}
}

// Without this a power cut or the kernel's killer would: what is left is known, and uninstall removes it, or install completes it.
func TestInstallKilled(t *testing.T) {
	t.Parallel()
	needsSystemd(t)
	site := []string{"install", "--name=killed", "--listen=https=127.0.0.1:9161", folderWith(t, "/srv/killed", "killed\n")}
	t.Cleanup(func() { uninstalls(t, "killed") })
	for i, step := range steps("killed") {
		thens := []string{"uninstall", "install"}
		if !isLong() {
			thens = thens[i%2 : i%2+1]
		}
		for _, then := range thens {
			cutOff(t, syscall.SIGKILL, step.reached(true), site...)
			half := strings.Contains(content(t, "/etc/rouse/killed/installed.json"), `"installing"`)
			if got := try(t, rousePath, "status"); got.code != 0 || got.stderr != "" || half && !strings.Contains(got.stdout, "half installed") {
				t.Errorf("killed at %q, status: %+v", step.name, got)
			}
			if then == "install" {
				if got := try(t, rousePath, site...); got.code != 0 {
					t.Errorf("killed at %q, installed again: %+v", step.name, got)
					continue
				}
				if got := page(t, secure(t, "killed"), "https://127.0.0.1:9161/"); got != "killed\n" {
					t.Errorf("killed at %q, installed again: %q", step.name, got)
				}
			}
			if got := try(t, rousePath, "uninstall", "killed"); got.code != 0 && (got.code != 2 || then == "install") {
				t.Errorf("killed at %q, uninstall: %+v", step.name, got)
			}
			noTraces(t, "killed")
			if t.Failed() {
				t.Fatalf("killed at %q, then %s", step.name, then)
			}
		}
	}
}

// The same goes for an uninstall that is cut off: the next one completes it.
func TestUninstallKilled(t *testing.T) {
	t.Parallel()
	needsSystemd(t)
	site := []string{"install", "--name=leaving", "--listen=https=127.0.0.1:9162", folderWith(t, "/srv/leaving", "leaving\n")}
	t.Cleanup(func() { uninstalls(t, "leaving") })
	for i, step := range steps("leaving") {
		signals := []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM}
		if !isLong() {
			signals = signals[i%2 : i%2+1]
		}
		for _, signal := range signals {
			rouse(t, site...)
			cutOff(t, signal, step.reached(false), "uninstall", "leaving")
			if got := try(t, rousePath, "uninstall", "leaving"); got.code != 0 && got.code != 2 {
				t.Errorf("ended by %v at %q, and again: %+v", signal, step.name, got)
			}
			noTraces(t, "leaving")
		}
	}
}

// A change of a site that is cut off is made or not made, and what is asked for next is complete.
func TestInstallChangeCutOff(t *testing.T) {
	t.Parallel()
	needsSystemd(t)
	site := func(port, folder string) []string {
		return []string{"install", "--name=changing", "--listen=https=127.0.0.1:" + port, folderWith(t, "/srv/"+folder, folder+"\n")}
	}
	first, second := site("9163", "changing-first"), site("9164", "changing-second")
	installs(t, "changing", first[1:]...)
	client := secure(t, "changing")
	paths := []string{"/etc/systemd/system/rouse-changing.socket", "/etc/rouse/changing/rouse.env", "/etc/rouse/changing/installed.json"}
	if !isLong() {
		paths = paths[:1]
	}
	for i, path := range paths {
		if i > 0 {
			rouse(t, first...)
		}
		was := content(t, path)
		changed := func() bool { return content(t, path) != was }
		switch got := cutOff(t, syscall.SIGTERM, changed, second...); got.code {
		case 0:
			rouse(t, first...)
		case 1:
			if now := page(t, client, "https://127.0.0.1:9163/"); now != "changing-first\n" {
				t.Errorf("ended at %s, it serves %q", path, now)
			}
			if said := rouse(t, first...); !strings.Contains(said, "is installed like this already") {
				t.Errorf("ended at %s, things had been changed: %s", path, said)
			}
		default:
			t.Errorf("ended at %s: %+v", path, got)
		}
		cutOff(t, syscall.SIGKILL, changed, second...)
		rouse(t, second...)
		if now := page(t, client, "https://127.0.0.1:9164/"); now != "changing-second\n" {
			t.Errorf("killed at %s, and installed again, it serves %q", path, now)
		}
	}
}
