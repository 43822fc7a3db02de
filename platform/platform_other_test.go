//go:build !linux

package platform

import "testing"

func printPidfdID() {}
func execOnce()     {}
func acceptAll()    {}

// Where the kernel has no such number the user is told nothing, rather than something wrong.
func TestNotOnThisSystem(t *testing.T) {
	if id, ok := PidfdID(); ok {
		t.Errorf("pidfd id %d", id)
	}
	if got := PortHolder(80); got != "" {
		t.Errorf("port 80 is held by %q", got)
	}
}
