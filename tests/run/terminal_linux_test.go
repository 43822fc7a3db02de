package run

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/tests/program"
)

// atTerminal starts rouse run at a terminal of its own, as a shell does.
func (s *service) atTerminal(options string, command ...string) (*program.Process, *os.File) {
	s.t.Helper()
	if _, err := exec.LookPath("setsid"); err != nil {
		s.t.Skip("no setsid: it comes with util-linux")
	}
	master, slave := openTerminal(s.t)
	arguments := append(append([]string{"run", "--listen=fd:3"}, strings.Fields(options)...), "--")
	p := program.Start(s.t, program.Run{
		Args: append(arguments, command...), Binary: binary(s.t),
		Through: []string{"setsid", "--ctty", "--wait"}, Stdin: slave, Files: s.files,
	})
	slave.Close()
	s.t.Cleanup(func() { // in a session of their own they would outlive a test that failed
		for _, pid := range descendants(s.t, p.Pid) {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return p, master
}

// openTerminal opens both ends of a pseudo-terminal (pts(4)).
func openTerminal(t testing.TB) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal: %v", err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skipf("no terminal: %v", err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skipf("no terminal: %v", err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminal: %v", err)
	}
	return master, slave
}

// Without this a program that one tries at a terminal could not be typed to, and Ctrl-C would take its time or leave it behind.
func TestAtTerminal(t *testing.T) {
	t.Parallel()
	for _, mode := range modes(t) {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			p, keys := s.atTerminal("--lazy=false --mode="+mode, "sh", "-c", `read word; echo "read $word"; exec "$0" "$@"`, child(t), "-tcp", s.other)
			fmt.Fprintln(keys, "sesame")
			p.Stdout.WaitFor("read sesame", limit)
			pid := s.pid()
			begun := time.Now()
			fmt.Fprint(keys, "\x03")
			p.Wait(limit)
			if took := time.Since(begun); took > 2*time.Second {
				t.Errorf("Ctrl-C took %v", took)
			}
			gone(t, pid)
			if n := count(p.Stdout.String(), "signal interrupt"); n != 1 {
				t.Errorf("interrupted %d times: %q", n, p.Stdout.String())
			}
		})
	}
	t.Run("woken", func(t *testing.T) {
		t.Parallel()
		s := newService(t)
		p, keys := s.atTerminal("--lazy", child(t), "-tcp", s.other)
		pid := s.pid()
		fmt.Fprint(keys, "\x03")
		p.Wait(5 * time.Second)
		gone(t, pid)
	})
	t.Run("closed", func(t *testing.T) {
		t.Parallel()
		s := newService(t)
		p, keys := s.atTerminal("", child(t), "-tcp", s.other)
		pid := s.pid()
		rouse := descendants(t, p.Pid)[0]
		keys.Close()
		gone(t, rouse)
		gone(t, pid)
	})
	t.Run("asleep", func(t *testing.T) {
		t.Parallel()
		s := newService(t)
		p, keys := s.atTerminal("--lazy", child(t), "-tcp", s.other)
		time.Sleep(300 * time.Millisecond)
		fmt.Fprint(keys, "\x03")
		exit(t, p, 0)
	})
}
