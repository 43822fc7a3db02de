package badinput

import (
	"os"
	"os/exec"
	"testing"
)

// withoutCapabilities is a command that starts a program without root's rights to read every file and bind every port. An
// ordinary user needs none.
func withoutCapabilities(t *testing.T) []string {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip("as root this needs setpriv, of util-linux")
	}
	return []string{"setpriv", "--bounding-set=-all", "--inh-caps=-all"}
}
