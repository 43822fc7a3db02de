package activation

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
)

// A server that ends when Accept fails ends when inetd's only client has been served: not before, and not never.
func TestOneConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		l := newOneConnection(near)
		if l.Addr() != near.LocalAddr() {
			t.Errorf("its address is %v", l.Addr())
		}
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		second := make(chan error, 1)
		go func() {
			_, err := l.Accept()
			second <- err
		}()
		go c.Write([]byte("x"))
		if _, err := far.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if len(second) > 0 {
			t.Fatalf("the second Accept gave %v while the connection is open", <-second)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if err := <-second; !errors.Is(err, net.ErrClosed) {
			t.Errorf("the second Accept gave %v after the connection was closed", err)
		}
		c.Close() // net/http closes more than once
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a third Accept gave %v", err)
		}
	})
}

// A drain that closes the listener ends the accept loop and leaves the client's running request alone.
func TestOneConnectionClosedWhileServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		l := newOneConnection(near)
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		second := make(chan error, 1)
		go func() {
			_, err := l.Accept()
			second <- err
		}()
		synctest.Wait()
		l.Close()
		l.Close()
		if err := <-second; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept gave %v after Close", err)
		}
		go c.Write([]byte("x"))
		if _, err := far.Read(make([]byte, 1)); err != nil {
			t.Errorf("the connection ended with its listener: %v", err)
		}
		c.Close()
		far.Close()
	})
}

// A connection that was never served is not left hanging: its client sees the end.
func TestOneConnectionNeverServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		l := newOneConnection(near)
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if _, err := far.Read(make([]byte, 1)); err == nil {
			t.Error("the connection stays open")
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("Accept gave %v", err)
		}
	})
}
