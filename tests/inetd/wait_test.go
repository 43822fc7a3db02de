package inetd

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// A site under inetd's wait mode would start a process for each click, never leave memory, or not come back.
func TestWait(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run(host, func(t *testing.T) {
			needHost(t, host)
			underEach(t, func(t *testing.T, s superServer) {
				s.start(t, host, wait, "--root="+site(t), "--idle-exit=1s").checkWait(t)
			})
		})
	}
}

// static-web-server documents `--fd 0` for inetd; those who come from there would lose their line of inetd.conf.
func TestStaticWebServersRecipe(t *testing.T) {
	t.Parallel()
	underEach(t, func(t *testing.T, s superServer) {
		certFile, keyFile, pool := program.KeyPair(t, t.TempDir())
		svc := s.start(t, "127.0.0.1", wait, "--fd=0", "--root="+site(t), "--idle-exit=1s", "--tls-cert="+certFile, "--tls-key="+keyFile)
		svc.pool = pool
		svc.checkWait(t)
	})
}

// checkWait makes requests over several connections, which one process answers; lets it leave; and knocks again.
func (s service) checkWait(t *testing.T) {
	t.Helper()
	// A client keeps its connection open until it is told to close it; so the process is not idle in between.
	clients := slices.AppendSeq(slices.Collect(maps.Values(s.protocols(t))), maps.Values(s.protocols(t)))
	for _, client := range clients {
		ask(t, client, s.url())
	}
	for _, client := range clients {
		client.CloseIdleConnections()
	}
	s.starts.awaitEnds(t, 1, "0")
	ask(t, s.protocols(t)["HTTP/1.1"], s.url())
	await(t, "a second start", func() bool { return len(s.starts.pids()) == 2 })
}

// A client that knocks in the moment in which the idle process leaves would be turned away.
func TestNobodyIsLostAtTheIdleEdge(t *testing.T) {
	t.Parallel()
	underEach(t, func(t *testing.T, s superServer) {
		svc := s.start(t, "127.0.0.1", wait, "--root="+site(t), "--idle-exit=20ms")
		client := svc.clients(t).HTTP1
		for i := range 24 {
			ask(t, client, svc.url())
			client.CloseIdleConnections()
			time.Sleep(time.Duration(8+i) * time.Millisecond) // not to wait for anything: around the edge
		}
		await(t, "the end of the last process", func() bool { return len(svc.starts.statuses()) == len(svc.starts.pids()) })
		if n := len(svc.starts.pids()); n < 2 {
			t.Errorf("%d start: no request came near the edge", n)
		}
	})
}
