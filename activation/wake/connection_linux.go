package wake

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/platform/process"
	"github.com/rouse-server/rouse/platform/seccomp"
	"github.com/rouse-server/rouse/platform/socketoptions"
)

// In connection mode no socket listens: connections arrive open, over a channel. What the program has in place of its listener
// is a mouth, and each call that it makes there is answered here.

// connectionCalls are answered in connection mode, beside those of listener mode.
func connectionCalls() []int {
	return []int{unix.SYS_GETSOCKNAME, unix.SYS_SETSOCKOPT, unix.SYS_GETSOCKOPT, unix.SYS_ACCEPT, unix.SYS_ACCEPT4}
}

// openGates opens a gate for each channel among the sockets, whose number becomes the one by which a waiting client shows.
func (e *listenerEngine) openGates() error {
	e.gates = map[*socket]*gate{}
	for i, s := range e.sockets {
		if s.Kind != activation.Channel {
			continue
		}
		g, err := newGate(s, e.c.Log, e.settle)
		if err != nil {
			return err
		}
		e.gates[s] = g
		e.c.Sockets[i].Number = s.Number
	}
	return nil
}

func (e *listenerEngine) closeGates() {
	for _, g := range e.gates {
		g.close()
		unix.Close(g.knock)
	}
}

func (e *listenerEngine) leave() {
	e.c.leaveDispatchers()
	for _, g := range e.gates {
		g.close()
	}
}

// mouthAt returns the mouth that the first argument of a call is, or nil.
func (s *swapper) mouthAt(c seccomp.Call) *mouth {
	if len(s.mouths) == 0 {
		return nil
	}
	inode, ok := process.SocketInode(c.TID, descriptorOf(c))
	if !ok {
		return nil
	}
	return s.mouths[inode]
}

// atMouth answers a call at a mouth.
func (s *swapper) atMouth(m *mouth, c seccomp.Call) error {
	switch c.Number {
	case unix.SYS_ACCEPT, unix.SYS_ACCEPT4:
		return m.accept(c)
	case unix.SYS_LISTEN:
		return m.listen(c)
	case unix.SYS_GETSOCKNAME:
		return m.getsockname(c)
	case unix.SYS_SETSOCKOPT:
		return m.setsockopt(c)
	case unix.SYS_GETSOCKOPT:
		return m.getsockopt(c)
	}
	return s.notifier.Return(c, 0) // a bind that a signal interrupted is made again; shutdown(2) would be for all that share it
}

// swapMouth puts a mouth in the place of the program's socket.
func (s *swapper) swapMouth(c seccomp.Call, n name, theirs *theirs, g *gate) error {
	m, err := s.mouth(g, n, theirs)
	if err == nil {
		err = socketoptions.SetNonblock(m.program, theirs.nonblock)
	}
	if err != nil {
		s.say(c, complaint{true, fmt.Sprintf("the program binds %s, but cannot be given %s: refused (EPERM): %v", n, g, err)})
		return s.notifier.Fail(c, unix.EPERM)
	}
	if done, err := s.replace(c, n, theirs, m.program, g.String()); !done {
		return err
	}
	s.names[g.socket] = n
	s.c.Log.Debug("the program gets connections", "from", g.String(), "for", n.String(), "pid", theirs.tid)
	return s.notifier.Return(c, 0)
}

// mouth returns that of the family, or makes it: workers that bind the same address each (SO_REUSEPORT) share one.
func (s *swapper) mouth(g *gate, n name, theirs *theirs) (*mouth, error) {
	for _, m := range s.mouths {
		if m.gate == g && m.family == n.family {
			return m, nil
		}
	}
	m, err := newMouth(g, s, n, theirs.copy)
	if err == nil {
		s.mouths[m.inode] = m
	}
	return m, err
}

// shutMouths is called when no process of the instance is left.
func (s *swapper) shutMouths() {
	for _, m := range s.mouths {
		m.shut(m)
	}
}

// gave notes a connection that the instance was given, so that it can be found there.
func (s *swapper) gave(fd int) {
	if s.c.IdleStop == 0 {
		return
	}
	var st unix.Stat_t
	if unix.Fstat(fd, &st) == nil {
		s.given.add(st.Ino)
	}
}

// hasGiven tells whether a process of the instance still has a connection that it was given.
func (e *listenerEngine) hasGiven(one *instance, pids []int) (bool, error) {
	all := e.given[one]
	if all == nil || all.empty() {
		return false, nil
	}
	for _, pid := range pids {
		if _, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid)); errors.Is(err, fs.ErrPermission) {
			return false, fmt.Errorf("connections of process %d: %w", pid, err)
		}
	}
	return all.keep(pids), nil
}
