package activation

import (
	"net"
	"net/netip"
	"os"
	"sync/atomic"

	"github.com/rouse-server/rouse/activation/handoff"
)

// passedConnection makes a connection of one that arrived: a plain one, unless the dispatcher knows more of it than the kernel.
func passedConnection(arrival *handoff.Arrival) (net.Conn, error) {
	f := os.NewFile(uintptr(arrival.Number), "connection")
	defer f.Close()
	c, err := net.FileConn(f)
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
