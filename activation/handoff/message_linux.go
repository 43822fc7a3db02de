package handoff

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// send is sendmsg(2). As it never waits, nor do receive and openTCP, Go's scheduler is not told of the call: a process that was
// idle until now would wake its monitor thread first.
func send(fd int, data, control []byte) error {
	var m unix.Msghdr
	var part unix.Iovec
	address(&m, &part, data, control)
	_, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&m)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	if errno != 0 {
		return errno
	}
	return nil
}

// receive is recvmsg(2); no child process inherits what arrives.
func receive(fd int, buffer, control []byte) (n, controlled, flags int, err error) {
	var m unix.Msghdr
	var part unix.Iovec
	address(&m, &part, buffer, control)
	got, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&m)), unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	if errno != 0 {
		return 0, 0, 0, errno
	}
	return int(got), int(m.Controllen), int(m.Flags), nil
}

// address makes the message consist of the data, in one part, and the control data.
func address(m *unix.Msghdr, part *unix.Iovec, data, control []byte) {
	part.Base = unsafe.SliceData(data)
	part.SetLen(len(data))
	m.Iov = part
	m.SetIovlen(1)
	if len(control) > 0 {
		m.Control = unsafe.SliceData(control)
		m.SetControllen(len(control))
	}
}

// openTCP tells whether the descriptor is a TCP or MPTCP connection for sure, by two system calls where Describe makes nine. What
// its client has ended already counts; what is still being connected does not (tcp(7), TCP_INFO: the state is its first byte).
func openTCP(fd int) bool {
	family, state := [4]byte{}, [1]byte{}
	if !option(fd, unix.SOL_SOCKET, unix.SO_DOMAIN, family[:]) || !option(fd, unix.IPPROTO_TCP, unix.TCP_INFO, state[:]) {
		return false
	}
	domain := binary.NativeEndian.Uint32(family[:])
	return (domain == unix.AF_INET || domain == unix.AF_INET6) && (state[0] == unix.BPF_TCP_ESTABLISHED || state[0] == unix.BPF_TCP_CLOSE_WAIT)
}

// option is getsockopt(2).
func option(fd, level, name int, value []byte) bool {
	size := uint32(len(value))
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name),
		uintptr(unsafe.Pointer(unsafe.SliceData(value))), uintptr(unsafe.Pointer(&size)), 0)
	return errno == 0
}

// parseOther reads the sender's credentials, and closes the pidfd that a socket with SO_PASSPIDFD gives.
func parseOther(kind int32, data []byte, sender *Peer) *Peer {
	switch {
	case kind == unix.SCM_CREDENTIALS && len(data) >= unix.SizeofUcred:
		native := binary.NativeEndian
		return &Peer{PID: int(int32(native.Uint32(data))), UID: native.Uint32(data[4:]), GID: native.Uint32(data[8:])}
	case kind == unix.SCM_PIDFD && len(data) >= 4:
		unix.Close(int(int32(binary.NativeEndian.Uint32(data))))
	}
	return sender
}

// tellSenders makes the kernel say who sent each message (SO_PASSCRED, unix(7)).
func tellSenders(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED, 1); err != nil {
		return fmt.Errorf("ask the kernel for the senders of messages: %w", err)
	}
	return nil
}

func peerOf(fd int) (Peer, error) {
	credentials, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return Peer{}, fmt.Errorf("who is at the other end of the unix socket: %w", err)
	}
	return Peer{UID: credentials.Uid, GID: credentials.Gid, PID: int(credentials.Pid)}, nil
}

func newSocket(kind int) (int, error) {
	return unix.Socket(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
}

// hideFile makes bind(2) create the socket's file without any permission: on Linux it takes the mode of the socket itself,
// so that the umask, which is the whole process's, need not change.
func hideFile(fd int) (restore func()) {
	unix.Fchmod(fd, 0)
	return func() {}
}
