//go:build !linux

package inetd

// resources: those of another process can be limited on Linux only (prlimit(2)).
func resources() map[string]int { return nil }
