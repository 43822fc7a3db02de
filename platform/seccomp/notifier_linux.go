package seccomp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What the ioctls take (linux/seccomp.h). Their sizes are part of the ioctls' numbers.
type (
	notification struct {
		id     uint64
		tid    uint32
		flags  uint32
		number int32
		arch   uint32
		ip     uint64
		args   [6]uint64
	}
	response struct {
		id    uint64
		value int64
		errno int32 // negative
		flags uint32
	}
	addition struct {
		id          uint64
		flags       uint32
		source      uint32
		target      uint32
		targetFlags uint32
	}
)

// Notifier answers the calls that a filter notifies of. Every call waits until it is answered; when the notifier is closed,
// they fail with ENOSYS, those to come too. One goroutine may receive while others answer.
type Notifier struct {
	file *os.File
	raw  syscall.RawConn
}

func newNotifier(fd int) (*Notifier, error) {
	if err := unix.SetNonblock(fd, true); err != nil { // only so does the runtime watch it, and no thread has to
		unix.Close(fd)
		return nil, fmt.Errorf("seccomp notifier: %w", err)
	}
	file := os.NewFile(uintptr(fd), "seccomp notifier")
	raw, err := file.SyscallConn()
	if err == nil {
		err = file.SetReadDeadline(time.Time{}) // an error tells that the runtime cannot watch it
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("seccomp notifier: %w", err)
	}
	return &Notifier{file, raw}, nil
}

// Receive waits for the next call. The error is io.EOF when no task is left under the filter, and wraps os.ErrClosed after
// Close.
func (n *Notifier) Receive() (Call, error) {
	var c Call
	var failed error
	err := n.raw.Read(func(fd uintptr) (done bool) {
		c, done, failed = receive(fd)
		return done
	})
	if err != nil {
		return Call{}, fmt.Errorf("seccomp notifier: %w", os.ErrClosed)
	}
	return c, failed
}

// receive takes a call if there is one. It asks poll(2) first: SECCOMP_IOCTL_NOTIF_RECV may wait for ever.
func receive(fd uintptr) (c Call, done bool, err error) {
	for {
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		_, err := unix.Poll(polled, 0)
		switch state := polled[0].Revents; {
		case err == unix.EINTR || state&unix.POLLIN == 0 && state&unix.POLLERR != 0: // a signal came while the kernel took its lock
			continue
		case err != nil:
			return Call{}, true, fmt.Errorf("poll the seccomp notifier: %w", err)
		case state&unix.POLLIN != 0:
		case state&unix.POLLHUP != 0:
			return Call{}, true, io.EOF
		default:
			return Call{}, false, nil
		}
		var r notification // the kernel insists on zeros
		switch err := ioctl(fd, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&r)); err {
		case nil:
			return Call{ID: r.id, TID: int(r.tid), Number: int(r.number), Args: r.args}, true, nil
		case unix.ENOENT: // the caller died, or was interrupted
		default:
			return Call{}, true, fmt.Errorf("receive from the seccomp notifier: %w", err)
		}
	}
}

// Valid tells whether the call still waits. What was read under its TID before is then really from its caller.
func (n *Notifier) Valid(c Call) bool {
	id := c.ID
	return n.ioctl(unix.SECCOMP_IOCTL_NOTIF_ID_VALID, unsafe.Pointer(&id)) == nil
}

// Continue lets the kernel make the call, as if there were no filter. Like the other answers it does nothing when the caller
// is gone.
func (n *Notifier) Continue(c Call) error {
	return n.answer(response{id: c.ID, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE})
}

// Return makes the call return the value.
func (n *Notifier) Return(c Call, value int64) error {
	return n.answer(response{id: c.ID, value: value})
}

// Fail makes the call fail.
func (n *Notifier) Fail(c Call, errno syscall.Errno) error {
	return n.answer(response{id: c.ID, errno: -int32(errno)})
}

func (n *Notifier) answer(r response) error {
	err := n.ioctl(unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&r))
	if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EINPROGRESS) { // EINPROGRESS: it was answered already
		return fmt.Errorf("answer through the seccomp notifier: %w", err)
	}
	return nil
}

// Put makes our descriptor source the descriptor target of the caller, in place of what it has there. The error wraps the
// kernel's: ENOENT when the caller is gone, EBADF where its limit of open files forbids the number.
func (n *Notifier) Put(c Call, source, target int, closeOnExec bool) error {
	a := addition{id: c.ID, flags: unix.SECCOMP_ADDFD_FLAG_SETFD, source: uint32(source), target: uint32(target)}
	if closeOnExec {
		a.targetFlags = unix.O_CLOEXEC
	}
	if err := n.ioctl(unix.SECCOMP_IOCTL_NOTIF_ADDFD, unsafe.Pointer(&a)); err != nil {
		return fmt.Errorf("put descriptor %d into the program as %d: %w", source, target, err)
	}
	return nil
}

// PutAnswer gives the caller our descriptor source under a free number, which its call returns: both happen, or none. The
// error wraps the kernel's: ENOENT when the caller is gone or was interrupted, EMFILE where it has as many open files as it
// may; then the call still waits for its answer.
func (n *Notifier) PutAnswer(c Call, source int, closeOnExec bool) error {
	a := addition{id: c.ID, flags: unix.SECCOMP_ADDFD_FLAG_SEND, source: uint32(source)}
	if closeOnExec {
		a.targetFlags = unix.O_CLOEXEC
	}
	var err error
	withoutSignals(func() { err = n.ioctl(unix.SECCOMP_IOCTL_NOTIF_ADDFD, unsafe.Pointer(&a)) })
	if err != nil {
		return fmt.Errorf("answer with descriptor %d: %w", source, err)
	}
	return nil
}

// withoutSignals blocks signals on the thread meanwhile. The kernel waits until the caller has taken a descriptor, and where a
// signal interrupts that, the caller's call returns 0 and no descriptor (seccomp_notify_addfd in kernel/seccomp.c).
func withoutSignals(do func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, before unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	if unix.PthreadSigmask(unix.SIG_SETMASK, &all, &before) == nil {
		defer unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)
	}
	do()
}

// CanPutAnswer tells whether the kernel has what PutAnswer needs.
func (n *Notifier) CanPutAnswer() bool {
	can := false
	n.raw.Control(func(fd uintptr) { can = canPutAnswer(int(fd)) })
	return can
}

// Close closes the notifier, and wakes Receive.
func (n *Notifier) Close() error { return n.file.Close() }

func (n *Notifier) ioctl(request uint, arg unsafe.Pointer) error {
	var failed error
	if err := n.raw.Control(func(fd uintptr) { failed = ioctl(fd, request, arg) }); err != nil {
		return os.ErrClosed
	}
	return failed
}

// ioctl repeats what a signal interrupted: the kernel waits for its lock interruptibly.
func ioctl(fd uintptr, request uint, arg unsafe.Pointer) error {
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, uintptr(request), uintptr(arg))
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}
