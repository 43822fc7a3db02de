package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// SocketInode returns the number by which the kernel knows the socket at a descriptor of a process or thread; not ok where
// that is no socket, or cannot be seen.
func SocketInode(pid, fd int) (inode uint64, ok bool) {
	target, err := os.Readlink(descriptorPath(pid, fd))
	if err != nil {
		return 0, false
	}
	return socketInode(target)
}

// SocketProtocol returns the name of the protocol of the socket at a descriptor, such as TCP, UDPv6 or UNIX-STREAM, which the
// kernel's socket file system has in an extended attribute; empty where that cannot be had.
func SocketProtocol(pid, fd int) string {
	var name [32]byte
	n, err := unix.Getxattr(descriptorPath(pid, fd), "system.sockprotoname", name[:])
	if err != nil {
		return ""
	}
	return unix.ByteSliceToString(name[:n])
}

func socketInode(link string) (inode uint64, ok bool) {
	digits, ok := strings.CutPrefix(link, "socket:[")
	if !ok {
		return 0, false
	}
	inode, err := strconv.ParseUint(strings.TrimSuffix(digits, "]"), 10, 64)
	return inode, err == nil
}

// SameSocket returns all descriptors of a process that are this socket.
func SameSocket(pid int, inode uint64) []int {
	var same []int
	for _, fd := range numbers(fmt.Sprintf("/proc/%d/fd", pid)) {
		if one, ok := SocketInode(pid, fd); ok && one == inode {
			same = append(same, fd)
		}
	}
	return same
}

// Flags returns the flags of a descriptor and of the open file behind it, as open(2) names them: O_CLOEXEC, O_NONBLOCK …
func Flags(pid, fd int) (flags int, err error) {
	path := fmt.Sprintf("/proc/%d/fdinfo/%d", pid, fd)
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, "flags:"); ok {
			octal, err := strconv.ParseInt(strings.TrimSpace(value), 8, 64)
			return int(octal), err
		}
	}
	return 0, fmt.Errorf("%s names no flags", path)
}

func descriptorPath(pid, fd int) string { return fmt.Sprintf("/proc/%d/fd/%d", pid, fd) }

// Process is a process that is held by a pidfd, so that its number cannot come to mean another one.
type Process struct{ pidfd int }

// Open opens a process, not a mere thread of one (pidfd_open(2)).
func Open(pid int) (*Process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", pid, err)
	}
	return &Process{fd}, nil
}

// Close lets go of the process.
func (p *Process) Close() { unix.Close(p.pidfd) }

// Descriptor returns a duplicate of a descriptor of the process, which the caller has to close; it is close-on-exec
// (pidfd_getfd(2)). The error wraps EPERM where this process may not, ENOSYS where the kernel cannot, EBADF where nothing is
// open there.
func (p *Process) Descriptor(fd int) (int, error) {
	own, err := unix.PidfdGetfd(p.pidfd, fd, 0)
	if err != nil {
		return -1, fmt.Errorf("duplicate descriptor %d of a process: %w", fd, err)
	}
	return own, nil
}
