package handoff

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// receive is recvmsg(2); no child process inherits what arrives.
func receive(fd int, buffer, control []byte) (n, controlled, flags int, err error) {
	n, controlled, flags, _, err = unix.Recvmsg(fd, buffer, control, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
	return n, controlled, flags, err
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
