package wake

import "syscall"

// processAttributes: a session of its own, as service managers give it, or, on a terminal, which goes with the session, a
// process group: some programs signal their whole group (Apache at a reload), some insist on a session (Postfix). When the
// thread that forked ends, and it ends with this process at the latest, the program gets its stop signal (prctl(2),
// PR_SET_PDEATHSIG).
func (c Config) processAttributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: !c.Terminal, Setpgid: c.Terminal, Pdeathsig: c.StopSignal}
	if c.Terminal && inForeground() {
		a.Foreground, a.Ctty = true, 0
	}
	return a
}
