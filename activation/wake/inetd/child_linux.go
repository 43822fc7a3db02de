package inetd

import (
	"bytes"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

func pipe(ends []int) error { return unix.Pipe2(ends, unix.O_CLOEXEC) }

// fork starts the process. One whose limits or whose mask of signals are to be others than ours is stopped at its exec by
// ptrace(2), where they can be set from outside.
func (s *service) fork(c *child, a *syscall.ProcAttr) (err error) {
	a.Sys.PidFD = &c.pidfd
	if len(s.Limits) == 0 && !s.house.masked {
		c.pid, err = syscall.ForkExec(s.path, s.Command, a)
		return err
	}
	runtime.LockOSThread() // the tracer is a thread
	defer runtime.UnlockOSThread()
	a.Sys.Ptrace = true
	if c.pid, err = syscall.ForkExec(s.path, s.Command, a); err != nil {
		return err
	}
	if err = s.adjust(c.pid); err == nil {
		return nil
	}
	_ = syscall.Kill(c.pid, unix.SIGKILL)
	c.reap(0)
	if c.pidfd >= 0 {
		unix.Close(c.pidfd)
	}
	return err
}

// adjust sets what the process is to have before its first instruction.
func (s *service) adjust(pid int) error {
	if err := awaitStop(pid); err != nil {
		return err
	}
	for _, l := range s.Limits {
		limit := unix.Rlimit{Cur: l.Soft, Max: l.Hard}
		err := unix.Prlimit(pid, resources()[l.Name], &limit, nil)
		if err == unix.EPERM {
			err = limitWithin(pid, resources()[l.Name], limit)
		}
		if err == unix.EPERM {
			return fmt.Errorf("limit %s: this process's own hard limit is lower than %d, and only CAP_SYS_RESOURCE raises one", l.Name, l.Hard)
		}
		if err != nil {
			return fmt.Errorf("limit %s: %w", l.Name, err)
		}
	}
	var none uint64
	if _, _, errno := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SETSIGMASK, uintptr(pid), unsafe.Sizeof(none), uintptr(unsafe.Pointer(&none)), 0, 0); errno != 0 {
		return fmt.Errorf("clear its mask of signals: %w", errno)
	}
	return syscall.PtraceDetach(pid)
}

// await waits on a thread, where there is no pidfd. The process stays there until reap, so that signal may be called meanwhile.
func (c *child) await() {
	for {
		err := unix.Waitid(unix.P_PID, c.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			c.reap(0)
			return
		}
	}
}

// masked tells whether signals were blocked when this process was started, which they would be in its children too: the runtime
// gives them the mask that it found, as it does its own threads.
func masked() bool {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var set unix.Sigset_t
	return unix.PthreadSigmask(unix.SIG_BLOCK, nil, &set) == nil && set != unix.Sigset_t{}
}

// statusField reads a set of signals of this process (proc(5), /proc/PID/status).
func statusField(name string) uint64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(text, []byte("\n"+name))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	set, _ := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 64)
	return set
}

// defaultSignals makes signals that this process was told to ignore be caught and dropped: what is ignored stays so through
// exec(2), what is caught is at its default then.
func defaultSignals() {
	ignored := statusField("SigIgn:")
	for n := range 64 {
		if ignored&(1<<n) != 0 {
			signal.Notify(make(chan os.Signal, 1), syscall.Signal(n+1))
		}
	}
}

// closeOnExec keeps what this process inherited without knowing from those that it starts.
func closeOnExec() {
	if unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC) == nil { // Linux 5.11
		return
	}
	entries, _ := os.ReadDir("/proc/self/fd")
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
}

// reapStrangers reaps the orphans of a container whose first process this is, until stop is called: nobody else does.
func reapStrangers(h *house, services []*service) (stop func()) {
	if os.Getpid() != 1 {
		return func() {}
	}
	signals, ended := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, unix.SIGCHLD)
	go func() {
		defer close(ended)
		for range signals {
			for reapStranger(h, services) {
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
		<-ended
	}
}

// reapStranger looks at one process that has ended, and tells whether there may be others. Ours are reaped by who waits for
// them, soon.
func reapStranger(h *house, services []*service) bool {
	h.births.Lock() // one that has just been started is not yet known as ours
	defer h.births.Unlock()
	var info unix.Siginfo
	err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	if err == unix.EINTR {
		return true
	}
	pid := int(*(*int32)(unsafe.Add(unsafe.Pointer(&info), 16))) // si_pid, behind three numbers and a gap (sigaction(2))
	switch {
	case err != nil || pid == 0:
		return false
	case slices.ContainsFunc(services, func(s *service) bool { return s.has(pid) }):
		time.Sleep(time.Millisecond)
	default:
		_, _ = syscall.Wait4(pid, nil, unix.WNOHANG, nil)
	}
	return true
}
