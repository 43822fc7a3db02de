package activation

import (
	"net"
	"sync"
)

// oneConnection is a listener that yields one connection. The second Accept waits until that connection was closed: a
// server that ends when Accept fails then ends when its only client has been served.
type oneConnection struct {
	first  chan net.Conn
	closed chan struct{}
	close  func()
	addr   net.Addr
}

func newOneConnection(c net.Conn) *oneConnection {
	l := &oneConnection{first: make(chan net.Conn, 1), closed: make(chan struct{}), addr: c.LocalAddr()}
	l.close = sync.OnceFunc(func() { close(l.closed) })
	l.first <- closeTold{c, l.close}
	return l
}

func (l *oneConnection) Accept() (net.Conn, error) {
	select {
	case c := <-l.first:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close ends a waiting Accept. A connection that was not accepted is closed with it.
func (l *oneConnection) Close() error {
	l.close()
	select {
	case c := <-l.first:
		return c.Close()
	default:
		return nil
	}
}

func (l *oneConnection) Addr() net.Addr { return l.addr }

// closeTold is a connection that tells when it is closed.
type closeTold struct {
	net.Conn
	told func()
}

func (c closeTold) Close() error {
	defer c.told()
	return c.Conn.Close()
}

// NetConn returns the connection beneath, as tls.Conn.NetConn does.
func (c closeTold) NetConn() net.Conn { return c.Conn }
