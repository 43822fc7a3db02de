// Package platform is what the operating system can do for sockets that somebody else opened: faces with one body per
// operating system, system calls only, no policy.
package platform

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Family is the address family of a socket.
type Family string

// State is what a socket is ready for.
type State string

const (
	IPv4 Family = "ipv4"
	IPv6 Family = "ipv6"
	Unix Family = "unix"

	Listening State = "listening" // accept(2) gives connections
	Connected State = "connected" // there is one peer
	Bound     State = "bound"     // it has an address, and neither listens nor has a peer
	Unbound   State = "unbound"   // it has no address
)

// Types of sockets, as SO_TYPE tells them.
const (
	Stream    = "stream"
	Datagram  = "datagram"
	Seqpacket = "seqpacket"
)

// Socket is what the kernel tells about an open socket.
type Socket struct {
	Family   Family
	Type     string // Stream, Datagram, Seqpacket or "type N"
	Protocol string // tcp, mptcp, udp, sctp, unix … or "protocol N"
	State    State
	Local    string // its own address; empty for a unix socket without a name
	Remote   string // its peer's address, when connected; empty for an unnamed unix peer
}

// ErrNotSocket says that a descriptor is open, but is no socket.
var ErrNotSocket = errors.New("not a socket")

// Describe asks the kernel what the descriptor is. It changes nothing. The error wraps EBADF where nothing is open under
// that number, and [ErrNotSocket], with what it is instead, where it is no socket.
func Describe(fd int) (Socket, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return Socket{}, fmt.Errorf("descriptor %d is not open: %w", fd, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return Socket{}, fmt.Errorf("descriptor %d is %s%s: %w", fd, fileType(uint32(st.Mode)), openFile(fd), ErrNotSocket)
	}
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return Socket{}, fmt.Errorf("descriptor %d: type of socket: %w", fd, err)
	}
	local, err := unix.Getsockname(fd)
	if err != nil && !errors.Is(err, unix.EAFNOSUPPORT) {
		return Socket{}, fmt.Errorf("descriptor %d: address of socket: %w", fd, err)
	}
	s := Socket{Type: socketType(kind)}
	s.Family, s.Local = address(fd, local)
	s.Protocol = protocol(fd, s)
	remote, err := unix.Getpeername(fd)
	switch {
	case err == nil:
		s.State = Connected
		_, s.Remote = address(fd, remote)
	case listening(fd, s.Type):
		s.State = Listening
	case hasName(local):
		s.State = Bound
	default:
		s.State = Unbound
	}
	return s, nil
}

// SameFile tells whether two open descriptors are the same file, pipe or socket.
func SameFile(a, b int) bool {
	var x, y unix.Stat_t
	if unix.Fstat(a, &x) != nil || unix.Fstat(b, &y) != nil {
		return false
	}
	if x.Ino == 0 && y.Ino == 0 { // macOS numbers no sockets but unix ones: their addresses have to tell
		one, err1 := Describe(a)
		other, err2 := Describe(b)
		return err1 == nil && err2 == nil && one == other
	}
	return x.Dev == y.Dev && x.Ino == y.Ino
}

// OpenedHere tells whether this process opened the descriptor itself. Then close-on-exec is set, as Go sets it on everything,
// which it is on nothing that came through exec(2). launchd's sockets come another way.
func OpenedHere(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil && flags&unix.FD_CLOEXEC != 0
}

// IsSocket tells whether the descriptor is an open socket.
func IsSocket(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
}

// Readable tells whether a read or an accept on one of the descriptors would not block now (poll(2) without waiting).
// Errors and hang-ups count as readable: somebody has to look.
func Readable(fds ...int) bool {
	polled := make([]unix.PollFd, len(fds))
	for i, fd := range fds {
		polled[i] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	}
	for {
		n, err := unix.Poll(polled, 0)
		if err == unix.EINTR {
			continue
		}
		return n > 0
	}
}

// MoveAside duplicates the descriptor to a free number from 3 on, close-on-exec, and puts /dev/null in its place, so that
// nothing else can take the number. It returns the new number.
func MoveAside(fd int) (int, error) {
	moved, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return -1, fmt.Errorf("duplicate descriptor %d: %w", fd, err)
	}
	if err := Cover(fd); err != nil {
		unix.Close(moved)
		return -1, err
	}
	return moved, nil
}

// Cover puts /dev/null in the place of the descriptor.
func Cover(fd int) error {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open /dev/null: %w", err)
	}
	defer unix.Close(null)
	if err := duplicate(null, fd); err != nil {
		return fmt.Errorf("put /dev/null over descriptor %d: %w", fd, err)
	}
	return nil
}

// PidfdID returns the inode number of the process's own pidfd, which systemd passes as LISTEN_PIDFDID
// (sd_listen_fds(3), since 259). ok is false where the kernel has no such number: before Linux 6.9, and elsewhere.
func PidfdID() (id uint64, ok bool) { return pidfdID() }

// PortHolder returns who listens on the TCP port, as "name (pid N)", or "" where that cannot be known.
func PortHolder(port int) string { return portHolder(port) }

func fileType(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return "a regular file"
	case unix.S_IFDIR:
		return "a directory"
	case unix.S_IFIFO:
		return "a pipe"
	case unix.S_IFCHR:
		return "a character device"
	case unix.S_IFBLK:
		return "a block device"
	}
	return "of a kind of its own" // epoll, eventfd, pidfd and their like
}

func socketType(kind int) string {
	switch kind {
	case unix.SOCK_STREAM:
		return Stream
	case unix.SOCK_DGRAM:
		return Datagram
	case unix.SOCK_SEQPACKET:
		return Seqpacket
	case unix.SOCK_RAW:
		return "raw"
	}
	return fmt.Sprintf("type %d", kind)
}
