package wake

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
	"github.com/rouse-server/rouse/platform/process"
	"github.com/rouse-server/rouse/platform/seccomp"
)

// theirs is the socket that the program binds.
type theirs struct {
	tid      int
	process  *process.Process // nil where it cannot be opened
	copy     int              // our duplicate of it, or -1 where pidfd_getfd(2) is refused: then /proc tells what is needed most
	inode    uint64
	own      own
	nonblock bool
}

// look finds out what the descriptor of a bind is. The error wraps EBADF or ENOTSOCK where it is no socket.
func (s *swapper) look(c seccomp.Call) (*theirs, error) {
	fd := descriptorOf(c)
	t := &theirs{tid: c.TID, copy: -1}
	pid, err := process.Leader(c.TID)
	if err == nil {
		t.process, err = process.Open(pid)
	}
	if err == nil {
		t.copy, err = s.descriptor(t.process, fd)
	}
	if err == nil {
		err = t.describe()
		if inode, ok := process.SocketInode(c.TID, fd); ok && err == nil && inode != t.inode {
			err = fmt.Errorf("thread %d has a table of descriptors of its own", c.TID)
		}
	}
	if err != nil && (pid != c.TID || !errors.Is(err, unix.EBADF) && !errors.Is(err, unix.ENOTSOCK)) { // a thread may have a table of its own
		s.c.Log.Debug("the program's socket is known from /proc only: its options and epoll registrations do not follow", "pid", pid, "err", err)
		t.closeCopy()
		err = t.read(fd)
	}
	if err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// describe asks our duplicate.
func (t *theirs) describe() error {
	var st unix.Stat_t
	if err := unix.Fstat(t.copy, &st); err != nil {
		return err
	}
	kind, err := unix.GetsockoptInt(t.copy, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return err
	}
	domain, err := unix.GetsockoptInt(t.copy, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		return err
	}
	protocol, err := unix.GetsockoptInt(t.copy, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil {
		return err
	}
	flags, err := unix.FcntlInt(uintptr(t.copy), unix.F_GETFL, 0)
	if err != nil {
		return err
	}
	t.inode, t.nonblock = st.Ino, flags&unix.O_NONBLOCK != 0
	t.own = own{transport: transportOf(domain, kind, protocol), family: familyOf(domain)}
	return nil
}

func transportOf(domain, kind, protocol int) transport {
	switch {
	case domain == unix.AF_UNIX && kind == unix.SOCK_STREAM:
		return local
	case domain == unix.AF_UNIX || protocol == unix.IPPROTO_SCTP:
		return otherTransport
	case kind == unix.SOCK_STREAM:
		return tcp
	case kind == unix.SOCK_DGRAM && protocol == unix.IPPROTO_UDP: // those of ICMP are datagrams too
		return udp
	}
	return otherTransport
}

func familyOf(domain int) platform.Family {
	switch domain {
	case unix.AF_INET:
		return platform.IPv4
	case unix.AF_INET6:
		return platform.IPv6
	case unix.AF_UNIX:
		return platform.Unix
	}
	return "other"
}

// read asks /proc.
func (t *theirs) read(fd int) error {
	flags, err := process.Flags(t.tid, fd)
	if _, hidden := os.Stat(fmt.Sprintf("/proc/%d", t.tid)); errors.Is(err, unix.ENOENT) && hidden == nil {
		return fmt.Errorf("descriptor %d: %w", fd, unix.EBADF)
	}
	if err != nil {
		return err
	}
	inode, ok := process.SocketInode(t.tid, fd)
	if !ok {
		return fmt.Errorf("descriptor %d: %w", fd, unix.ENOTSOCK)
	}
	t.inode, t.nonblock, t.own = inode, flags&unix.O_NONBLOCK != 0, ownOf(process.SocketProtocol(t.tid, fd))
	return nil
}

// ownOf reads the name of a socket's protocol.
func ownOf(protocol string) own {
	switch protocol {
	case "TCP", "MPTCP":
		return own{tcp, platform.IPv4}
	case "TCPv6", "MPTCPv6":
		return own{tcp, platform.IPv6}
	case "UDP":
		return own{udp, platform.IPv4}
	case "UDPv6":
		return own{udp, platform.IPv6}
	case "UNIX-STREAM":
		return own{local, platform.Unix}
	case "UNIX": // before Linux 5.15 stream sockets too
		return own{family: platform.Unix}
	case "":
		return own{}
	}
	return own{transport: otherTransport}
}

// target is a number under which the program has the socket.
type target struct {
	fd            int
	closeOnExec   bool
	registrations []process.Registration
}

// targets lists them, duplicates made before the bind included. What is known of the old socket goes with the first swap, so
// all is read before.
func (t *theirs) targets(bound int) []target {
	numbers := process.SameSocket(t.tid, t.inode)
	if !slices.Contains(numbers, bound) {
		numbers = append(numbers, bound)
	}
	var targets []target
	for _, fd := range numbers {
		p := target{fd: fd}
		if flags, err := process.Flags(t.tid, fd); err == nil {
			p.closeOnExec = flags&unix.O_CLOEXEC != 0
		}
		p.registrations = process.Registrations(t.tid, fd)
		targets = append(targets, p)
	}
	return targets
}

func (t *theirs) closeCopy() {
	if t.copy >= 0 {
		unix.Close(t.copy)
		t.copy = -1
	}
}

func (t *theirs) close() {
	t.closeCopy()
	if t.process != nil {
		t.process.Close()
	}
}
