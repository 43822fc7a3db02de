//go:build !linux

package handoff

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// send is sendmsg(2).
func send(fd int, data, control []byte) error {
	_, err := unix.SendmsgN(fd, data, control, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	return err
}

// receive is recvmsg(2). There is no MSG_CMSG_CLOEXEC here: no process may be started until the flag is set.
func receive(fd int, buffer, control []byte) (n, controlled, flags int, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	n, controlled, flags, _, err = unix.Recvmsg(fd, buffer, control, unix.MSG_DONTWAIT)
	if err != nil {
		return n, controlled, flags, err
	}
	for rest := control[:controlled]; len(rest) > 0; {
		var one unix.SocketControlMessage
		if one.Header, one.Data, rest, err = unix.ParseOneSocketControlMessage(rest); err != nil {
			return n, controlled, flags, nil
		}
		descriptors, _ := unix.ParseUnixRights(&one)
		for _, fd := range descriptors {
			unix.CloseOnExec(fd)
		}
	}
	return n, controlled, flags, nil
}

// openTCP does not know: all has to be asked.
func openTCP(int) bool { return false }

func parseOther(_ int32, _ []byte, sender *Peer) *Peer { return sender }

// tellSenders does nothing: the sender of a single message is not told here. The permissions of the socket file decide.
func tellSenders(int) error { return nil }

func newSocket(kind int) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(unix.AF_UNIX, kind, 0)
	if err != nil {
		return -1, err
	}
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// hideFile makes bind(2) create the socket's file without any permission, by the umask of the whole process.
func hideFile(int) (restore func()) {
	before := unix.Umask(0o777)
	return func() { unix.Umask(before) }
}
