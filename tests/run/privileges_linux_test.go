package run

import (
	"os"
	"runtime"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/tests/program"
)

// binary is rouse where every user may execute it.
func binary(t testing.TB) string {
	t.Helper()
	path := program.Binary(t) // which names it in ROUSE_BINARY
	if os.Getuid() != 0 {
		return path
	}
	return must(t)(copyRouse())
}

// users are those as whom rouse is started: the one who runs the tests, and, where that is root, one who may nothing and
// can gain no rights.
func users(t *testing.T, test func(t *testing.T, through []string)) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Run("user", func(t *testing.T) { t.Parallel(); test(t, nil) })
		return
	}
	t.Run("root", func(t *testing.T) { t.Parallel(); test(t, nil) })
	t.Run("nobody", func(t *testing.T) {
		t.Parallel()
		test(t, privileges(t, "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs"))
	})
}

// needsListener skips a test of listener mode where the kernel does not let rouse have it.
func needsListener(t testing.TB) {
	t.Helper()
	reason := noListener()
	if reason != "" {
		t.Skip("no listener mode here: " + reason)
	}
}

// noListener tells why the kernel has no seccomp_unotify(2) for this process, or nothing when it has.
var noListener = sync.OnceValue(func() string {
	answer := make(chan string)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with its filter
		allow := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW}}
		program := unix.SockFprog{Len: 1, Filter: &allow[0]}
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			answer <- "no_new_privs: " + err.Error()
			return
		}
		const flags = unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
		fd, _, errno := unix.RawSyscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&program)))
		if errno != 0 {
			answer <- "seccomp: " + errno.Error()
			return
		}
		unix.Close(int(fd))
		answer <- ""
	}()
	return <-answer
})
