package systemd

import (
	"os"
	"syscall"
	"testing"
)

// Without this one of the ways in which a server comes to an end and back would lose requests unseen: what is lost is counted for
// each of them, with clients that never try again. Only a kill may lose what was in the process's hands.
func TestNothingIsLostByAnyEvent(t *testing.T) {
	pool := shipped(t, "[Service]\nRestartSec=100ms\n")
	curl(t, httpsURL)
	times, between := 2, int64(100)
	if os.Getenv("ROUSE_LONG") == "systemd" {
		times, between = 20, 2500 // 200,000 requests in all
	}
	restart := func() { run(t, "systemctl", "restart", "rouse.service") }
	for _, event := range []struct {
		name   string
		happen func()
		most   int // that one may lose
	}{
		{"restart", restart, 0},
		{"reload", func() { run(t, "systemctl", "reload", "rouse.service") }, 0},
		{"upgrade", func() {
			if err := copyFile("/usr/bin/rouse", "/usr/bin/rouse.new", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename("/usr/bin/rouse.new", "/usr/bin/rouse"); err != nil {
				t.Fatal(err)
			}
			restart()
		}, 0},
		{"kill", func() {
			pid := mainPID(t)
			kill(t, pid, syscall.SIGKILL)
			waitFor(t, "a new process", func() bool { next := mainPID(t); return next != 0 && next != pid })
		}, clients},
	} {
		l := crowd(t, pool)
		for range times {
			l.Await(t, between, patience)
			event.happen()
		}
		l.Await(t, between, patience)
		answered, lost := l.End()
		if len(lost) > times*event.most {
			t.Errorf("%s: %d of %d requests were lost; the first: %v", event.name, len(lost), answered, lost[0])
		}
		t.Logf("%-8s %d times: %d requests answered, %d lost (at most %d may be)", event.name, times, answered, len(lost), times*event.most)
	}
}
