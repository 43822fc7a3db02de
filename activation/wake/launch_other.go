//go:build !linux

package wake

import "syscall"

// processAttributes: a process group of its own, because some programs signal their whole group (Apache at a reload).
func (c Config) processAttributes() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setpgid: true}
	if c.Terminal && inForeground() {
		a.Foreground, a.Ctty = true, 0
	}
	return a
}
