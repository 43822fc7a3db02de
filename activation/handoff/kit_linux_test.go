package handoff

import (
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// becomeNobody makes the thread of the test somebody without rights to files. Linux keeps the user id for file access per
// thread, and takes the capabilities for it away with it (setfsuid(2), capabilities(7)).
func becomeNobody(t testing.TB) {
	t.Helper()
	runtime.LockOSThread()
	if _, err := unix.SetfsuidRetUid(65534); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unix.SetfsuidRetUid(0)
		runtime.UnlockOSThread()
	})
}

// giveUpResources takes from the thread of the test the capabilities that free it from limits (capabilities(7)), and makes it
// a user of whom nothing else runs here: what is limited is counted by user.
func giveUpResources(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	runtime.LockOSThread()
	setRealUser(t, 54321)
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var before, without [2]unix.CapUserData
	if err := unix.Capget(&header, &before[0]); err != nil {
		t.Fatal(err)
	}
	without = before
	without[0].Effective &^= 1<<unix.CAP_SYS_RESOURCE | 1<<unix.CAP_SYS_ADMIN
	if err := unix.Capset(&header, &without[0]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Capset(&header, &before[0]); err != nil {
			t.Error(err)
		}
		setRealUser(t, 0)
		runtime.UnlockOSThread()
	})
}

// setRealUser does so for the thread alone, and keeps its rights.
func setRealUser(t testing.TB, uid uintptr) {
	t.Helper()
	if _, _, err := unix.RawSyscall(unix.SYS_SETRESUID, uid, 0, 0); err != 0 {
		t.Fatal(err)
	}
}

// claim is control data that say who sends (unix(7), SCM_CREDENTIALS).
func claim(t testing.TB, uid uint32) []byte {
	t.Helper()
	return unix.UnixCredentials(&unix.Ucred{Pid: int32(os.Getpid()), Uid: uid, Gid: uid})
}
