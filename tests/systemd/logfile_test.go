package systemd

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// Without this the sandbox would keep people from a log of requests that logrotate can turn over: what comes before
// the signal is in the old file, what comes after it in the new one, and no line is lost.
func TestAccessLogIsRotated(t *testing.T) {
	needsSystemd(t)
	const path, rotated = "/var/log/rouse/access.log", "/var/log/rouse/access.log.1"
	t.Cleanup(func() {
		for _, dir := range []string{"/var/log/rouse", "/var/log/private/rouse"} { // a link where the user is dynamic
			os.RemoveAll(dir)
		}
	})
	shipped(t, "[Service]\nLogsDirectory=rouse\nEnvironment=SERVER_ACCESS_LOG="+path+" SERVER_ACCESS_LOG_FORMAT=combined\n")
	curl(t, httpsURL+"?first")
	waitFor(t, "the first request in "+path, func() bool { return strings.Contains(content(t, path), "/?first") })
	if mode := run(t, "stat", "-c", "%a", path); mode != "600\n" {
		t.Errorf("%s has mode %s", path, mode)
	}
	pid := mainPID(t)

	if err := os.Rename(path, rotated); err != nil {
		t.Fatal(err)
	}
	curl(t, httpsURL+"?second")
	waitFor(t, "the second request still in the old file", func() bool { return strings.Contains(content(t, rotated), "/?second") })
	run(t, "systemctl", "kill", "-s", "USR1", "rouse.service")
	waitFor(t, "a new "+path, func() bool { _, err := os.Stat(path); return err == nil })
	curl(t, httpsURL+"?third")
	waitFor(t, "the third request in "+path, func() bool { return strings.Contains(content(t, path), "/?third") })
	if old, fresh := content(t, rotated), content(t, path); strings.Count(old, "\n") != 2 || !strings.Contains(old, `"GET /?second HTTP/2.0" 200 `) || strings.Count(fresh, "\n") != 1 {
		t.Errorf("the old file:\n%sthe new one:\n%s", old, fresh)
	}
	if now := mainPID(t); now != pid {
		t.Errorf("the process is %d, and was %d", now, pid)
	}
}

// content is what is in a file, nothing where there is none.
func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}
