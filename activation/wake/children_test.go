package wake

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// newFamily is for one test, which is not parallel: two would take each other's processes.
func newFamily(t *testing.T) *children {
	family := newChildren()
	t.Cleanup(func() { family.close(time.Second) })
	return family
}

func (c *children) shell(t *testing.T, script string) *child {
	t.Helper()
	one, err := c.start("/bin/sh", []string{"sh", "-c", script}, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setpgid: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.signal(one, syscall.SIGKILL)
		await(t, one.ended, "the end of the shell")
	})
	return one
}

func await(t *testing.T, happened <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-happened:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s did not come", what)
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !holds(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: it never came to that", what)
		}
	}
}

func TestStatusIsKnownHoweverEarlyTheEnd(t *testing.T) {
	family := newFamily(t)
	for range 50 {
		one := family.shell(t, "exit 7")
		await(t, one.ended, "the end")
		if got := one.status.ExitStatus(); got != 7 {
			t.Fatalf("status %d, want 7", got)
		}
	}
}

func TestStatusTellsTheSignal(t *testing.T) {
	family := newFamily(t)
	one := family.shell(t, "kill -USR1 $$")
	await(t, one.ended, "the end")
	if !one.status.Signaled() || one.status.Signal() != syscall.SIGUSR1 {
		t.Errorf("status %v, want SIGUSR1", one.status)
	}
}

func TestNoSignalToEndedProcess(t *testing.T) {
	family := newFamily(t)
	one := family.shell(t, ":")
	await(t, one.ended, "the end")
	if family.signal(one, 0) {
		t.Error("a process that was reaped got a signal")
	}
}

func TestChangeTellsOfEveryEnd(t *testing.T) {
	family := newFamily(t)
	change := family.change()
	family.shell(t, ":")
	await(t, change, "the change")
}

func TestFailedStartLeavesNothing(t *testing.T) {
	family := newFamily(t)
	if _, err := family.start("/nowhere/program", []string{"program"}, &syscall.ProcAttr{}); err != syscall.ENOENT {
		t.Errorf("%v, want ENOENT", err)
	}
}

func TestStoppedChildIsNotEnded(t *testing.T) {
	family := newFamily(t)
	one := family.shell(t, "kill -STOP $$; exit 3")
	select {
	case s := <-family.stopped:
		if s != syscall.SIGSTOP {
			t.Errorf("stopped by %v", s)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the stop was not seen")
	}
	if over(one.ended) {
		t.Error("a stopped process counts as ended")
	}
	family.signal(one, syscall.SIGCONT)
	await(t, one.ended, "the end")
	if one.status.ExitStatus() != 3 {
		t.Errorf("status %v", one.status)
	}
}

func exists(pid int) bool { return syscall.Kill(pid, 0) != syscall.ESRCH }

func readPid(t *testing.T, path string) (pid int) {
	t.Helper()
	eventually(t, "a number in "+path, func() bool {
		text, _ := os.ReadFile(path)
		pid = 0
		for _, digit := range text {
			if digit == '\n' {
				return pid > 0
			}
			pid = pid*10 + int(digit-'0')
		}
		return false
	})
	return pid
}
