package wake

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation/handoff"
	"github.com/rouse-server/rouse/platform"
	"github.com/rouse-server/rouse/platform/process"
	"github.com/rouse-server/rouse/platform/seccomp"
	"github.com/rouse-server/rouse/platform/socketoptions"
)

func closeDescriptor(fd int) { unix.Close(fd) }

// outside answers the calls by which one instance means the network that it does not have: bind(2) and connect(2) of TCP
// sockets, but for loopback addresses. The program's socket becomes one that the dispatcher made in its own network namespace,
// so that getsockname(2), listen(2), accept(2) and all else are the kernel's. It is nil where nobody asked for it.
type outside struct {
	*swapper
	ask func(handoff.NetworkRequest) (fd int, local netip.AddrPort, err error)

	mu    sync.Mutex
	said  map[string]bool // each complaint is made once
	mine  map[uint64]lent // by inode: what the program got
	order []uint64        // in which it did
}

// lent is what is known of a socket that the program got from the dispatcher.
type lent struct {
	bound  asked          // by the program; its family is empty where it did not bind
	remote netip.AddrPort // what it connects to, or is connected to
}

// mostLent is of how many sockets the last ones are known: FTP servers bind one for every transfer.
const mostLent = 1024

func newOutside(s *swapper, n *network) *outside {
	if n == nil {
		return nil
	}
	return &outside{swapper: s, ask: n.ask, said: map[string]bool{}, mine: map[uint64]lent{}}
}

// concerns tells whether the address is one of the network.
func (o *outside) concerns(a asked) bool {
	return o != nil && a.family != platform.Unix && !a.host.Unmap().IsLoopback()
}

func (o *outside) known(inode uint64) (lent, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l, ok := o.mine[inode]
	return l, ok
}

func (o *outside) remember(fd int, l lent) {
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, twice := o.mine[st.Ino]; !twice {
		o.order = append(o.order, st.Ino)
	}
	o.mine[st.Ino] = l
	if len(o.order) > mostLent {
		delete(o.mine, o.order[0])
		o.order = o.order[1:]
	}
}

// answerBind answers the bind of an address that none of the held sockets is meant by.
func (o *outside) answerBind(c seccomp.Call, n name) error {
	theirs, err := o.look(c)
	switch {
	case errors.Is(err, unix.EBADF), errors.Is(err, unix.ENOTSOCK):
		return o.notifier.Continue(c) // the kernel says so itself
	case err != nil && !o.notifier.Valid(c):
		return nil
	case err != nil:
		o.complain(slog.LevelError, fmt.Sprintf("the program binds %s, but its socket cannot be looked at (%v): refused (EPERM); let the unit set the user (User=), or give Rouse CAP_SYS_PTRACE", n, err))
		return o.notifier.Fail(c, unix.EPERM)
	case theirs.own != own{tcp, n.family}: // UDP stays inside; what does not fit is refused by the kernel
		theirs.close()
		return o.notifier.Continue(c)
	}
	if before, ok := o.known(theirs.inode); ok { // the kernel refuses a second one, but a call that a signal interrupted is made again
		theirs.close()
		if before.bound == n.asked {
			return o.notifier.Return(c, 0)
		}
		return o.notifier.Continue(c)
	}
	r := theirs.request("listen")
	r.Local = netip.AddrPortFrom(n.host, n.port)
	go func() { // other calls do not wait for the dispatcher
		defer theirs.close()
		fd, local, err := o.ask(r)
		if err != nil {
			o.fail(c, fmt.Sprintf("the program binds %s", n), err, unix.EADDRNOTAVAIL)
			return
		}
		defer unix.Close(fd)
		o.c.Log.Debug("the program's socket is one of the dispatcher's", "bound", local, "pid", c.TID)
		o.lend(c, n, theirs, fd, lent{bound: n.asked}, 0)
	}()
	return nil
}

// request describes the program's socket.
func (t *theirs) request(operation string) handoff.NetworkRequest {
	r := handoff.NetworkRequest{Operation: operation, Family: 4, Type: "stream", NoWait: true}
	if t.own.family == platform.IPv6 {
		r.Family = 6
	}
	set := func(level, option int) bool {
		n, err := unix.GetsockoptInt(t.copy, level, option)
		return err == nil && n != 0
	}
	r.ReuseAddress, r.ReusePort = set(unix.SOL_SOCKET, unix.SO_REUSEADDR), set(unix.SOL_SOCKET, unix.SO_REUSEPORT)
	r.Only6 = r.Family == 6 && set(unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
	return r
}

// lend puts the dispatcher's socket in the place of the program's, and answers the call with errno.
func (o *outside) lend(c seccomp.Call, n name, theirs *theirs, fd int, l lent, errno unix.Errno) {
	if theirs.copy >= 0 {
		if _, err := socketoptions.Copy(theirs.copy, fd); err != nil {
			o.c.Log.Warn("an option that the program set does not follow", "socket", n.String(), "err", err)
		}
	}
	err := socketoptions.SetNonblock(fd, theirs.nonblock)
	if err != nil {
		o.c.Log.Warn("the program's O_NONBLOCK does not follow", "socket", n.String(), "err", err)
	}
	o.remember(fd, l)
	done, err := o.replace(c, n, theirs, fd, "a socket of the dispatcher")
	if done {
		err = o.end(c, errno)
	}
	if err != nil {
		o.c.Log.Debug("a call could not be answered", "err", err)
	}
}

// end answers a call with an error number, or 0.
func (o *outside) end(c seccomp.Call, errno unix.Errno) error {
	if errno != 0 {
		return o.notifier.Fail(c, errno)
	}
	return o.notifier.Return(c, 0)
}

// fail answers a call that cannot be done; away is the error where no dispatcher answered.
func (o *outside) fail(c seccomp.Call, what string, err error, away unix.Errno) {
	errno, ok := errors.AsType[unix.Errno](err)
	switch {
	case errors.Is(err, errAway) || !ok:
		errno = away
		o.complain(slog.LevelWarn, fmt.Sprintf("%s, and gets no socket for it: %v", what, err))
	case errno == unix.EACCES:
		o.complain(slog.LevelWarn, fmt.Sprintf("%s: refused: %v", what, err))
	default:
		o.c.Log.Debug(what+": "+err.Error(), "pid", c.TID)
	}
	if err := o.notifier.Fail(c, errno); err != nil {
		o.c.Log.Debug("a call could not be answered", "err", err)
	}
}

// complain says something once.
func (o *outside) complain(level slog.Level, text string) {
	const most = 100
	o.mu.Lock()
	again := o.said[text] || len(o.said) == most
	o.said[text] = true
	o.mu.Unlock()
	if !again {
		o.c.Log.Log(context.Background(), level, text, "pid", o.one.main.pid)
	}
}

// answerConnect answers connect(2). The address is read once: what was judged is what counts. A socket that the dispatcher made is
// never connected by the program itself, as the address could be another one by then.
func (o *outside) answerConnect(c seccomp.Call) error {
	raw, err := addressOf(o.notifier, c, func(cause error) {
		o.complain(slog.LevelError, fmt.Sprintf("the address of a connect cannot be read (%v), so it is refused (EPERM): let the unit set the user (User=), or give Rouse CAP_SYS_PTRACE", cause))
	})
	if raw == nil {
		return err
	}
	apart := binary.NativeEndian.Uint16(raw) == unix.AF_UNSPEC
	to, ok := readAddress(raw)
	if !apart && (!ok || to.family == platform.Unix) {
		return o.notifier.Continue(c)
	}
	within := apart || !o.concerns(to) || to.host.Unmap().IsUnspecified() // which leads to loopback
	inode, isSocket := process.SocketInode(c.TID, descriptorOf(c))
	if _, ours := o.known(inode); within && isSocket && !ours {
		return o.notifier.Continue(c)
	}
	theirs, err := o.look(c)
	switch {
	case errors.Is(err, unix.EBADF), errors.Is(err, unix.ENOTSOCK):
		return o.notifier.Continue(c) // the kernel says so itself
	case err != nil && !o.notifier.Valid(c):
		return nil
	case err != nil:
		o.complain(slog.LevelError, fmt.Sprintf("the program connects to %s, but its socket cannot be looked at (%v): refused (EPERM); let the unit set the user (User=), or give Rouse CAP_SYS_PTRACE", to, err))
		return o.notifier.Fail(c, unix.EPERM)
	}
	before, ours := o.known(theirs.inode)
	if !ours && (within || theirs.inside(to)) {
		theirs.close()
		return o.notifier.Continue(c)
	}
	return o.reach(c, name{to, raw}, theirs, before, apart)
}

// reach connects the program's socket to the address, or apart: to nothing any more. before is what is known of the socket
// where it is one of the dispatcher's.
func (o *outside) reach(c seccomp.Call, to name, theirs *theirs, before lent, apart bool) error {
	remote := netip.AddrPortFrom(to.host, to.port)
	switch {
	case theirs.own != own{tcp, to.family} && !apart:
		theirs.close()
		return o.notifier.Fail(c, unix.EAFNOSUPPORT)
	case theirs.copy < 0:
		theirs.close()
		o.complain(slog.LevelError, fmt.Sprintf("the program connects to %s, for which Rouse needs pidfd_getfd(2): refused (EPERM); allow that call (SystemCallFilter=pidfd_getfd in a unit)", to))
		return o.notifier.Fail(c, unix.EPERM)
	case apart, before.remote == remote: // asks what became of it, or tries again
		go o.again(c, to.raw, theirs)
		return nil
	case theirs.busy() != 0:
		errno := theirs.busy()
		theirs.close()
		return o.notifier.Fail(c, errno)
	}
	r := theirs.request("connect")
	r.Remote = remote
	if before.bound.family != "" {
		r.Local, r.ReuseAddress = theirs.local(before.bound), true
	}
	go o.dial(c, to, theirs, r, lent{bound: before.bound, remote: remote})
	return nil
}

// inside tells whether the program's own socket is to be left alone: it is no TCP socket of the address's family, is bound to
// a loopback address, or connected.
func (t *theirs) inside(to asked) bool {
	if t.own != (own{tcp, to.family}) {
		return true
	}
	sa, err := unix.Getsockname(t.copy)
	return err == nil && portOf(sa) != 0
}

func portOf(sa unix.Sockaddr) int {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return sa.Port
	case *unix.SockaddrInet6:
		return sa.Port
	}
	return 0
}

// busy returns what connect(2) says of a socket that connects to something else, or is connected, or listens; 0 where it is
// free.
func (t *theirs) busy() unix.Errno {
	const synSent, closed = 2, 7 // linux/tcp_states.h
	info, err := unix.GetsockoptTCPInfo(t.copy, unix.IPPROTO_TCP, unix.TCP_INFO)
	switch {
	case err != nil || info.State == closed:
		return 0
	case info.State == synSent:
		return unix.EALREADY
	}
	return unix.EISCONN
}

// local returns the address from which a bound socket is to connect. The dispatcher makes another socket for it, so that the
// port has to be free for both; one that was any port may be another one.
func (t *theirs) local(bound asked) netip.AddrPort {
	if bound.port != 0 {
		_ = unix.SetsockoptInt(t.copy, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	return netip.AddrPortFrom(bound.host, bound.port)
}

// again makes the call on our duplicate of the program's socket, which the dispatcher allowed to go to this address.
func (o *outside) again(c seccomp.Call, raw []byte, theirs *theirs) {
	defer theirs.close()
	for {
		errno := connect(theirs.copy, raw)
		if errno == unix.EINTR { // a signal of our own
			continue
		}
		if err := o.end(c, errno); err != nil {
			o.c.Log.Debug("a call could not be answered", "err", err)
		}
		return
	}
}

// connect is connect(2) with a struct sockaddr.
func connect(fd int, raw []byte) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&raw[0])), uintptr(len(raw)))
	return errno
}

// dial gets a socket that connects, and waits for it where the program's call does. Only then the program has it: after an
// error it may go on with its own.
func (o *outside) dial(c seccomp.Call, to name, theirs *theirs, r handoff.NetworkRequest, l lent) {
	defer theirs.close()
	fd, local, err := o.ask(r)
	if err != nil {
		o.fail(c, fmt.Sprintf("the program connects to %s", to), err, unix.ENETUNREACH)
		return
	}
	defer unix.Close(fd)
	answer := unix.Errno(0)
	if theirs.nonblock {
		answer = unix.EINPROGRESS // the program asks the socket what became of it
	} else if answer, err = o.wait(c, theirs, fd); err != nil {
		o.fail(c, fmt.Sprintf("the program connects to %s", to), err, unix.ETIMEDOUT)
		return
	} else if answer == 0 {
		_ = connect(fd, to.raw) // it has arrived, and says so once
	}
	o.c.Log.Debug("the program's socket is one of the dispatcher's", "local", local, "remote", r.Remote, "pid", c.TID)
	o.lend(c, to, theirs, fd, l, answer)
}

// wait waits for a connection as connect(2) does, SO_SNDTIMEO included: EINPROGRESS says that it is not there yet.
func (o *outside) wait(c seccomp.Call, theirs *theirs, fd int) (unix.Errno, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if limit, err := unix.GetsockoptTimeval(theirs.copy, unix.SOL_SOCKET, unix.SO_SNDTIMEO); err == nil && limit.Nano() > 0 {
		var end context.CancelFunc
		ctx, end = context.WithTimeout(ctx, time.Duration(limit.Nano()))
		defer end()
	}
	look := time.NewTicker(time.Second)
	defer look.Stop()
	done := make(chan error, 1)
	go func() { done <- platform.WaitConnected(ctx, fd) }()
	for {
		select {
		case err := <-done:
			if errors.Is(err, context.DeadlineExceeded) {
				return unix.EINPROGRESS, nil
			}
			return 0, err
		case <-look.C:
			if !o.notifier.Valid(c) { // the caller has gone
				cancel()
			}
		}
	}
}
