//go:build !linux

package server

// tidy gives memory back to the system that is not needed while nothing goes on.
func tidy() { freeMemory() }
