// Package program starts the rouse binary for tests, as a service manager or a person at a terminal would: with exactly
// the arguments, environment and descriptors that the test names, an end that is bounded in time, and its output kept.
package program

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// killAfter is how long Stop waits between SIGTERM and SIGKILL. Rouse's own drain takes at most 10 s.
const killAfter = 15 * time.Second

// Run says how to start a program. The zero value is `rouse` without arguments in an empty folder.
type Run struct {
	Binary  string   // another program than rouse
	Through []string // a command that starts the program: its words, before the program's own (env -i, systemd-socket-activate …)
	Args    []string
	Env     []string // "NAME=value", beside PATH and HOME, which is an empty folder
	Dir     string   // working folder; a temporary one when empty

	Files  []*os.File // inherited as descriptors 3, 4 …
	Listen bool       // sets LISTEN_PID, LISTEN_FDS to the number of Files, and LISTEN_FDNAMES when there are Names
	Names  []string

	Stdin  *os.File // /dev/null when nil
	Stdout *os.File // kept in Process.Stdout when nil
	Stderr *os.File // kept in Process.Stderr when nil
}

// Process is a started program. Its methods are for the goroutine of the test that started it.
type Process struct {
	Pid    int
	Stdout *Output
	Stderr *Output

	t     testing.TB
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has been waited for; cmd.ProcessState may be read then
}

// Start starts the program and fails the test when that cannot be done. At the end of the test the program and what it
// left in its process group is killed, if it still runs, and its output is shown if the test failed.
func Start(t testing.TB, run Run) *Process {
	t.Helper()
	if run.Binary == "" {
		run.Binary = Binary(t)
	}
	if run.Dir == "" {
		run.Dir = t.TempDir()
	}
	ended := make(chan struct{})
	p := &Process{Stdout: newOutput(t, ended), Stderr: newOutput(t, ended), t: t, ended: ended}
	p.cmd = run.command(t.TempDir())
	if run.Stdout == nil {
		p.cmd.Stdout = p.Stdout
	}
	if run.Stderr == nil {
		p.cmd.Stderr = p.Stderr
	}
	if err := p.start(); err != nil {
		t.Fatalf("start %s: %v", strings.Join(p.cmd.Args, " "), err)
	}
	t.Cleanup(p.cleanup)
	return p
}

// command returns the command for run, with home as HOME.
func (run Run) command(home string) *exec.Cmd {
	args := append(append([]string{}, run.Through...), run.Binary)
	args = append(args, run.Args...)
	env := append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + home}, run.Env...)
	if run.Listen {
		// LISTEN_PID must be the pid of the program itself (sd_listen_fds(3)), which exists only after the fork.
		args = append([]string{"sh", "-c", `export LISTEN_PID=$$; exec "$@"`, "sh"}, args...)
		env = append(env, fmt.Sprintf("LISTEN_FDS=%d", len(run.Files)))
		if run.Names != nil {
			env = append(env, "LISTEN_FDNAMES="+strings.Join(run.Names, ":"))
		}
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env, cmd.Dir, cmd.ExtraFiles = env, run.Dir, run.Files
	// Only when not nil: an interface that holds a nil *os.File is not nil.
	if run.Stdin != nil {
		cmd.Stdin = run.Stdin
	}
	if run.Stdout != nil {
		cmd.Stdout = run.Stdout
	}
	if run.Stderr != nil {
		cmd.Stderr = run.Stderr
	}
	cmd.WaitDelay = time.Second // a child that outlives the program may hold the pipes of its output
	cmd.SysProcAttr = attributes()
	return cmd
}

// start starts the command on a thread that stays until the command has ended: PR_SET_PDEATHSIG, which ends the program
// with the test binary, looks at the thread that forked and not at the process (prctl(2)).
func (p *Process) start() error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := p.cmd.Start(); err != nil {
			started <- err
			return
		}
		p.Pid = p.cmd.Process.Pid
		started <- nil
		_ = p.cmd.Wait() // what it says stands in cmd.ProcessState too
		close(p.ended)
	}()
	return <-started
}

// Ended is closed when the program has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Wait waits until the program has ended by itself and returns how. It fails the test when that takes longer than limit.
func (p *Process) Wait(limit time.Duration) *os.ProcessState {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(limit):
		p.t.Fatalf("%s (pid %d) has not ended within %v", p.cmd.Path, p.Pid, limit)
	}
	return p.cmd.ProcessState
}

// Signal sends a signal to the program and fails the test when it has ended already.
func (p *Process) Signal(signal syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		p.t.Fatalf("send %v to %s (pid %d): %v", signal, p.cmd.Path, p.Pid, err)
	}
}

// Stop asks the program to end with SIGTERM and returns how it did. When 15 s were not enough it is killed and the test fails.
func (p *Process) Stop() *os.ProcessState {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatalf("stop %s (pid %d): %v", p.cmd.Path, p.Pid, err)
	}
	select {
	case <-p.ended:
	case <-time.After(killAfter):
		p.t.Errorf("%s (pid %d) has not ended %v after SIGTERM", p.cmd.Path, p.Pid, killAfter)
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	return p.cmd.ProcessState
}

// cleanup ends the whole process group, which also holds what a wrapper or an inetd started.
func (p *Process) cleanup() {
	_ = syscall.Kill(-p.Pid, syscall.SIGKILL) // ESRCH: nothing is left of it
	<-p.ended
	if !p.t.Failed() {
		return
	}
	p.t.Logf("%s (pid %d): %v", strings.Join(p.cmd.Args, " "), p.Pid, p.cmd.ProcessState)
	for name, output := range map[string]*Output{"stdout": p.Stdout, "stderr": p.Stderr} {
		if text := output.String(); text != "" {
			p.t.Logf("its %s:\n%s", name, text)
		}
	}
}
