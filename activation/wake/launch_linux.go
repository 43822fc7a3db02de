package wake

import "syscall"

// processAttributes: a process group of its own, because some programs signal their whole group (Apache at a reload). When
// the thread that forked ends, and it ends with this process at the latest, the program gets its stop signal (prctl(2),
// PR_SET_PDEATHSIG).
func (c Config) processAttributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: c.StopSignal}
	if c.Terminal && inForeground() {
		a.Foreground, a.Ctty = true, 0
	}
	return a
}
