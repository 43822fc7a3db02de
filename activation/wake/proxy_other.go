//go:build !linux

package wake

import (
	"net/netip"
	"syscall"
	"time"
)

// canSearch: nothing tells here where a program listens.
const canSearch = false

// answered is not known, so that it has to be tried.
func answered([]netip.AddrPort) bool { return true }

// untaken is not known.
func untaken([]netip.AddrPort, string) int { return 0 }

func search(*instance) (first, others []netip.AddrPort) { return nil, nil }

// awaitEnd waits until the process group of the instance is empty (kill(2)). Who left it is not seen.
func (e *proxyEngine) awaitEnd(one *instance) {
	for syscall.Kill(-one.main.pid, 0) != syscall.ESRCH {
		time.Sleep(50 * time.Millisecond)
	}
}
