package program

import (
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Sender passes open connections on as socketbox does: each message is one zero byte and one descriptor (unix(7), SCM_RIGHTS).
// It is written from the protocol's description, and shares nothing with the program that is tested.
type Sender struct {
	t  testing.TB
	fd atomic.Int64 // blocks; -1 after Close
}

func newSender(t testing.TB, fd int) *Sender {
	s := &Sender{t: t}
	s.fd.Store(int64(fd))
	t.Cleanup(s.Close)
	return s
}

// SenderTo connects to the datagram socket at the path.
func SenderTo(t testing.TB, path string) *Sender {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	}
	if err != nil {
		t.Fatalf("connect to %s: %v", path, err)
	}
	return newSender(t, fd)
}

// SenderPair returns a sender, and the other end of its pair of sockets (SOCK_DGRAM, SOCK_SEQPACKET or SOCK_STREAM) to pass on.
func SenderPair(t testing.TB, kind int) (*Sender, *os.File) {
	t.Helper()
	syscall.ForkLock.RLock()
	pair, err := unix.Socketpair(unix.AF_UNIX, kind, 0)
	if err == nil {
		unix.CloseOnExec(pair[0])
		unix.CloseOnExec(pair[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Skip(err)
	}
	file := os.NewFile(uintptr(pair[1]), "channel")
	t.Cleanup(func() { file.Close() })
	return newSender(t, pair[0]), file
}

// Close ends it; the receiver of a pair sees that.
func (s *Sender) Close() {
	if fd := s.fd.Swap(-1); fd >= 0 {
		unix.Close(int(fd))
	}
}

// Send passes a descriptor, and waits while the receiver's queue is full.
func (s *Sender) Send(fd int) error {
	for {
		err := unix.Sendmsg(int(s.fd.Load()), []byte{0}, unix.UnixRights(fd), nil, unix.MSG_NOSIGNAL)
		if err != unix.EINTR {
			return err
		}
	}
}

// Front accepts clients at an address, and passes them on until the test ends. It returns the address.
func (s *Sender) Front(network, address string) string {
	s.t.Helper()
	l := listen(s.t, network, address).(*net.TCPListener)
	var passing sync.WaitGroup
	passing.Go(func() {
		for {
			conn, err := l.AcceptTCP()
			if err != nil {
				return
			}
			raw, err := conn.SyscallConn()
			if err != nil {
				return
			}
			raw.Control(func(fd uintptr) {
				if err := s.Send(int(fd)); err != nil {
					s.t.Logf("a client could not be passed on: %v", err)
				}
			})
			conn.Close()
		}
	})
	s.t.Cleanup(func() {
		l.Close()
		passing.Wait()
	})
	return l.Addr().String()
}
