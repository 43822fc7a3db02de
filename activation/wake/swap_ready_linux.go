package wake

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/rouse-server/rouse/platform/process"
)

// take marks a socket as taken. With the last one the instance is ready.
func (s *swapper) take(held *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.progress.complete()
	s.progress.take(held)
	if !before && s.progress.complete() {
		close(s.one.ready)
	}
	if len(s.progress.left()) > 0 {
		s.quiet.Reset(s.settle)
	}
}

// kept is called when the program got a socket and is silent since: one that it keeps is taken also without listen(2), which
// some leave out when they find that it listens already (HAProxy).
func (s *swapper) kept() {
	s.mu.Lock()
	var kept []*socket
	for inode, held := range s.inodes {
		if !s.ended && s.got[held] && !s.progress.has(held) && keeps(inode) {
			kept = append(kept, held)
		}
	}
	s.mu.Unlock()
	for _, held := range kept {
		s.take(held)
	}
}

// settled is called when the program took some sockets and no other for a while: it will not.
func (s *swapper) settled() {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := s.progress.left()
	if s.ended || len(left) == 0 {
		return
	}
	var names []string
	for _, held := range left {
		names = append(names, fmt.Sprintf("%s (%s %s)", held.Source, held.transport, held.Info.Local))
	}
	s.c.Log.Warn("the program listens, but took only some of its sockets; clients of the others wait in vain: let it bind them, or pass them to nobody",
		"pid", s.one.main.pid, "left", strings.Join(names, ", "))
	if !s.progress.complete() {
		s.progress.expected = s.progress.taken
		close(s.one.ready)
	}
}

// keeps tells whether a process below us has the socket.
func keeps(inode uint64) bool {
	return slices.ContainsFunc(process.Descendants(os.Getpid()), func(pid int) bool { return len(process.SameSocket(pid, inode)) > 0 })
}

// warnOfUnused tells of maps that the program did not use in time, and why that may be.
func (s *swapper) warnOfUnused() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return
	}
	for _, r := range s.rules {
		if !s.matcher.used[r.key] {
			s.c.Log.Warn(fmt.Sprintf("map %s: the program has not bound %s within %v: it binds another address, or it binds unseen, by io_uring (--no-io-uring prevents that) or as a 32-bit program, or it changed its user before it bound", r.Text, r.Bind, s.patience), "pid", s.one.main.pid)
		}
	}
}

// learn looks back at an instance that ended. One that was given a socket of another port and never listened may have
// compared the two: the next one is told the port that it binds.
func (s *swapper) learn() {
	if s.c.Faking == FakeYes || s.c.Faking == FakeNo || s.faking.Load() {
		return
	}
	for held, n := range s.names {
		if s.gates[held] == nil && held.transport == tcp && n.differs(held) && !s.progress.has(held) {
			s.faking.Store(true)
			s.c.Log.Info(fmt.Sprintf("the program bound %s, got %s, and ended without listening: it may compare the two, so that getsockname(2) tells the next instance the address that it binds (--getsockname=yes from the start on, =no never)", n, held))
			return
		}
	}
}
