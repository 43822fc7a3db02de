package inetd

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/tests/program"
)

// pidfdVariable makes the test binary set LISTEN_PID and LISTEN_PIDFDID to its own, add the variable's value to the
// latter, and become the command in its arguments: exec keeps both, a fork would not (sd_listen_fds(3)).
const pidfdVariable = "ROUSE_TEST_PIDFDID_PLUS"

func TestMain(m *testing.M) {
	if plus := os.Getenv(pidfdVariable); plus != "" {
		fmt.Fprintln(os.Stderr, becomePassed(plus, os.Args[1:]))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func becomePassed(plus string, command []string) error {
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	var more uint64
	fmt.Sscan(plus, &more)
	os.Setenv("LISTEN_PID", fmt.Sprint(os.Getpid()))
	os.Setenv("LISTEN_PIDFDID", fmt.Sprint(st.Ino+more))
	os.Unsetenv(pidfdVariable)
	return syscall.Exec(command[0], command, os.Environ())
}

// The number of a process that ended is given to another one: with the first one's variables it would take sockets that
// were not meant for it, and with its own, from systemd 259 on, none.
func TestListenPIDFDID(t *testing.T) {
	t.Parallel()
	needPidfs(t)
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	run := program.Run{Through: []string{binary}}
	t.Run("own", func(t *testing.T) {
		file, svc := systemfdListener(t)
		run.Args, run.Files = []string{"serve", "--root=" + site(t)}, []*os.File{file}
		run.Env = []string{"LISTEN_FDS=1", pidfdVariable + "=0"}
		p := program.Start(t, run)
		askAll(t, []service{svc})
		has(t, p.Stderr, svc.address+" from systemd:unknown (descriptor 3)")
	})
	t.Run("another's", func(t *testing.T) {
		file, _ := systemfdListener(t)
		run.Args, run.Files = ownSocket(t), []*os.File{file}
		run.Env = []string{"LISTEN_FDS=1", pidfdVariable + "=1"}
		p := program.Start(t, run)
		askOwn(t, p.Stderr)
		has(t, p.Stderr, "LISTEN_FDS is set, but not for this process", "LISTEN_PIDFDID=")
	})
}

// needPidfs skips the test where the inode number of a pidfd identifies nothing.
func needPidfs(t testing.TB) {
	t.Helper()
	fd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		t.Skipf("no pidfd_open(2) here: %v", err)
	}
	defer unix.Close(fd)
	var fs unix.Statfs_t
	const pidfs = 0x50494446 // PID_FS_MAGIC of linux/magic.h
	if err := unix.Fstatfs(fd, &fs); err != nil || fs.Type != pidfs {
		t.Skip("the kernel has no pidfs (it came with Linux 6.9)")
	}
}
