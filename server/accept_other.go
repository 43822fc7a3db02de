//go:build !linux

package server

import (
	"errors"
	"net"
	"syscall"
	"time"
)

// batch takes connections from a listening socket, many at each waking: on Linux.
type batch struct{}

// newBatch says that there is no such thing here.
func newBatch(net.Listener) (*batch, error) { return nil, errors.ErrUnsupported }

func (b *batch) run(func(fd int, from *peer) bool) (taken int, err error) {
	return 0, errors.ErrUnsupported
}

func (b *batch) SetDeadline(time.Time) error { return errors.ErrUnsupported }

func (b *batch) Close() error { return errors.ErrUnsupported }

// peer is the other end of a connection as accept4(2) tells of it.
type peer struct{}

func (p *peer) addr() net.Addr { return nil }

func (p *peer) adopt(int) net.Conn { return nil }

func (p *peer) near(int) net.Addr { return nil }

func closeNow(fd int) { syscall.Close(fd) }

// holdSilent lets the kernel keep new clients to itself until they have said something: on Linux.
func holdSilent(net.Listener) {}
