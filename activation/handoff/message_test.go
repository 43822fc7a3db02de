package handoff

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Descriptors beyond those that are expected are closed, and none is inherited by child processes.
func TestReceiveMessage(t *testing.T) {
	noLeak(t)
	_, c := connection(t)
	for _, kind := range []int{unix.SOCK_DGRAM, unix.SOCK_SEQPACKET, unix.SOCK_STREAM} {
		ours, theirs := pair(t, kind)
		buffer := make([]byte, 100)
		if _, err := receiveMessage(ours, buffer, 1); err != unix.EAGAIN {
			t.Fatal(err)
		}
		many := make([]int, 253) // SCM_MAX_FD
		for i := range many {
			many[i] = c
		}
		for _, most := range []int{0, 2, 300} {
			if err := sendMessage(theirs, []byte("abc"), many...); err != nil {
				t.Fatal(err)
			}
			m, err := receiveMessage(ours, buffer, most)
			if err != nil || string(m.data) != "abc" || len(m.descriptors) != min(most, len(many)) || m.truncated || m.cut {
				t.Fatalf("%d descriptors, %+v, %v", most, m, err)
			}
			for _, fd := range m.descriptors {
				if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
					t.Fatalf("child processes inherit %d, %v", fd, err)
				}
			}
			m.close()
		}
		unix.Close(ours)
	}
}

// A message that is longer than the buffer says so.
func TestReceiveCut(t *testing.T) {
	noLeak(t)
	ours, theirs := pair(t, unix.SOCK_SEQPACKET)
	defer unix.Close(ours)
	if err := sendMessage(theirs, make([]byte, 11)); err != nil {
		t.Fatal(err)
	}
	if m, err := receiveMessage(ours, make([]byte, 10), 1); err != nil || !m.cut || len(m.data) != 10 {
		t.Errorf("%+v, %v", m, err)
	}
}

// The end of a connection is told; an empty datagram is none.
func TestReceiveEnd(t *testing.T) {
	noLeak(t)
	for _, kind := range []int{unix.SOCK_SEQPACKET, unix.SOCK_STREAM} {
		ours, theirs := pair(t, kind)
		unix.Shutdown(theirs, unix.SHUT_WR)
		if _, err := receiveMessage(ours, make([]byte, 10), 1); err != io.EOF {
			t.Error(err)
		}
		unix.Close(ours)
	}
	ours, theirs := pair(t, unix.SOCK_DGRAM)
	defer unix.Close(ours)
	if _, err := unix.SendmsgN(theirs, nil, nil, nil, 0); err != nil {
		t.Fatal(err)
	}
	if m, err := receiveMessage(ours, make([]byte, 10), 1); err != nil || len(m.data) != 0 {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestSendMessage(t *testing.T) {
	noLeak(t)
	ours, theirs := pair(t, unix.SOCK_SEQPACKET)
	var err error
	for err == nil {
		err = sendMessage(theirs, []byte{0})
	}
	if !errors.Is(err, ErrFull) || !errors.Is(err, unix.EAGAIN) {
		t.Error(err)
	}
	unix.Close(ours)
	if err := sendMessage(theirs, []byte{0}); !errors.Is(err, ErrAbsent) {
		t.Error(err)
	}
	if err := sendMessage(-1, []byte{0}); !errors.Is(err, unix.EBADF) || errors.Is(err, ErrFull) || errors.Is(err, ErrAbsent) {
		t.Error(err)
	}
}

func TestPeerOf(t *testing.T) {
	noLeak(t)
	l, err := net.Listen("unix", filepath.Join(shortDir(t), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	p, err := PeerOf(descriptor(t, c.(*net.UnixConn)))
	if want := (Peer{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()), PID: os.Getpid()}); err != nil || p != want {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := PeerOf(-1); err == nil {
		t.Error("nobody is at the end of nothing")
	}
}

func TestCheckConnection(t *testing.T) {
	noLeak(t)
	_, c := connection(t)
	if err := CheckConnection(c, Accepts{}); err != nil {
		t.Error(err)
	}
	for reason, fd := range notConnections(t) {
		if fd >= 0 {
			expectError(t, reason, CheckConnection(fd, Accepts{}), reason)
		}
	}
	ours, _ := pair(t, unix.SOCK_STREAM)
	defer unix.Close(ours)
	if err := CheckConnection(ours, Accepts{Unix: true}); err != nil {
		t.Error(err)
	}
	expectError(t, "nothing", CheckConnection(-1, Accepts{}), "not open")
}

func TestCheckListener(t *testing.T) {
	noLeak(t)
	if err := CheckListener(descriptor(t, listenTCP(t))); err != nil {
		t.Error(err)
	}
	_, c := connection(t)
	expectError(t, "a connection", CheckListener(c), "it does not listen", "tcp")
	packets, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	udp := descriptor(t, packets.(*net.UDPConn))
	expectError(t, "UDP", CheckListener(udp), "datagram socket (udp)")
	if err := CheckPacket(udp); err != nil {
		t.Error(err)
	}
	expectError(t, "a connection", CheckPacket(c), "stream socket (tcp)")
	connected, err := net.Dial("udp4", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	defer connected.Close()
	expectError(t, "with a peer", CheckPacket(descriptor(t, connected.(*net.UDPConn))), "it is connected")
	ours, _ := pair(t, unix.SOCK_DGRAM)
	defer unix.Close(ours)
	expectError(t, "unix", CheckPacket(ours), "a UDP socket is expected")
}
