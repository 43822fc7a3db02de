package main

import (
	"errors"
	"syscall"
)

// stop ends every process of the server at once and returns when all are gone. Its sockets stay open.
func (s *server) stop() {
	defer s.closeNotified()
	if s.behind != nil {
		defer s.behind.end()
	}
	for _, other := range s.beside {
		defer other.stop()
	}
	root := s.cmd.Process.Pid
	tree, err := processTree(root)
	// The group first: its members cannot start others that the list lacks.
	_ = syscall.Kill(-root, syscall.SIGKILL) // ESRCH: it has ended already
	if err == nil {
		for _, p := range tree {
			if !p.zombie && p.pid != root {
				_ = syscall.Kill(p.pid, syscall.SIGKILL)
			}
		}
	}
	<-s.ended
	// Workers became children of bench when their parent ended (prepareProcess), some in groups of their own.
	groups := map[int]bool{root: true}
	for _, p := range tree {
		groups[p.group] = true
	}
	for group := range groups {
		reapGroup(group)
	}
}

// reapGroup waits for all children of bench in a process group.
func reapGroup(group int) {
	for {
		var status syscall.WaitStatus
		_, err := syscall.Wait4(-group, &status, 0, nil)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return // ECHILD: all are gone
		}
	}
}
