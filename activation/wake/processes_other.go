//go:build !linux

package wake

import "syscall"

// roots knows none: nothing tells here which processes are below this one.
func (l *life) roots() []int { return nil }

// signalOrphans sends a signal to the process group of an instance. What made a group of its own is not reached.
func (l *life) signalOrphans(one *instance, s syscall.Signal) {
	if !over(one.gone) {
		syscall.Kill(-one.main.pid, s)
	}
}

// kill ends the process group of an instance at once.
func (l *life) kill(one *instance) {
	l.family.signal(one.main, syscall.SIGKILL)
	l.signalOrphans(one, syscall.SIGKILL)
}
