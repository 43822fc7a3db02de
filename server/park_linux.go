package server

import (
	"errors"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// lot holds idle connections that need neither goroutine nor buffers: their descriptors are in one epoll set, which one
// goroutine watches for all of them.
type lot struct {
	wake func(*parked)
	file *os.File // the epoll set, which is itself in the runtime's poller (epoll(7))
	rush bool     // more have spoken at once than one processor may be able to answer; for wake

	mu     sync.Mutex
	epoll  int               // -1 when the lot is closed
	spaces map[int32]*parked // by descriptor
	stamp  int32             // of the last one that was parked
	ended  chan struct{}
}

// parked is a connection in a lot: of net.Conn it has what can be done to one that rests.
type parked struct {
	rester
	owner any // whoever parked it

	lot   *lot
	fd    int32
	stamp int32 // tells it from an earlier one with the same descriptor
	gone  atomic.Bool
	bare  bool // nothing was set on it since it was accepted
}

// newLot makes a lot. wake is called by its goroutine for each connection on which there is something to read, or that was
// closed by the client, once, and once more after each stay; it must not wait.
func newLot(wake func(*parked)) (*lot, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // or package os does not let the poller have it
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	l := &lot{wake: wake, file: os.NewFile(uintptr(fd), "epoll"), epoll: fd, spaces: map[int32]*parked{}, ended: make(chan struct{})}
	raw, err := l.file.SyscallConn()
	if err != nil {
		l.file.Close()
		return nil, err
	}
	go l.watch(raw)
	return l, nil
}

// park takes a connection over, which is closed for everybody else: nobody may be reading from it or writing to it. owner is
// for wake, which may be called before park returns. The error is errors.ErrUnsupported for a connection that the kernel does
// not know, and net.ErrClosed when the lot is closed; after an error the connection is as it was.
func (l *lot) park(nc net.Conn, owner any) (*parked, error) {
	c, ok := nc.(syscall.Conn)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	fd, err := duplicate(c)
	if err != nil {
		return nil, err
	}
	p := &parked{rester: rester{nc.LocalAddr(), nc.RemoteAddr()}, owner: owner, lot: l, fd: int32(fd)}
	if err := l.keep(p); err != nil {
		unix.Close(fd)
		return nil, err
	}
	nc.Close() // the runtime's poller forgets it
	return p, nil
}

// keep takes a descriptor over. The error is net.ErrClosed when the lot is closed, or what was to be parked.
func (l *lot) keep(p *parked) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.epoll < 0 || p.gone.Load() {
		return net.ErrClosed
	}
	l.stamp++
	p.stamp = l.stamp
	if err := p.listen(unix.EPOLL_CTL_ADD); err != nil {
		return err
	}
	l.spaces[p.fd] = p
	return nil
}

// listen lets the lot tell of the connection once. lot.mu is held.
func (p *parked) listen(how int) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT, Fd: p.fd, Pad: p.stamp}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.lot.epoll, how, int(p.fd), &event))
}

// stay lets a connection that was woken wait for more where it is. The error is net.ErrClosed when it has left, or the lot is
// closed.
func (p *parked) stay() error {
	p.lot.mu.Lock()
	defer p.lot.mu.Unlock()
	if p.lot.epoll < 0 || p.gone.Load() {
		return net.ErrClosed
	}
	return p.listen(unix.EPOLL_CTL_MOD)
}

// watch wakes connections until the lot is closed.
func (l *lot) watch(raw syscall.RawConn) {
	defer close(l.ended)
	events := make([]unix.EpollEvent, 128)
	raw.Read(func(epoll uintptr) bool {
		for { // until nothing is left: the poller tells only of what is new
			n, err := unix.EpollWait(int(epoll), events, 0)
			if err != nil && err != unix.EINTR || n == 0 {
				return false
			}
			l.rush = n == len(events) && runtime.GOMAXPROCS(0) > 1
			for _, e := range events[:max(n, 0)] {
				if p := l.find(e.Fd, e.Pad); p != nil {
					l.wake(p)
				}
			}
			runtime.Gosched() // somebody else may have waited for as long as that took
		}
	})
}

// find returns who is parked with this descriptor and stamp: somebody else may have taken it since the event.
func (l *lot) find(fd, stamp int32) *parked {
	l.mu.Lock()
	defer l.mu.Unlock()
	if p := l.spaces[fd]; p != nil && p.stamp == stamp {
		return p
	}
	return nil
}

// unpark takes the connection out of the lot. The first one to ask gets it; all others, and those that come after close, get
// net.ErrClosed.
func (p *parked) unpark() (net.Conn, error) {
	if !p.leave() {
		return nil, net.ErrClosed
	}
	return p.resume(), nil
}

// resume makes a connection of what has left the lot.
func (p *parked) resume() net.Conn {
	if p.bare {
		return adopt(int(p.fd), p.local, p.peer)
	}
	return resume(int(p.fd), p.local, p.peer)
}

// Close closes the connection, unless somebody else has taken it.
func (p *parked) Close() error {
	if !p.leave() {
		return net.ErrClosed
	}
	closeNow(int(p.fd))
	return nil
}

// leave ends the parking, and reports whether it was the caller who ended it. The descriptor is taken out of the set by hand,
// as it would stay there after close(2) while anybody has a duplicate (epoll(7)).
func (p *parked) leave() bool {
	if p.gone.Swap(true) {
		return false
	}
	l := p.lot
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.spaces, p.fd)
	if l.epoll >= 0 {
		unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, int(p.fd), nil)
	}
	return true
}

// readable tells whether bytes, or the client's end, wait to be read.
func (p *parked) readable() bool {
	p.lot.mu.Lock()
	defer p.lot.mu.Unlock()
	if p.gone.Load() {
		return false
	}
	polled := []unix.PollFd{{Fd: p.fd, Events: unix.POLLIN}}
	n, _ := unix.Poll(polled, 0)
	return n > 0
}

// close closes all that is parked, and returns when wake is not called any more. It must not be called by wake.
func (l *lot) close() {
	l.mu.Lock()
	if l.epoll < 0 {
		l.mu.Unlock()
		return
	}
	l.epoll = -1
	left := make([]*parked, 0, len(l.spaces))
	for _, p := range l.spaces {
		left = append(left, p)
	}
	l.mu.Unlock()
	for _, p := range left {
		p.Close()
	}
	l.file.Close()
	<-l.ended
}
