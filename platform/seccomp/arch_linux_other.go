//go:build linux && !amd64 && !arm64

package seccomp

// architecture is not known: there is no filter for this machine.
const architecture = 0
