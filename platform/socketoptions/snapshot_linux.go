package socketoptions

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Snapshot is the state of a socket before a program had it.
type Snapshot struct {
	values    map[string]string // by the option's name
	nonblock  bool
	listening bool
	backlog   int           // of a TCP listener; 0: not known
	local     unix.Sockaddr // nil: not known
	peer      bool
}

// Take notes the state of the socket: its options, whether it is non-blocking, whether it listens, and how many clients may
// wait there.
func Take(fd int) Snapshot {
	s := Snapshot{values: map[string]string{}, nonblock: isNonblock(fd), listening: isListening(fd), backlog: backlog(fd)}
	for _, o := range options() {
		if value, ok := o.get(fd); ok {
			s.values[o.name] = value
		}
	}
	s.local, _ = unix.Getsockname(fd)
	s.peer = hasPeer(fd)
	return s
}

// Nonblocking is the same state with O_NONBLOCK, which who polls the socket needs.
func (s Snapshot) Nonblocking() Snapshot {
	s.nonblock = true
	return s
}

// Restore brings the socket back to what it was, and returns the names of what it changed: options, O_NONBLOCK, "backlog",
// "listen" where the program had ended that by shutdown(2), "connect" where the program had connected it. Options that cannot
// be set back are left. Where the socket cannot listen any more, so that it is of no use to anybody, "listen: " and the
// reason is the last one.
func (s Snapshot) Restore(fd int) (changed []string) {
	for _, o := range options() {
		want, known := s.values[o.name]
		if is, ok := o.get(fd); known && ok && is != want && o.set(fd, want) {
			changed = append(changed, o.name)
		}
	}
	if isNonblock(fd) != s.nonblock && SetNonblock(fd, s.nonblock) == nil {
		changed = append(changed, "O_NONBLOCK")
	}
	if !s.peer && !s.listening && hasPeer(fd) && s.disconnect(fd) == nil {
		changed = append(changed, "connect")
	}
	if s.listening {
		changed = append(changed, s.restoreListener(fd)...)
	}
	return changed
}

func (s Snapshot) restoreListener(fd int) (changed []string) {
	switch {
	case isShutDown(fd):
		return []string{"listen: after shutdown(2) a unix socket never lets clients in again"}
	case !isListening(fd):
		if err := s.listenAgain(fd); err != nil {
			return []string{"listen: " + err.Error()}
		}
		return []string{"listen"}
	case s.backlog > 0 && backlog(fd) != s.backlog && unix.Listen(fd, s.backlog) == nil:
		return []string{"backlog"}
	}
	return nil
}

// isShutDown tells whether a listener still is one by name only. A TCP socket goes on being closed instead.
func isShutDown(fd int) bool {
	polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	n, err := unix.Poll(polled, 0)
	return err == nil && n > 0 && polled[0].Revents&(unix.POLLRDHUP|unix.POLLHUP) != 0 && isListening(fd)
}

// listenAgain revives a listener. A port that bind(2) did not ask for by number went with the shutdown, and is taken again.
func (s Snapshot) listenAgain(fd int) error {
	if err := s.bindAgain(fd); err != nil {
		return err
	}
	if s.backlog > 0 {
		return unix.Listen(fd, s.backlog)
	}
	return unix.Listen(fd, unix.SOMAXCONN)
}

// disconnect lets a packet socket have any peer again (connect(2)).
func (s Snapshot) disconnect(fd int) error {
	nobody := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&nobody)), unix.SizeofSockaddrAny)
	if errno != 0 {
		return errno
	}
	return s.bindAgain(fd)
}

// bindAgain takes the socket's address again if it was lost. getsockname(2) would tell the old one in either case.
func (s Snapshot) bindAgain(fd int) error {
	switch s.local.(type) {
	case *unix.SockaddrInet4, *unix.SockaddrInet6:
	default:
		return nil
	}
	err := unix.Bind(fd, s.local)
	if err == unix.EINVAL || err == unix.EACCES { // it has it still; a privileged port is refused before that is looked at
		return nil
	}
	return err
}

// backlog returns how many clients may wait at a TCP listener: the kernel tells it in a field that has another meaning for
// connections (tcp_get_info in net/ipv4/tcp.c). 0 where that is not known.
func backlog(fd int) int {
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil || !isListening(fd) {
		return 0
	}
	return int(info.Sacked)
}

func isListening(fd int) bool {
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	return err == nil && n != 0
}

func hasPeer(fd int) bool {
	_, err := unix.Getpeername(fd)
	return err == nil
}

func isNonblock(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return err == nil && flags&unix.O_NONBLOCK != 0
}

// SetNonblock sets or clears O_NONBLOCK alone (ioctl FIONBIO): to set all flags, as F_SETFL does, could undo what others who
// share the open file set meanwhile.
func SetNonblock(fd int, on bool) error {
	value := 0
	if on {
		value = 1
	}
	return unix.IoctlSetPointerInt(fd, fionbio, value)
}

// fionbio is FIONBIO of asm-generic/ioctls.h.
const fionbio = 0x5421
