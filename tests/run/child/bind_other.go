//go:build !linux

package main

import (
	"errors"
	"net"
)

// listen binds and listens as Go's package does, whatever way is asked for.
func listen(_, address string) (net.Listener, error) { return net.Listen("tcp", address) }

func inherited(net.Conn) string { return "unknown" }

func shutdownListener(net.Listener) {}

func without(string, []string) error { return errors.ErrUnsupported }

func detach() (done bool, err error) { return false, errors.ErrUnsupported }
