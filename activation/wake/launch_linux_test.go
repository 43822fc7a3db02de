package wake

import (
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func TestProgramEndsWithUs(t *testing.T) {
	file := t.TempDir() + "/pid"
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread() // the thread that forked must live on
	defer runtime.UnlockOSThread()
	c := Config{
		Command: []string{self, "-test.run=^TestProgramOfADyingProcess$"}, Path: self, Stderr: &buffer{}, StopSignal: syscall.SIGTERM,
		Env: append(os.Environ(), "WAKE_TEST_DYING="+file),
	}
	one := launched(t, c)
	program := readPid(t, file)
	syscall.Kill(one.main.pid, syscall.SIGKILL)
	await(t, one.main.ended, "the end of the parent")
	eventually(t, "the program gets its stop signal", func() bool { return !exists(program) })
}

func TestStandardErrorBlocksAsProgramsExpect(t *testing.T) {
	c := shell("grep flags /proc/self/fdinfo/2 >&2")
	one := launched(t, c)
	await(t, one.errors.ended, "the end of standard error")
	const nonblock = 0o4000
	var flags int
	for _, digit := range strings.Fields(c.Stderr.(*buffer).String())[1] {
		flags = flags*8 + int(digit-'0')
	}
	if flags&nonblock != 0 {
		t.Errorf("flags %o", flags)
	}
}

func TestDescriptorsThatTheProgramGets(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/ours")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := shell("ls -l /proc/self/fd >&2")
	one := launched(t, c)
	await(t, one.errors.ended, "the end of standard error")
	if got := c.Stderr.(*buffer).String(); strings.Contains(got, f.Name()) {
		t.Errorf("the program has a file of ours:\n%s", got)
	}
}
