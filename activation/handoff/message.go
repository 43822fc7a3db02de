package handoff

import (
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// controlSize is room for all descriptors that one message can hold (SCM_MAX_FD, 253) and who sent it.
const controlSize = 1280

// Peer is the process at the other end, as the kernel knows it. PID is 0 where it cannot be seen from here.
type Peer struct {
	UID, GID uint32
	PID      int
}

func (p Peer) String() string {
	if p.PID == 0 {
		return fmt.Sprintf("uid %d", p.UID)
	}
	return fmt.Sprintf("uid %d, pid %d", p.UID, p.PID)
}

// PeerOf returns who holds the other end of a connected unix socket: who connected, listened or made the pair then.
func PeerOf(fd int) (Peer, error) { return peerOf(fd) }

// message is what one recvmsg(2) gave.
type message struct {
	data        []byte // part of the buffer
	descriptors []int  // close-on-exec; they belong to the caller
	sender      *Peer  // with SO_PASSCRED set on the socket; nil where the system does not tell
	truncated   bool   // descriptors were lost: this process may open no more, or the message held too many
	cut         bool   // it was longer than the buffer
}

// close closes what came with the message.
func (m message) close() { closeAll(m.descriptors) }

func closeAll(descriptors []int) {
	for _, fd := range descriptors {
		unix.Close(fd)
	}
}

// sendMessage sends the data, at least one byte, with the descriptors, which stay the caller's. It does not wait: ErrFull
// says that there is no room now, ErrAbsent that the other side is gone; both with their cause.
func sendMessage(fd int, data []byte, descriptors ...int) error {
	var control []byte
	if len(descriptors) > 0 {
		control = unix.UnixRights(descriptors...)
	}
	for {
		switch err := send(fd, data, control); err {
		case nil:
			return nil
		case unix.EINTR:
			continue
		case unix.EAGAIN, unix.ENOBUFS, unix.ETOOMANYREFS:
			return fmt.Errorf("%w: %w", ErrFull, err)
		case unix.ECONNREFUSED, unix.ENOENT, unix.EPIPE, unix.ECONNRESET, unix.ENOTCONN:
			return fmt.Errorf("%w: %w", ErrAbsent, err)
		default:
			return fmt.Errorf("send over a unix socket: %w", err)
		}
	}
}

// receiveMessage takes one message without waiting (EAGAIN, as it is), with at most so many descriptors: the others are
// closed. io.EOF says that the other side of a connected socket has closed it.
func receiveMessage(fd int, buffer []byte, most int) (message, error) {
	var control [controlSize]byte
	for {
		n, controlled, flags, err := receive(fd, buffer, control[:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return message{}, err
		}
		m := parseControl(control[:controlled], most)
		m.data = buffer[:n]
		m.truncated = flags&unix.MSG_CTRUNC != 0
		m.cut = flags&unix.MSG_TRUNC != 0
		if n == 0 && len(m.descriptors) == 0 && connectionOriented(fd) {
			return message{}, io.EOF
		}
		return m, nil
	}
}

// connectionOriented tells whether no data means that the other side has ended, as with all sockets but datagrams.
func connectionOriented(fd int) bool {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	return err != nil || kind != unix.SOCK_DGRAM
}

// parseControl takes the descriptors and the sender from the control data, and closes the descriptors beyond most. Control
// data comes from the kernel; what cannot be read ends it.
func parseControl(control []byte, most int) (m message) {
	for len(control) > 0 {
		header, data, rest, err := unix.ParseOneSocketControlMessage(control)
		if err != nil {
			return m
		}
		control = rest
		if header.Level != unix.SOL_SOCKET {
			continue
		}
		if header.Type != unix.SCM_RIGHTS {
			m.sender = parseOther(header.Type, data, m.sender)
			continue
		}
		one := unix.SocketControlMessage{Header: header, Data: data}
		descriptors, err := unix.ParseUnixRights(&one)
		if err != nil {
			continue
		}
		taken := min(most-len(m.descriptors), len(descriptors))
		m.descriptors = append(m.descriptors, descriptors[:taken]...)
		closeAll(descriptors[taken:])
	}
	return m
}
