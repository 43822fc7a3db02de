package relay

import (
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pair is a client and its server while bytes are copied.
type pair struct {
	mu    sync.Mutex
	fault error // the first thing that went wrong
}

// side is one of them.
type side struct {
	conn  net.Conn
	ended atomic.Bool // it was told that nothing follows
}

// both copies both ways, first what comes before the client's bytes, and closes both connections when it returns.
func both(client, server net.Conn, first []byte) error {
	p, c, s := &pair{}, &side{conn: client}, &side{conn: server}
	up := make(chan struct{})
	go func() {
		defer close(up)
		p.forward(s, c, first)
	}()
	p.forward(c, s, nil)
	<-up
	if p.fault == nil {
		return errors.Join(client.Close(), server.Close())
	}
	reset(client)
	reset(server)
	return p.fault
}

// forward copies what src says to dst, and passes its end on. When src is broken dst learns it at once. When dst is, what it
// said before is still on its way to src: a server that refuses a long request answers and closes before it has read all.
func (p *pair) forward(dst, src *side, first []byte) {
	err := src.copyTo(dst, first)
	if err == nil {
		err = dst.end()
	}
	if err == nil {
		return
	}
	p.mu.Lock()
	if p.fault == nil {
		p.fault = err
	}
	p.mu.Unlock()
	if hungUp(src.conn) || !hungUp(dst.conn) && !errors.Is(err, syscall.EPIPE) {
		reset(dst.conn)
		abort(src.conn)
	}
}

func (src *side) copyTo(dst *side, first []byte) error {
	if len(first) > 0 {
		if _, err := dst.conn.Write(first); err != nil {
			return err
		}
	}
	if _, err := io.Copy(dst.conn, src.conn); err != nil { // a wrapper around one of them would hide it from splice(2)
		return err
	}
	// The kernel tells of a reset once, and it may have told who wrote. Who reads sees an end then.
	if _, ok := src.conn.(*net.TCPConn); ok && hungUp(src.conn) && !src.ended.Load() {
		return syscall.ECONNRESET
	}
	return nil
}

// end tells that nothing follows. A connection that broke meanwhile is the other direction's matter.
func (s *side) end() error {
	s.ended.Store(true)
	half, ok := s.conn.(interface{ CloseWrite() error })
	if !ok {
		return s.conn.Close()
	}
	if err := half.CloseWrite(); err != nil && !errors.Is(err, syscall.ENOTCONN) && !errors.Is(err, syscall.EPIPE) {
		return err
	}
	return nil
}

// hungUp tells whether a connection is gone in both directions.
func hungUp(c net.Conn) bool {
	conn, ok := c.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return true
	}
	var events int16
	err = raw.Control(func(fd uintptr) {
		polled := []unix.PollFd{{Fd: int32(fd)}}
		unix.Poll(polled, 0)
		events = polled[0].Revents
	})
	return err != nil || events&(unix.POLLHUP|unix.POLLERR) != 0
}

// patience bounds the wait for bytes on their way to a peer before a reset, which throws them away.
const patience = time.Second

// reset closes a connection so that its peer sees that it broke (RST, where it is TCP), but not before the peer has what it
// was sent.
func reset(c net.Conn) {
	for until, pause := time.Now().Add(patience), time.Millisecond; unsent(c) > 0 && !hungUp(c) && time.Now().Before(until); pause = min(2*pause, 50*time.Millisecond) {
		time.Sleep(pause)
	}
	abort(c)
}

// abort closes a connection at once; TCP resets it (socket(7), SO_LINGER).
func abort(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	c.Close()
}

// unsent is the number of bytes that the peer has not taken in yet, as far as the system tells.
func unsent(c net.Conn) int {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return 0
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return 0
	}
	queued := 0
	if raw.Control(func(fd uintptr) { queued = sendQueue(int(fd)) }) != nil {
		return 0
	}
	return queued
}
