package server

import (
	"errors"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// inARow is how many connections are taken before other goroutines get their turn.
const inARow = 64

// batch takes connections from a listening socket, many at each waking. It waits on a duplicate of the listener's descriptor,
// which the runtime's poller knows: a listener's own syscall.RawConn cannot wait (net: its Read is EINVAL).
type batch struct {
	file   *os.File
	raw    syscall.RawConn
	closed atomic.Bool
	from   peer // of the connection that is being taken
}

// newBatch makes a batch of a listener, which stays open beside it. The error is errors.ErrUnsupported where connections do
// not come by accept(2) alone, and net.ErrClosed when the listener is closed.
func newBatch(l net.Listener) (*batch, error) {
	c, ok := l.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	fd, err := duplicate(c)
	if err != nil {
		return nil, err
	}
	// package net has made the socket non-blocking, so the duplicate is.
	b := &batch{file: os.NewFile(uintptr(fd), "listener"), from: peer{local: addressOfAll(l)}}
	b.raw, err = b.file.SyscallConn()
	if err == nil {
		err = b.file.SetDeadline(time.Time{}) // an error here: the poller did not take it
	}
	if err != nil {
		b.file.Close()
		return nil, err
	}
	return b, nil
}

// addressOfAll returns the local address of all connections of a listener; nil where each has its own.
func addressOfAll(l net.Listener) net.Addr {
	a := l.Addr()
	if tcp, ok := a.(*net.TCPAddr); ok && (tcp.IP == nil || tcp.IP.IsUnspecified()) {
		return nil
	}
	return a
}

// duplicate is dup(2), close-on-exec, of a listener's or a connection's descriptor.
func duplicate(c syscall.Conn) (fd int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	told := raw.Control(func(number uintptr) { fd, err = unix.FcntlInt(number, unix.F_DUPFD_CLOEXEC, 3) })
	if told != nil {
		return -1, told
	}
	return fd, os.NewSyscallError("dup", err)
}

// run waits for connections and gives them to take, which owns the descriptors: they are non-blocking and close-on-exec. from
// holds until take returns. run comes back with nil when it has taken many in a row, or when take wants no more, and otherwise with the error of
// accept4(2), os.ErrDeadlineExceeded or net.ErrClosed. taken is how many connections there were.
func (b *batch) run(take func(fd int, from *peer) bool) (taken int, err error) {
	row := 0
	told := b.raw.Read(func(listener uintptr) bool {
		for row = 0; row < inARow; row++ {
			fd, errno := b.from.accept(int(listener))
			if errno != 0 {
				taken += row
				if errno == unix.EAGAIN {
					return false
				}
				err = os.NewSyscallError("accept4", errno)
				return true
			}
			if !take(fd, &b.from) {
				row++
				break
			}
		}
		taken += row
		return true
	})
	switch {
	case told == nil && err == nil:
		runtime.Gosched()
	case told != nil && b.closed.Load(): // by an error of package os's own
		err = net.ErrClosed
	case told != nil:
		err = told
	}
	return taken, err
}

// SetDeadline ends the wait at that time, and those that begin later.
func (b *batch) SetDeadline(at time.Time) error { return b.file.SetReadDeadline(at) }

// Close ends the wait, and gives up the duplicate.
func (b *batch) Close() error {
	b.closed.Store(true)
	return b.file.Close()
}

// peer is the other end of a connection as accept4(2) tells of it.
type peer struct {
	raw   unix.RawSockaddrAny
	size  uint32
	local net.Addr // our end, where it is known
}

// accept takes one connection. As it never waits, Go's scheduler is not told of the call.
func (p *peer) accept(listener int) (fd int, errno syscall.Errno) {
	for {
		p.raw.Addr = unix.RawSockaddr{} // of an unnamed unix socket the family alone is written
		p.size = unix.SizeofSockaddrAny
		r, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(listener), uintptr(unsafe.Pointer(&p.raw)), uintptr(unsafe.Pointer(&p.size)),
			unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		if errno != unix.EINTR {
			return int(r), errno
		}
	}
}

// closeNow is close(2). Go's scheduler is not told of the call: it would look after one that takes 20 µs, as the last packet of
// a connection does, by waking its monitor thread again and again.
func closeNow(fd int) { unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

// silence is how long a client of a socket of our own may say nothing before it is accepted, in seconds; as DeferAcceptSec= in
// the units of systemd.
const silence = 5

// holdSilent lets the kernel keep new clients of a TCP listener to itself until they have said something (TCP_DEFER_ACCEPT,
// tcp(7)), which in HTTP and TLS they do first: they are served in one go then. It stays on the socket, so it is for those
// that nobody else holds; of others the one who opened them decides.
func holdSilent(l net.Listener) {
	c, ok := l.(syscall.Conn)
	if !ok {
		return
	}
	if _, tcp := l.Addr().(*net.TCPAddr); !tcp {
		return
	}
	if raw, err := c.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) {
			unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, silence) // without it each costs more
		})
	}
}
