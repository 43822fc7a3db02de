//go:build !linux

package route

import (
	"context"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/rouse-server/rouse/activation/handoff"
)

// open makes nothing: only programs under Linux's seccomp ask for sockets.
func (n Network) open(context.Context, handoff.NetworkRequest) (fd int, local netip.AddrPort, err error) {
	return -1, netip.AddrPort{}, fmt.Errorf("sockets for programs without a network are made on Linux only: %w", syscall.EOPNOTSUPP)
}
