//go:build !linux

package platform

import "errors"

// errNoSealed is not reached where it would matter: managers that keep descriptors exist on Linux only.
var errNoSealed = errors.New("sealed files in memory exist on Linux only")

// Sealed would make a file in memory that nobody can change.
func Sealed(string, []byte) (fd int, err error) { return -1, errNoSealed }

// ReadSealed would read it.
func ReadSealed(int, int) ([]byte, error) { return nil, errNoSealed }
