package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// answer serves until it is ended, as `bench answer WAY [PATH]`.
func answer(args []string) error {
	runtime.LockOSThread()
	way, path := "", ""
	if len(args) > 0 {
		way = args[0]
	}
	if len(args) > 1 {
		path = args[1]
	}
	switch way {
	case fromListener:
		return answerListener(firstSocket)
	case fromGiven:
		return answerGiven(path)
	case fromDatagrams:
		return answerDatagrams(path)
	case fromConnections:
		return answerConnections(path)
	}
	return fmt.Errorf("%s is for bench itself", answerCommand)
}

// say is all that a client is told.
func say(connection int) {
	unix.Write(connection, []byte{'!'}) // who has gone is not told
	unix.Close(connection)
}

func answerListener(listener int) error {
	if err := unix.SetNonblock(listener, false); err != nil {
		return err
	}
	for {
		// unix.Accept4 would ask for the socket's protocol too.
		connection, _, err := syscall.Accept4(listener, unix.SOCK_CLOEXEC)
		switch {
		case err == nil:
			say(connection)
		case !errors.Is(err, unix.EINTR) && !errors.Is(err, unix.ECONNABORTED):
			return fmt.Errorf("accepting: %w", err)
		}
	}
}

// answerDatagrams receives what socketbox sends: one byte with a descriptor (activation/handoff/PROTOCOL.md §2).
func answerDatagrams(path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		return fmt.Errorf("binding %s: %w", path, err)
	}
	for {
		_, connection, err := receive1(fd, make([]byte, 128), 0)
		if err != nil {
			return err
		}
		if connection >= 0 {
			say(connection)
		}
	}
}

// Rouse's own protocol, as far as it is used here (activation/handoff/PROTOCOL.md §1).
const (
	helloFrame      = 1
	welcomeFrame    = 2
	connectionFrame = 4
	socketFrame     = 5
	acceptedFrame   = 7
	takesListeners  = 2
	takesConnection = 3
	frameHead       = 4   // bytes: "RH", version, type
	credit          = 128 // connections that may be under way
)

// register connects to the desk when it is there, and says hello as the backend "answer".
func register(desk string, takes byte) (fd int, err error) {
	if fd, err = unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0); err != nil {
		return -1, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := retry(ctx, nil, func() error { return unix.Connect(fd, &unix.SockaddrUnix{Name: desk}) }); err != nil {
		return -1, fmt.Errorf("connecting to %s: %w", desk, err)
	}
	hello := []byte{'R', 'H', 1, helloFrame, 0, byte(len(answerCommand))}
	hello = append(append(hello, answerCommand...), takes)
	hello = append(binary.BigEndian.AppendUint32(hello, credit), 0, 0) // no sockets of an earlier session
	if _, err := unix.Write(fd, hello); err != nil {
		return -1, fmt.Errorf("registering: %w", err)
	}
	frame := make([]byte, 4096)
	n, _, err := receive1(fd, frame, 0)
	if err == nil && (n < frameHead || frame[3] != welcomeFrame) {
		err = fmt.Errorf("%q", frame[:n])
	}
	if err != nil {
		return -1, fmt.Errorf("not admitted: %w", err)
	}
	return fd, nil
}

func answerGiven(desk string) error {
	session, err := register(desk, takesListeners)
	if err != nil {
		return err
	}
	frame := make([]byte, 4096)
	for {
		n, listener, err := receive1(session, frame, 0)
		if err != nil {
			return err
		}
		if n >= frameHead && frame[3] == socketFrame && listener >= 0 {
			return answerListener(listener)
		}
	}
}

// answerConnections accepts all that have come with one frame, which allows as many new ones.
func answerConnections(desk string) error {
	session, err := register(desk, takesConnection)
	if err != nil {
		return err
	}
	frame := make([]byte, 4096)
	connections, accepted := make([]int, 0, credit), make([]byte, 0, 4096)
	for {
		connections = connections[:0]
		accepted = append(accepted[:0], 'R', 'H', 1, acceptedFrame, 0, 0, 0, 0, 0, 0)
		for flags := 0; len(connections) < credit; flags = unix.MSG_DONTWAIT {
			n, connection, err := receive1(session, frame, flags)
			if errors.Is(err, unix.EAGAIN) {
				break
			}
			if err != nil {
				return err
			}
			if n >= frameHead+8 && frame[3] == connectionFrame && connection >= 0 {
				connections = append(connections, connection)
				accepted = append(accepted, frame[frameHead:frameHead+8]...) // its number
			}
		}
		binary.BigEndian.PutUint32(accepted[frameHead:], uint32(len(connections)))
		binary.BigEndian.PutUint16(accepted[frameHead+4:], uint16(len(connections)))
		if len(connections) == 0 {
			continue
		}
		if _, err := unix.Write(session, accepted); err != nil {
			return fmt.Errorf("accepting: %w", err)
		}
		for _, connection := range connections {
			say(connection)
		}
	}
}

// receive1 receives a message with at most one descriptor; without one it is -1. The end of the channel is an error.
func receive1(fd int, data []byte, flags int) (n, descriptor int, err error) {
	var control [64]byte
	for {
		var cn int
		n, cn, _, _, err = unix.Recvmsg(fd, data, control[:], unix.MSG_CMSG_CLOEXEC|flags)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return 0, -1, err
		case n == 0 && cn == 0:
			return 0, -1, errors.New("the dispatcher has ended")
		}
		messages, err := unix.ParseSocketControlMessage(control[:cn])
		if err != nil || len(messages) == 0 {
			return n, -1, err
		}
		descriptors, err := unix.ParseUnixRights(&messages[0])
		if err != nil || len(descriptors) != 1 {
			return n, -1, fmt.Errorf("descriptors %v: %w", descriptors, err)
		}
		return n, descriptors[0], nil
	}
}
