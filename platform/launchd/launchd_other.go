//go:build !darwin

package launchd

import (
	"errors"
	"fmt"
	"runtime"
)

func sockets(name string) ([]int, error) {
	return nil, fmt.Errorf("take launchd socket %q: launchd belongs to macOS and this is %s: "+
		"use sockets of another activator: %w", name, runtime.GOOS, errors.ErrUnsupported)
}
