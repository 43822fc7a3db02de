//go:build !linux

package wake

import "syscall"

// processAttributes: a session of its own, as service managers give it, or on a terminal, which goes with the session, a process
// group: some programs signal their whole group (Apache at a reload), some insist on a session (Postfix).
func (c Config) processAttributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: !c.Terminal, Setpgid: c.Terminal}
	if c.Terminal && inForeground() {
		a.Foreground, a.Ctty = true, 0
	}
	return a
}
