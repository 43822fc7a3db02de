package inetd

import (
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// A site under inetd's nowait mode would not keep connections alive, or leave a process behind for each of them.
func TestNowait(t *testing.T) {
	t.Parallel()
	underEach(t, func(t *testing.T, s superServer) {
		s.start(t, "127.0.0.1", nowait, "--root="+site(t)).checkNowait(t)
	})
}

// The same over TLS.
func TestNowaitTLS(t *testing.T) {
	t.Parallel()
	underEach(t, func(t *testing.T, s superServer) {
		certFile, keyFile, pool := program.KeyPair(t, t.TempDir())
		svc := s.start(t, "127.0.0.1", nowait, "--root="+site(t), "--tls-cert="+certFile, "--tls-key="+keyFile)
		svc.pool = pool
		svc.checkNowait(t)
	})
}

// checkNowait makes two requests on each of three connections, one process each.
func (s service) checkNowait(t *testing.T) {
	t.Helper()
	ended := 0
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0", "HTTP/1.1"} {
		client := s.protocols(t)[protocol]
		ask(t, client, s.url())
		ask(t, client, s.url())
		client.CloseIdleConnections()
		ended++
		s.starts.awaitEnds(t, ended, "0")
	}
}

// A port scan would leave processes, or failures in the log, behind.
func TestNowaitClientThatLeaves(t *testing.T) {
	t.Parallel()
	underEach(t, func(t *testing.T, s superServer) {
		svc := s.start(t, "127.0.0.1", nowait, "--root="+site(t))
		svc.dial(t).Close()
		svc.starts.awaitEnds(t, 1, "0")
	})
}
