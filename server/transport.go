package server

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// transport is an accepted connection whose writes must make progress: a client that takes less than lowestRate over the send timeout
// is given up, one that takes more is not, however long it lasts. It lies below TLS.
//
// In the lane it is eager: it reads nothing but what was received for it, and writes without waiting; what could not be sent
// is queued (see eager.go).
type transport struct {
	net.Conn
	sendTimeout time.Duration
	client      net.Addr                  // whom a PROXY header named; nil: the peer
	unread      []byte                    // what was received and is still to be read
	waiting     atomic.Int32              // its length, for those who do not read
	deadline    atomic.Pointer[time.Time] // write deadline set from above, as it came: the time of day may jump; nil: none

	eager bool
	out   outbox
}

// lowestRate is how many bytes a second a client has to take that something waits for: without it one byte now and then would hold a
// connection, and a file, for years. A modem of 1990 takes as many; Kestrel asks for the same (MinResponseDataRate).
const lowestRate = 240

// fewest is how many bytes that are over the send timeout.
func (t *transport) fewest() int64 { return max(int64(lowestRate*t.sendTimeout.Seconds()), 1) }

// introduce notes what was read before the connection's own bytes: the client, nil if it is the peer, and the first of them.
func (t *transport) introduce(client net.Addr, unread []byte) {
	t.client, t.unread = client, unread
	t.waiting.Store(int32(len(unread)))
}

// RemoteAddr is the client's address, where a PROXY header told of it.
func (t *transport) RemoteAddr() net.Addr {
	if t.client != nil {
		return t.client
	}
	return t.Conn.RemoteAddr()
}

func (t *transport) Read(b []byte) (int, error) {
	if len(t.unread) == 0 {
		if t.eager {
			return 0, errNothing
		}
		return t.Conn.Read(b)
	}
	n := copy(b, t.unread)
	t.unread = t.unread[n:]
	t.waiting.Store(int32(len(t.unread)))
	return n, nil
}

// SetWriteDeadline is what crypto/tls limits its closing alert by. It holds beside the send timeout.
func (t *transport) SetWriteDeadline(at time.Time) error {
	t.limit(at)
	return t.Conn.SetWriteDeadline(at)
}

func (t *transport) SetDeadline(at time.Time) error {
	t.limit(at)
	return t.Conn.SetDeadline(at)
}

// limit notes a write deadline; zero is none.
func (t *transport) limit(at time.Time) {
	if at.IsZero() {
		t.deadline.Store(nil)
	} else {
		t.deadline.Store(&at)
	}
}

func (t *transport) Write(b []byte) (n int, err error) {
	if t.eager {
		return len(b), t.post(b)
	}
	return t.writePatiently(b)
}

func (t *transport) writePatiently(b []byte) (n int, err error) {
	for {
		t.arm()
		before := t.outstanding()
		m, err := t.Conn.Write(b[n:])
		n += m
		if n == len(b) || !t.goesOn(int64(m), before, err) {
			return n, err
		}
	}
}

// ReadFrom keeps sendfile(2) within reach for files. All else is copied by Write: where net.TCPConn.ReadFrom has to copy, what
// it has read and not sent when the time of a write is up is lost.
func (t *transport) ReadFrom(r io.Reader) (n int64, err error) {
	to, ok := bottom(t.Conn).(io.ReaderFrom)
	part, limited := r.(*io.LimitedReader)
	if !ok || !limited || !isFile(part.R) {
		return io.Copy(struct{ io.Writer }{t}, r)
	}
	for {
		t.arm()
		before, outstanding := part.N, t.outstanding()
		m, err := to.ReadFrom(part)
		n += m
		if before-part.N != m || !t.goesOn(m, outstanding, err) { // unequal: it copied, and lost something
			return n, err
		}
	}
}

func isFile(r io.Reader) bool {
	_, ok := r.(*os.File)
	return ok
}

// arm gives the next write its time.
func (t *transport) arm() {
	by := time.Now().Add(t.sendTimeout)
	if set := t.deadline.Load(); set != nil && set.Before(by) {
		by = *set
	}
	t.Conn.SetWriteDeadline(by)
}

// goesOn tells whether a write that took too long has moved enough, so that it may have its time again. The kernel takes more
// only when a third of what it holds has left; a client may be too slow for that, and yet takes something.
func (t *transport) goesOn(moved int64, before int, err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	set := t.deadline.Load()
	if moved+int64(before-t.outstanding()) < t.fewest() {
		if set == nil {
			t.forsake()
		}
		return false
	}
	return set == nil || time.Now().Before(*set)
}

// forsake makes the end of the connection a reset: else the kernel would hold what the client does not take, megabytes, and offer
// it for minutes more (tcp(7), tcp_orphan_retries).
func (t *transport) forsake() {
	if c, ok := bottom(t.Conn).(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			raw.Control(func(fd uintptr) {
				unix.SetsockoptLinger(int(fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
			})
		}
	}
}

// readable tells whether bytes, or the peer's end, wait to be read.
func (t *transport) readable() bool {
	if told, ok := t.Conn.(interface{ Unread() int }); ok && told.Unread() > 0 { // it was read before it came to us
		return true
	}
	c, ok := bottom(t.Conn).(syscall.Conn)
	return t.waiting.Load() > 0 || ok && readable(c)
}

// readable asks poll(2) without waiting: a connection has something to read, a listener something to accept.
func readable(c syscall.Conn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	var n int
	raw.Control(func(fd uintptr) {
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, _ = unix.Poll(polled, 0)
	})
	return n > 0
}

// outstanding is how many bytes the kernel holds that the client has not taken yet; 0 where that is not known.
func (t *transport) outstanding() (n int) {
	if c, ok := bottom(t.Conn).(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			raw.Control(func(fd uintptr) { n = heldBySocket(int(fd)) })
		}
	}
	return n
}

// awaitDelivery waits until the client's kernel has all that was sent, or until a time. Of that nothing tells, so it is looked at.
func (t *transport) awaitDelivery(until time.Time) {
	for pause := time.Millisecond; t.outstanding() > 0 && time.Now().Before(until); pause = min(2*pause, 50*time.Millisecond) {
		time.Sleep(pause)
	}
}

// acknowledge tells the client at once that what it sent has come. In TLS 1.3 its last word is not answered: without this, a client
// that sends its request only when all before it is acknowledged (RFC 9293 §3.7.4, Nagle) waits for the delayed acknowledgement, 40 ms.
func (t *transport) acknowledge() {
	if c, ok := bottom(t.Conn).(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			raw.Control(func(fd uintptr) { acknowledgeNow(int(fd)) })
		}
	}
}

// bottom is the connection that the kernel knows.
func bottom(c net.Conn) net.Conn {
	for {
		wrapper, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return c
		}
		c = wrapper.NetConn()
	}
}
