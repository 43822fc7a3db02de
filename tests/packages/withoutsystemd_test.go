package packages

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// On a machine that runs no systemd, such as the root of an image that is being made, the package is installed and removed
// all the same, and the sockets are enabled for the day when there is one. Nor does it matter that no certificate can be made.
func TestDebWithoutSystemd(t *testing.T) {
	needsSystemd(t) // so that dpkg has a machine of its own
	broken := t.TempDir()
	if err := os.WriteFile(filepath.Join(broken, "rouse"), []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	before := emptyMachine(t)
	without := func(script string) string {
		return run(t, "unshare", "--mount", "sh", "-ec", "mount -t tmpfs tmpfs /run; PATH="+broken+":$PATH; "+script)
	}
	if out := without("dpkg --install " + deb("first", version)); !strings.Contains(out, "there is no certificate") {
		t.Errorf("nothing is told of a certificate that cannot be made:\n%s", out)
	}
	for _, link := range []string{"sockets.target.wants/rouse.socket", "sockets.target.wants/rouse-http.socket", "timers.target.wants/rouse-renew.timer"} {
		if _, err := os.Stat("/etc/systemd/system/" + link); err != nil {
			t.Error(err)
		}
	}
	without("dpkg --purge rouse")
	before.same(t)
	if state := property(t, "rouse.socket", "ActiveState"); state != "inactive" {
		t.Errorf("rouse.socket is %s", state)
	}
}
