package handoff

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// packets is a connected SEQPACKET socket that the runtime's poller watches: who waits on it costs no thread.
type packets struct {
	file *os.File
	raw  syscall.RawConn
}

// newSeqpacket makes a SEQPACKET socket, non-blocking and close-on-exec.
func newSeqpacket() (int, error) {
	fd, err := newSocket(unix.SOCK_SEQPACKET)
	if errors.Is(err, unix.EPROTONOSUPPORT) || errors.Is(err, unix.EPROTOTYPE) {
		return -1, errNoSeqpacket
	}
	return fd, err
}

// errNoSeqpacket is what macOS says.
var errNoSeqpacket = fmt.Errorf("unix sockets of this system keep no message boundaries (SOCK_SEQPACKET), which the dispatcher's protocol needs: use a handoff: socket here: %w", errors.ErrUnsupported)

// newPackets takes the descriptor, which is non-blocking, over.
func newPackets(fd int, name string) (*packets, error) {
	file := os.NewFile(uintptr(fd), name)
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &packets{file, raw}, nil
}

// dialPackets connects to the socket at path. It does not wait for a dispatcher whose queue is full: that is EAGAIN.
func dialPackets(path string) (*packets, error) {
	fd, err := newSeqpacket()
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return newPackets(fd, path)
}

// receive waits for a message. io.EOF says that the other side has closed, os.ErrDeadlineExceeded that the deadline passed.
func (p *packets) receive(buffer []byte, most int) (message, error) {
	var m message
	var err error
	for reset := false; ; reset = true {
		waiting := p.raw.Read(func(fd uintptr) bool {
			m, err = receiveMessage(int(fd), buffer, most)
			return err != unix.EAGAIN
		})
		if waiting != nil {
			return message{}, waiting
		}
		// The other side closed before it had read all that we sent. What it had sent itself is still here (unix(7)).
		if err != unix.ECONNRESET || reset {
			return m, err
		}
	}
}

// send sends without waiting, as sendMessage does.
func (p *packets) send(data []byte, descriptors ...int) error {
	var err error
	if closed := p.raw.Control(func(fd uintptr) { err = sendMessage(int(fd), data, descriptors...) }); closed != nil {
		return fmt.Errorf("%w: %w", ErrAbsent, closed)
	}
	return err
}

// push sends as soon as there is room, until the write deadline.
func (p *packets) push(data []byte, descriptors ...int) error {
	var err error
	for rest := time.Millisecond; ; rest = min(2*rest, 100*time.Millisecond) {
		waiting := p.raw.Write(func(fd uintptr) bool {
			err = sendMessage(int(fd), data, descriptors...)
			return !errors.Is(err, unix.EAGAIN)
		})
		if waiting != nil {
			return fmt.Errorf("%w: %w", ErrAbsent, waiting)
		}
		if !errors.Is(err, ErrFull) {
			return err
		}
		time.Sleep(rest) // too many descriptors are under way (ETOOMANYREFS, ENOBUFS): no event tells when that ends
	}
}

// writable waits until there is room again, and at least a moment where no event tells.
func (p *packets) writable(cause error) error {
	if !errors.Is(cause, unix.EAGAIN) {
		time.Sleep(5 * time.Millisecond)
	}
	return p.raw.Write(func(fd uintptr) bool {
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		n, err := unix.Poll(polled, 0)
		return err != unix.EINTR && n != 0
	})
}

// peer is who is at the other end.
func (p *packets) peer() (who Peer, err error) {
	if closed := p.raw.Control(func(fd uintptr) { who, err = PeerOf(int(fd)) }); closed != nil {
		return Peer{}, closed
	}
	return who, err
}

// pidfd is the process at the other end, -1 where the kernel does not tell (SO_PEERPIDFD, Linux 6.5). It is the caller's.
func (p *packets) pidfd() int {
	number := -1
	p.raw.Control(func(fd uintptr) { number = peerPidfd(int(fd)) })
	return number
}

// widen makes room for more messages under way; the kernel takes less where net.core.wmem_max is less.
func (p *packets) widen() {
	p.raw.Control(func(fd uintptr) { unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUF, 1<<20) })
}

func (p *packets) close() { p.file.Close() }

// allowed says whether a user is one of these; of none: root or our own.
func allowed(uid uint32, users []uint32) bool {
	if len(users) == 0 {
		return uid == 0 || uid == uint32(os.Getuid())
	}
	for _, u := range users {
		if u == uid {
			return true
		}
	}
	return false
}
