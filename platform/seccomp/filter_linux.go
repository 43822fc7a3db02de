package seccomp

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Where seccomp_data has what a filter looks at (linux/seccomp.h).
const (
	offsetNumber = 0
	offsetArch   = 4
)

// program is the filter in BPF (seccomp(2)): the native ABI's notified calls wait, its refused ones fail, all else passes.
func (f Filter) program() []unix.SockFilter {
	const (
		load   = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal  = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		result = unix.BPF_RET | unix.BPF_K
	)
	p := []unix.SockFilter{
		{Code: load, K: offsetArch},
		{Code: equal, K: architecture, Jt: 1},
		{Code: result, K: unix.SECCOMP_RET_ALLOW},
		{Code: load, K: offsetNumber},
	}
	for _, number := range f.Notify {
		p = append(p, unix.SockFilter{Code: equal, K: uint32(number), Jf: 1}, unix.SockFilter{Code: result, K: unix.SECCOMP_RET_USER_NOTIF})
	}
	for _, number := range f.Refuse {
		p = append(p, unix.SockFilter{Code: equal, K: uint32(number), Jf: 1}, unix.SockFilter{Code: result, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)})
	}
	return append(p, unix.SockFilter{Code: result, K: unix.SECCOMP_RET_ALLOW})
}

// install puts the calling thread under the filter, for good, and returns the descriptor of its notifier (close-on-exec) and
// whether the thread has no_new_privs.
func (f Filter) install(p Privileges) (fd int, noNewPrivs bool, err error) {
	if architecture == 0 {
		return -1, false, ErrUnsupported
	}
	if p == None {
		if err := giveUpPrivileges(); err != nil {
			return -1, false, err
		}
	}
	fd, err = f.load()
	if err == unix.EACCES && p != Kept && p != None {
		if err := giveUpPrivileges(); err != nil {
			return -1, false, err
		}
		fd, err = f.load()
	}
	if err != nil {
		return -1, false, reason(err)
	}
	if !canPut(fd) {
		unix.Close(fd)
		return -1, false, ErrUnsupported
	}
	set, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	return fd, err == nil && set == 1, nil
}

func giveUpPrivileges() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("%w: no_new_privs: %w", ErrDenied, err)
	}
	return nil
}

// load makes the seccomp call. WAIT_KILLABLE_RECV (Linux 5.19) keeps a program's call from being torn by its own signals once
// it was received; without SPEC_ALLOW, kernels before 5.16 slow the program down.
func (f Filter) load() (fd int, err error) {
	program := f.program()
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	flags := uintptr(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW)
	tries := []uintptr{unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, 0}
	if f.Interruptible {
		tries = tries[1:]
	}
	for _, more := range tries {
		r, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags|more, uintptr(unsafe.Pointer(&prog)))
		switch errno {
		case 0:
			return int(r), nil
		case unix.EINVAL:
			err = errno
		default:
			return -1, errno
		}
	}
	return -1, err
}

// reason says what an error number of seccomp(2) means.
func reason(err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		return ErrTaken
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("%w (seccomp: %w)", ErrUnsupported, err)
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w: without CAP_SYS_ADMIN it needs no_new_privs (seccomp: %w)", ErrDenied, err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%w (seccomp: %w)", ErrDenied, err)
	}
	return fmt.Errorf("seccomp: %w", err)
}

// canPut tells whether the kernel can put descriptors into programs. One that can (Linux 5.9) finds that there is no source
// descriptor; one that cannot does not know the ioctl.
func canPut(fd int) bool {
	nothing := addition{flags: unix.SECCOMP_ADDFD_FLAG_SETFD, source: ^uint32(0)}
	return ioctl(uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_ADDFD, unsafe.Pointer(&nothing)) == syscall.EBADF
}

// canPutAnswer tells whether the kernel can make a descriptor the answer of a call (Linux 5.14), in the same way.
func canPutAnswer(fd int) bool {
	nothing := addition{flags: unix.SECCOMP_ADDFD_FLAG_SEND, source: ^uint32(0)}
	return ioctl(uintptr(fd), unix.SECCOMP_IOCTL_NOTIF_ADDFD, unsafe.Pointer(&nothing)) == syscall.EBADF
}
