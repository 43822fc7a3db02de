//go:build !linux

package server

import "runtime/debug"

// tidy gives memory back to the system that is not needed while nothing goes on.
func tidy() { debug.FreeOSMemory() }
