package activation

import (
	"net"
	"net/netip"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation/handoff"
)

// passedConnection makes a connection of one that arrived: a plain one, unless the dispatcher knows more of it than the kernel. The
// descriptor is closed, except where there is no room for another one now (tooMany).
func passedConnection(arrival *handoff.Arrival) (net.Conn, error) {
	c, err := connectionOf(arrival.Number)
	if tooMany(err) {
		return nil, err
	}
	unix.Close(arrival.Number)
	if err != nil {
		return nil, err
	}
	told := &toldConnection{Conn: c, data: arrival.Meta.Data}
	told.client, told.local = differs(arrival.Meta.Client, c.RemoteAddr()), differs(arrival.Meta.Local, c.LocalAddr())
	if told.client == nil && told.local == nil && len(told.data) == 0 {
		return c, nil
	}
	told.unread.Store(int32(len(told.data)))
	return told, nil
}

// connectionOf makes a connection of a duplicate of the descriptor.
func connectionOf(fd int) (net.Conn, error) {
	number, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3) // a file would close the descriptor in any case
	if err != nil {
		return nil, os.NewSyscallError("accept", err)
	}
	f := os.NewFile(uintptr(number), "connection")
	defer f.Close()
	return net.FileConn(f)
}

// differs returns what was told of an address, where the kernel says something else.
func differs(told netip.AddrPort, kernel net.Addr) net.Addr {
	if !told.IsValid() {
		return nil
	}
	if tcp, ok := kernel.(*net.TCPAddr); ok {
		own := tcp.AddrPort()
		if own.Port() == told.Port() && own.Addr().Unmap().WithZone("") == told.Addr().Unmap().WithZone("") {
			return nil
		}
	}
	return net.TCPAddrFromAddrPort(netip.AddrPortFrom(told.Addr().Unmap(), told.Port()))
}

// toldConnection is a connection whose ends the dispatcher knows better than the kernel (PROXY), or of which it has read.
type toldConnection struct {
	net.Conn
	client, local net.Addr // nil: the kernel's
	data          []byte   // comes before the connection's own
	unread        atomic.Int32
}

func (c *toldConnection) Read(b []byte) (int, error) {
	if len(c.data) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.data)
	c.data = c.data[n:]
	c.unread.Store(int32(len(c.data)))
	return n, nil
}

func (c *toldConnection) RemoteAddr() net.Addr {
	if c.client != nil {
		return c.client
	}
	return c.Conn.RemoteAddr()
}

func (c *toldConnection) LocalAddr() net.Addr {
	if c.local != nil {
		return c.local
	}
	return c.Conn.LocalAddr()
}

// Unread is how many bytes can be read that the kernel knows nothing of.
func (c *toldConnection) Unread() int { return int(c.unread.Load()) }

// NetConn returns the connection beneath, as tls.Conn.NetConn does.
func (c *toldConnection) NetConn() net.Conn { return c.Conn }
