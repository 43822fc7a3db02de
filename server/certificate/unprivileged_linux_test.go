package certificate

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// unprivileged runs f with the file rights of an ordinary user, also when root runs the tests: Linux keeps the user id
// for file access per thread, and takes CAP_DAC_OVERRIDE away with it (setfsuid(2), capabilities(7)).
func unprivileged(t *testing.T, f func()) {
	if os.Geteuid() != 0 {
		f()
		return
	}
	const nobody = 65534
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if _, err := unix.SetfsuidRetUid(nobody); err != nil {
		t.Fatal(err)
	}
	defer unix.SetfsuidRetUid(0)
	// The call does not say whether it worked; setting an impossible id returns the one in force.
	if now, _ := unix.SetfsuidRetUid(-1); now != nobody {
		t.Skipf("root cannot act as uid %d here", nobody)
	}
	f()
}
