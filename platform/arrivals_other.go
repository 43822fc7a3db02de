//go:build !linux

package platform

import (
	"errors"
	"fmt"
)

// Arrivals tells whether a client arrived on a listening socket that another process accepts from: nothing does here.
type Arrivals struct{}

// NewArrivals returns an error that wraps errors.ErrUnsupported.
func NewArrivals(fds ...int) (*Arrivals, error) {
	return nil, fmt.Errorf("arrivals at sockets of other processes: %w", errors.ErrUnsupported)
}

// Since is always false.
func (a *Arrivals) Since() bool { return false }

// Close does nothing.
func (a *Arrivals) Close() {}
