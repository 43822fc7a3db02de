package run

import (
	"os"
	"os/exec"
	"testing"
)

// privileges is a command that starts a program with other privileges.
func privileges(t testing.TB, options ...string) []string {
	t.Helper()
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip("no setpriv: it comes with util-linux")
	}
	return append([]string{"setpriv"}, options...)
}

// needsRoot skips a test that only root can set up.
func needsRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("this takes root")
	}
}
