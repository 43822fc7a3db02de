//go:build !linux

package server

import (
	"errors"
	"net"
)

// lot holds idle connections that need neither goroutine nor buffers: on Linux.
type lot struct{ rush bool }

// parked is a connection in a lot.
type parked struct {
	rester
	owner any
	lot   *lot
	fd    int32
	bare  bool
}

// newLot says that there is no such thing here.
func newLot(func(*parked)) (*lot, error) { return nil, errors.ErrUnsupported }

func (l *lot) park(net.Conn, any) (*parked, error) { return nil, errors.ErrUnsupported }

func (l *lot) keep(*parked) error { return errors.ErrUnsupported }

func (l *lot) close() {}

func (p *parked) unpark() (net.Conn, error) { return nil, errors.ErrUnsupported }

func (p *parked) stay() error { return errors.ErrUnsupported }

func (p *parked) leave() bool { return false }

func (p *parked) resume() net.Conn { return nil }

func (p *parked) Close() error { return errors.ErrUnsupported }

func (p *parked) readable() bool { return false }
