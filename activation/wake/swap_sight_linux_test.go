package wake

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A process that is alive and not seen in /proc may have any number of connections.
func TestSwapHiddenProcess(t *testing.T) {
	d := newDesk(t, "sleep", "tcp", "127.0.0.1:0")
	parent := &instance{main: &child{pid: os.Getppid(), ended: make(chan struct{})}} // alive, and not below us
	if _, err := d.connections(parent); err == nil || !strings.Contains(err.Error(), "hides process") {
		t.Errorf("%v, want an error", err)
	}
	close(parent.main.ended)
	if n, err := d.connections(parent); n != 0 || err != nil {
		t.Errorf("after its end: %d, %v", n, err)
	}
}

func TestTransportOf(t *testing.T) {
	for _, c := range []struct {
		domain, kind, protocol int
		want                   transport
	}{
		{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP, tcp},
		{unix.AF_INET6, unix.SOCK_STREAM, unix.IPPROTO_MPTCP, tcp},
		{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP, otherTransport},
		{unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDP, udp},
		{unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMP, otherTransport},
		{unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP, otherTransport},
		{unix.AF_UNIX, unix.SOCK_STREAM, 0, local},
		{unix.AF_UNIX, unix.SOCK_DGRAM, 0, otherTransport},
	} {
		if got := transportOf(c.domain, c.kind, c.protocol); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}
