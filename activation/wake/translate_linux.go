package wake

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform/seccomp"
)

// ownTable gives the calling thread descriptors of its own, so that those of the other threads stay as they are until they
// end in execve(2). Containers may refuse it.
func ownTable() error { return unix.Unshare(unix.CLONE_FILES) }

// giveUpPrivileges sets no_new_privs on the calling thread, which the program keeps.
func giveUpPrivileges(p seccomp.Privileges) error {
	if p != seccomp.None {
		return nil
	}
	return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}

// wasPassed tells whether a variable was in the environment that this process was started with (proc(5)).
func wasPassed(variable string) bool {
	environment, err := os.ReadFile("/proc/self/environ")
	return err == nil && strings.Contains("\x00"+string(environment), "\x00"+variable+"=")
}

// duplicate is dup2(2), which arm64 does not have.
func duplicate(from, to int) error { return unix.Dup3(from, to, 0) }
