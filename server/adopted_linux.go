package server

import (
	"errors"
	"io"
	"math"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// adopted is a connection made of a descriptor. It is what a net.TCPConn or a net.UnixConn is to this package; package net
// makes one of those of a second descriptor alone (net.FileConn), which there may be none for, and asks the kernel a dozen
// things.
type adopted struct {
	file   *os.File
	raw    syscall.RawConn
	closed atomic.Bool
	local  net.Addr
	peer   net.Addr
}

// adopt makes a connection of the descriptor that was accepted, and owns it from then on.
func (p *peer) adopt(fd int) net.Conn { return adopt(fd, p.near(fd), p.addr()) }

// near is our end of the connection that was accepted.
func (p *peer) near(fd int) net.Addr {
	if p.local == nil {
		return localOf(fd)
	}
	return p.local
}

// adopt makes a connection of a descriptor. What package net sets on accepted connections is set: no delay, and probes for those that
// have vanished (net.ListenConfig).
func adopt(fd int, local, remote net.Addr) *adopted {
	if _, ok := remote.(*net.TCPAddr); ok {
		for _, option := range [...][3]int{
			{unix.IPPROTO_TCP, unix.TCP_NODELAY, 1},
			{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
			{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15},
			{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 15},
			{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 9},
		} {
			unix.SetsockoptInt(fd, option[0], option[1], option[2]) // without them it works too
		}
	}
	return resume(fd, local, remote)
}

// resume makes a connection of a descriptor on which all is set.
func resume(fd int, local, peer net.Addr) *adopted {
	a := &adopted{file: os.NewFile(uintptr(fd), "connection"), local: local, peer: peer}
	a.raw, _ = a.file.SyscallConn() // fails for no file alone
	return a
}

func (a *adopted) Read(b []byte) (int, error) {
	n, err := a.file.Read(b)
	return n, a.failed("read", err)
}

func (a *adopted) Write(b []byte) (int, error) {
	n, err := a.file.Write(b)
	return n, a.failed("write", err)
}

// failed makes an error of package net of one of package os.
func (a *adopted) failed(doing string, err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if wrapped, ok := errors.AsType[*os.PathError](err); ok {
		err = wrapped.Err
	}
	if a.closed.Load() && !errors.Is(err, os.ErrDeadlineExceeded) {
		err = net.ErrClosed
	}
	return &net.OpError{Op: doing, Net: a.peer.Network(), Source: a.local, Addr: a.peer, Err: err}
}

// Close closes the descriptor when nobody uses it any more.
func (a *adopted) Close() error {
	if a.closed.Swap(true) {
		return a.failed("close", net.ErrClosed)
	}
	return a.failed("close", a.file.Close())
}

// ReadFrom sends a file, or part of one, by sendfile(2); all else it copies.
func (a *adopted) ReadFrom(r io.Reader) (n int64, err error) {
	part, limited := r.(*io.LimitedReader)
	if !limited {
		part = &io.LimitedReader{R: r, N: math.MaxInt64}
	}
	file, ok := part.R.(*os.File)
	if !ok {
		return io.Copy(struct{ io.Writer }{a}, r)
	}
	for part.N > 0 && err == nil {
		var sent int
		if sent, err = a.sendfile(file, part.N); sent == 0 {
			break
		}
		n += int64(sent)
		part.N -= int64(sent)
	}
	if n == 0 && refusesSendfile(err) {
		return io.Copy(struct{ io.Writer }{a}, r)
	}
	return n, a.failed("sendfile", err)
}

// atOnce bounds one sendfile(2), so that a write that takes too long is noticed by what it has moved.
const atOnce = 4 << 20

// sendfile sends what the connection takes at once of the next bytes of the file, waiting until it takes some.
func (a *adopted) sendfile(file *os.File, most int64) (sent int, err error) {
	source, err := file.SyscallConn()
	if err != nil {
		return 0, err
	}
	var told, failed error
	err = source.Read(func(from uintptr) bool {
		told = a.raw.Write(func(to uintptr) bool {
			for failed = unix.EINTR; failed == unix.EINTR; {
				sent, failed = unix.Sendfile(int(to), int(from), nil, int(min(most, atOnce)))
			}
			return failed != unix.EAGAIN
		})
		return true
	})
	switch {
	case err != nil:
		return 0, err
	case told != nil: // it waited in vain
		return 0, told
	}
	return max(sent, 0), os.NewSyscallError("sendfile", failed)
}

// refusesSendfile tells whether the file is one that sendfile(2) does not read.
func refusesSendfile(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EPERM)
}

// SyscallConn gives the descriptor to functions that may wait for it.
func (a *adopted) SyscallConn() (syscall.RawConn, error) { return a.raw, nil }

// CloseWrite tells the client that nothing follows.
func (a *adopted) CloseWrite() error {
	var err error
	told := a.raw.Control(func(fd uintptr) { err = os.NewSyscallError("shutdown", unix.Shutdown(int(fd), unix.SHUT_WR)) })
	if told != nil {
		err = told
	}
	return a.failed("close", err)
}

func (a *adopted) LocalAddr() net.Addr  { return a.local }
func (a *adopted) RemoteAddr() net.Addr { return a.peer }

func (a *adopted) SetDeadline(at time.Time) error {
	return a.failed("set", a.file.SetDeadline(at))
}

func (a *adopted) SetReadDeadline(at time.Time) error {
	return a.failed("set", a.file.SetReadDeadline(at))
}

func (a *adopted) SetWriteDeadline(at time.Time) error {
	return a.failed("set", a.file.SetWriteDeadline(at))
}
