package wake

import (
	"os"
	"syscall"

	"github.com/rouse-server/rouse/platform/process"
)

// roots returns the processes right below this one: the main processes of the instances, and orphans that became ours.
func (l *life) roots() []int {
	var roots []int
	self := os.Getpid()
	for _, pid := range process.Descendants(self) {
		if process.Parent(pid) == self && !l.family.strangers[pid] {
			roots = append(roots, pid)
		}
	}
	return roots
}

// orphans returns those of an instance.
func (l *life) orphans(one *instance) []int {
	var orphans []int
	for _, pid := range l.roots() {
		if pid != one.main.pid && l.owner(pid) == one {
			orphans = append(orphans, pid)
		}
	}
	return orphans
}

// owner returns the instance that a root belongs to. While one instance replaces another, an orphan is the new one's if that
// runs in the background, and the orphan was not there before it.
func (l *life) owner(root int) *instance {
	for _, one := range l.instances() {
		if one.main.pid == root {
			return one
		}
	}
	if l.former == nil || l.current != nil && l.current.background && !l.current.before[root] {
		return l.current
	}
	return l.former
}

// signalOrphans sends a signal to what an instance left in the background.
func (l *life) signalOrphans(one *instance, s syscall.Signal) {
	for _, pid := range l.orphans(one) {
		syscall.Kill(pid, s)
	}
}

// kill ends all processes of an instance at once.
func (l *life) kill(one *instance) {
	var doomed []int
	for _, root := range append(l.orphans(one), one.main.pid) {
		doomed = append(doomed, process.Descendants(root)...)
	}
	l.family.signal(one.main, syscall.SIGKILL)
	l.signalOrphans(one, syscall.SIGKILL)
	for _, pid := range doomed {
		syscall.Kill(pid, syscall.SIGKILL)
	}
}
