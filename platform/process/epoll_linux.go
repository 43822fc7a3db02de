package process

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
)

// Registration is what a process asked epoll(7) about one of its descriptors.
type Registration struct {
	Epoll  int // the descriptor of the epoll set there
	Events uint32
	Data   uint64
}

// Registrations returns what the epoll sets of a process have of the socket under the number fd. A set may have another one
// under that number, which was closed there and is open elsewhere.
func Registrations(pid, fd int) []Registration {
	inode, _ := SocketInode(pid, fd)
	var found []Registration
	for _, epoll := range numbers(fmt.Sprintf("/proc/%d/fd", pid)) {
		if target, err := os.Readlink(descriptorPath(pid, epoll)); err != nil || target != "anon_inode:[eventpoll]" {
			continue
		}
		info, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", pid, epoll))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(info)) {
			if target, r, of, ok := registration(line); ok && target == fd && (of == inode || of == 0 || inode == 0) {
				r.Epoll = epoll
				found = append(found, r)
			}
		}
	}
	return found
}

// registration reads a line such as "tfd: 5 events: 2019 data: ffffffffffffffff pos:0 ino:61af sdev:7"; numbers are
// hexadecimal but the first. The inode is 0 where it is not told, as before Linux 4.13.
func registration(line string) (target int, r Registration, inode uint64, ok bool) {
	f := strings.Fields(line)
	if len(f) < 6 || f[0] != "tfd:" || f[2] != "events:" || f[4] != "data:" {
		return 0, r, 0, false
	}
	for _, field := range f[6:] {
		if digits, ok := strings.CutPrefix(field, "ino:"); ok {
			inode, _ = strconv.ParseUint(digits, 16, 64)
		}
	}
	target, err1 := strconv.Atoi(f[1])
	events, err2 := strconv.ParseUint(f[3], 16, 32)
	data, err3 := strconv.ParseUint(f[5], 16, 64)
	return target, Registration{Events: uint32(events), Data: data}, inode, errors.Join(err1, err2, err3) == nil
}

// Register puts registrations back after the descriptor fd of the process became another socket, which is our descriptor
// socket: with the old file, its registrations went. Epoll knows a file by its number too, and the process will change or
// delete by that number: so it is done under the same number, in a table of descriptors that only one thread of ours has.
func (p *Process) Register(socket, fd int, regs []Registration) error {
	if len(regs) == 0 {
		return nil
	}
	done := make(chan error, 1)
	platform.OnOwnThread(func() { done <- p.registerHere(socket, fd, regs) })
	return <-done
}

// registerHere runs on a thread that ends with it, and with it the table.
func (p *Process) registerHere(socket, fd int, regs []Registration) error {
	if err := unix.Unshare(unix.CLONE_FILES); err != nil {
		return fmt.Errorf("private table of descriptors: %w", err)
	}
	var above [2]int // all that is needed later, out of the way of fd
	for i, needed := range []int{socket, p.pidfd} {
		moved, err := unix.FcntlInt(uintptr(needed), unix.F_DUPFD_CLOEXEC, fd+1)
		if err != nil {
			return fmt.Errorf("move descriptor %d above %d (is the limit of open files lower than the program's?): %w", needed, fd, err)
		}
		above[i] = moved
	}
	if err := unix.Dup3(above[0], fd, unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("socket as descriptor %d: %w", fd, err)
	}
	for _, r := range regs {
		epoll, err := unix.PidfdGetfd(above[1], r.Epoll, 0)
		if err != nil {
			return fmt.Errorf("epoll set %d of the program: %w", r.Epoll, err)
		}
		event := unix.EpollEvent{Events: r.Events, Fd: int32(uint32(r.Data)), Pad: int32(uint32(r.Data >> 32))}
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil && err != unix.EEXIST {
			return fmt.Errorf("register descriptor %d with epoll set %d: %w", fd, r.Epoll, err)
		}
		unix.Close(epoll)
	}
	return nil
}
