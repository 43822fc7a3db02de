package wake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/platform"
	"github.com/rouse-server/rouse/platform/process"
	"github.com/rouse-server/rouse/platform/seccomp"
	"github.com/rouse-server/rouse/platform/socketoptions"
)

// swapper answers the calls of one instance. Its goroutine waits for nothing but the next call: the program's thread stands
// still meanwhile.
type swapper struct {
	*listenerEngine
	one      *instance
	notifier *seccomp.Notifier
	names    map[*socket]name  // what the program calls the sockets that it got
	said     map[string]bool   // each complaint is made once
	mouths   map[uint64]*mouth // by inode
	outside  *outside          // nil where it has no network but its own
	saying   sync.Mutex        // of said: outside answers some calls in goroutines of their own
	given    given             // what the instance got there

	mu       sync.Mutex // the timers look at what follows
	matcher  *matcher
	progress *progress
	got      map[*socket]bool // listeners that were swapped in
	ended    bool
	quiet    *time.Timer // runs since the program took a socket
	silent   *time.Timer // runs since it got one
}

// name is an address that a program bound.
type name struct {
	asked
	raw []byte // struct sockaddr, as getsockname(2) tells it
}

func newSwapper(e *listenerEngine, one *instance, n *seccomp.Notifier) *swapper {
	s := &swapper{
		listenerEngine: e, one: one, notifier: n, names: map[*socket]name{}, said: map[string]bool{}, mouths: map[uint64]*mouth{},
		matcher: newMatcher(e.sockets, e.rules, e.c.AnyFamily), progress: newProgress(e.sockets, e.rules), got: map[*socket]bool{},
	}
	s.quiet = time.AfterFunc(time.Hour, s.settled)
	s.quiet.Stop()
	s.silent = time.AfterFunc(time.Hour, s.kept)
	s.silent.Stop()
	s.outside = newOutside(s, e.network)
	return s
}

// run answers until no process of the instance is left.
func (s *swapper) run() {
	unused := time.AfterFunc(s.patience, s.warnOfUnused)
	var err error
	for err == nil {
		var call seccomp.Call
		if call, err = s.notifier.Receive(); err == nil {
			err = s.answer(call)
		}
	}
	s.notifier.Close() // nobody waits for an answer, or else for ever
	if !errors.Is(err, io.EOF) {
		s.c.Log.Error("the system calls of the program cannot be answered any more: its next bind will fail", "pid", s.one.main.pid, "err", err)
	}
	<-s.one.main.ended
	unused.Stop()
	s.mu.Lock()
	s.ended = true
	s.quiet.Stop()
	s.silent.Stop()
	s.mu.Unlock()
	s.learn()
	s.shutMouths()
	close(s.one.gone)
}

// answer answers one call. That the caller went away is no error.
func (s *swapper) answer(c seccomp.Call) error {
	if m := s.mouthAt(c); m != nil {
		return s.atMouth(m, c)
	}
	switch c.Number {
	case unix.SYS_BIND:
		return s.bind(c)
	case unix.SYS_GETSOCKNAME:
		return s.getsockname(c)
	case unix.SYS_CONNECT:
		return s.outside.answerConnect(c)
	case unix.SYS_SHUTDOWN:
		if s.whose(c) != nil { // the socket would be dead for all that share it: a new instance, and who comes later
			return s.notifier.Return(c, 0)
		}
		return s.notifier.Continue(c)
	}
	if c.Number != unix.SYS_LISTEN {
		return s.notifier.Continue(c)
	}
	listening := s.whose(c) // listen(2) on a listening socket sets the length of its queue
	if err := s.notifier.Continue(c); err != nil {
		return err
	}
	if listening != nil && listening.Kind == activation.Listener {
		s.take(listening)
	}
	return nil
}

// whose returns the held socket that the first argument of a call is, or nil.
func (s *swapper) whose(c seccomp.Call) *socket {
	inode, ok := process.SocketInode(c.TID, descriptorOf(c))
	if !ok {
		return nil
	}
	return s.inodes[inode]
}

func descriptorOf(c seccomp.Call) int { return int(int32(c.Args[0])) }

// bind answers bind(2). The address is read once: what was judged is what counts.
func (s *swapper) bind(c seccomp.Call) error {
	raw, err := addressOf(s.notifier, c, func(cause error) {
		s.say(c, complaint{true, fmt.Sprintf("the address of a bind cannot be read (%v), so it is refused (EPERM): the program changed its user before it bound, or Yama forbids it (kernel.yama.ptrace_scope); let the unit set the user (User=), or give Rouse CAP_SYS_PTRACE", cause)})
	})
	if raw == nil {
		return err
	}
	asked, ok := readAddress(raw)
	if !ok {
		return s.notifier.Continue(c)
	}
	return s.choose(c, name{asked, told(raw)})
}

// choose finds out what the program's socket is, and answers its bind. Once a socket was meant, the bind is never let through
// to the kernel.
func (s *swapper) choose(c seccomp.Call, n name) error {
	meant := s.matcher.concerns(n.asked)
	if !meant && s.outside.concerns(n.asked) {
		return s.outside.answerBind(c, n)
	}
	if !meant && (n.family != platform.Unix && n.port == 0 || s.saidEnough()) {
		return s.notifier.Continue(c) // what is passing often is not looked at: DNS servers bind a port for every question
	}
	theirs, err := s.look(c)
	switch {
	case errors.Is(err, unix.EBADF), errors.Is(err, unix.ENOTSOCK):
		return s.notifier.Continue(c) // the kernel says so itself
	case err != nil && !s.notifier.Valid(c):
		return nil
	case err != nil && !meant:
		s.c.Log.Debug("a bind passed unseen", "address", n.String(), "err", err)
		return s.notifier.Continue(c)
	case err != nil:
		s.say(c, complaint{true, fmt.Sprintf("the program binds %s, but its socket cannot be looked at (%v): refused (EPERM); let the unit set the user (User=), or give Rouse CAP_SYS_PTRACE", n, err)})
		return s.notifier.Fail(c, unix.EPERM)
	}
	defer theirs.close()
	if meant && s.inodes[theirs.inode] != nil { // a call that a signal interrupted is made again
		return s.notifier.Return(c, 0)
	}
	s.mu.Lock()
	answer := s.matcher.choose(n.asked, theirs.own)
	s.mu.Unlock()
	s.say(c, answer.complaint)
	switch answer.verdict {
	case swapped:
		return s.swap(c, n, theirs, answer.socket)
	case unavailable:
		return s.notifier.Fail(c, unix.EADDRNOTAVAIL)
	case denied:
		return s.notifier.Fail(c, unix.EPERM)
	}
	s.c.Log.Debug("the program binds by itself", "address", n.String(), "pid", theirs.tid)
	return s.notifier.Continue(c)
}

// swap puts the held socket in the place of the program's own, under every number that it has there.
func (s *swapper) swap(c seccomp.Call, n name, theirs *theirs, held *socket) error {
	if g := s.gates[held]; g != nil {
		return s.swapMouth(c, n, theirs, g)
	}
	if err := socketoptions.SetNonblock(held.Number, theirs.nonblock); err != nil { // it belongs to the open file, which is shared
		s.c.Log.Warn("the program's O_NONBLOCK does not follow", "socket", held.String(), "err", err)
	}
	var set []string
	if theirs.copy >= 0 {
		var err error
		if set, err = socketoptions.Copy(theirs.copy, held.Number); err != nil {
			s.c.Log.Warn("an option that the program set before it bound does not follow", "socket", held.String(), "err", err)
		}
	}
	if done, err := s.replace(c, n, theirs, held.Number, held.String()); !done {
		return err
	}
	s.names[held] = n
	s.warnOfRemoved(c, held, n)
	s.c.Log.Debug("the program got the socket", "socket", held.String(), "for", n.String(), "pid", theirs.tid, "options", strings.Join(set, " "))
	if held.Kind == activation.Packet {
		s.take(held)
	} else {
		s.mu.Lock()
		s.got[held] = true
		s.silent.Reset(s.settle / 4)
		s.mu.Unlock()
	}
	return s.notifier.Return(c, 0)
}

// replace puts our descriptor fd in the place of the program's socket, under every number that it has there, with what it waits
// for there. Where it cannot, the call was answered.
func (s *swapper) replace(c seccomp.Call, n name, theirs *theirs, fd int, what string) (done bool, err error) {
	unseen := theirs.copy < 0
	targets := theirs.targets(descriptorOf(c))
	theirs.closeCopy() // with the program's last descriptor the old socket has to go, and what epoll knows of it
	for _, p := range targets {
		err := s.notifier.Put(c, fd, p.fd, p.closeOnExec)
		if errors.Is(err, unix.ENOENT) {
			return false, nil // the caller is gone
		}
		if err != nil {
			s.say(c, complaint{true, fmt.Sprintf("the program binds %s, but cannot be given %s: refused (EPERM): %v", n, what, err)})
			return false, s.notifier.Fail(c, unix.EPERM)
		}
		if unseen && len(p.registrations) > 0 {
			s.say(c, complaint{true, fmt.Sprintf("the program waits for %s by epoll before it binds, which cannot follow without pidfd_getfd(2): it will not see its clients; allow that call (SystemCallFilter=pidfd_getfd in a unit)", n)})
			continue
		}
		if err := theirs.process.Register(fd, p.fd, p.registrations); err != nil {
			s.c.Log.Warn("what the program waits for on the socket (epoll) could not be put back: it may not see its clients", "socket", what, "err", err)
		}
	}
	return true, nil
}

// warnOfRemoved complains when the program removed the file of the unix socket before it bound it: no client finds it then.
func (s *swapper) warnOfRemoved(c seccomp.Call, held *socket, n name) {
	if held.transport != local || strings.HasPrefix(held.Info.Local, "@") || n.path != cleanPath(held.Info.Local) {
		return
	}
	if _, err := os.Lstat(held.Info.Local); errors.Is(err, os.ErrNotExist) {
		s.say(c, complaint{true, fmt.Sprintf("the program removed %s before it bound it, and no client finds it any more: let it bind another path, and write --map PATH=%s", held.Info.Local, held.Source)})
	}
}

// getsockname answers getsockname(2) with the address that the program bound, where the socket has another one.
func (s *swapper) getsockname(c seccomp.Call) error {
	held := s.whose(c)
	n, ok := s.names[held]
	if held == nil || !ok || s.c.Faking != FakeYes && !n.differs(held) {
		return s.notifier.Continue(c)
	}
	if !s.notifier.Valid(c) {
		return nil
	}
	switch err := writeAddress(c.TID, c.Args[1], c.Args[2], n.raw); {
	case errors.Is(err, unix.EFAULT), errors.Is(err, unix.EINVAL):
		return s.notifier.Fail(c, err.(unix.Errno))
	case err != nil:
		return s.notifier.Continue(c)
	}
	return s.notifier.Return(c, 0)
}

// differs tells whether a program that compares finds another port than it bound.
func (n name) differs(held *socket) bool {
	return n.port != held.address.Port() || n.path != cleanPath(held.Info.Local) && held.transport == local
}

// mostSaid is how many complaints are made about one instance, errors aside: FTP servers bind a port for every transfer.
const mostSaid = 5

func (s *swapper) saidEnough() bool {
	s.saying.Lock()
	defer s.saying.Unlock()
	return len(s.said) >= mostSaid
}

// say logs a complaint, once for each instance.
func (s *swapper) say(c seccomp.Call, what complaint) {
	s.saying.Lock()
	defer s.saying.Unlock()
	if what.text == "" || s.said[what.text] || !what.serious && len(s.said) >= mostSaid {
		return
	}
	s.said[what.text] = true
	if !what.serious && len(s.said) == mostSaid {
		what.text += " (further binds are told of at --log-level=debug only)"
	}
	level := slog.LevelWarn
	if what.serious {
		level = slog.LevelError
	}
	s.c.Log.Log(context.Background(), level, what.text, "pid", c.TID)
}
