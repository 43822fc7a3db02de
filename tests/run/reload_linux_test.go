package run

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/rouse-server/rouse/tests/load"
)

// crowd starts clients that make a connection for each request: those that keep one may always ask while it is closed.
func (s *service) crowd(clients int) *load.Load {
	l := &load.Load{}
	l.NewConnections(clients, func() (net.Conn, error) { return net.DialTimeout("tcp", s.address, limit) })
	return l
}

// none fails the test when requests were lost, and tells how many were not.
func none(t testing.TB, l *load.Load) (answered int64) {
	t.Helper()
	answered, lost := l.End()
	if len(lost) > 0 {
		t.Errorf("%d of %d requests were lost; the first: %v", len(lost), answered+int64(len(lost)), lost[:min(3, len(lost))])
	}
	return answered
}

// Without this each new configuration would cost visitors their requests.
func TestReloadLosesNothing(t *testing.T) {
	t.Parallel()
	for _, mode := range modes(t) {
		for _, how := range []string{"overlap", "restart", "signal"} {
			t.Run(mode+" "+how, func(t *testing.T) {
				t.Parallel()
				s := newService(t)
				// Relayed to, two of them cannot have one port.
				if mode == "proxy" && how == "overlap" {
					return
				}
				m := s.notified()
				p := s.run("--lazy=false --mode="+mode+" --reload="+how+" --reload-signal=USR1", "-tcp", s.other)
				m.wait(`^READY=1`)
				first := s.pid()
				crowd := s.crowd(2)
				for range 3 {
					crowd.Await(t, 100, limit)
					p.Signal(syscall.SIGHUP)
					m.wait(`^RELOADING=1`)
					m.wait(`^READY=1`)
				}
				crowd.Await(t, 100, limit)
				none(t, crowd)
				if last := s.pid(); (last == first) != (how == "signal") {
					t.Errorf("pid %d, it was %d", last, first)
				}
				if how == "signal" && count(p.Stdout.String(), "signal user defined signal 1") == 0 {
					t.Errorf("%q", p.Stdout.String())
				}
				stop(t, p)
			})
		}
	}
}

// Without this a new configuration with an error in it would take the service down.
func TestOverlapKeepsTheOldOne(t *testing.T) {
	t.Parallel()
	needsListener(t)
	s := newService(t)
	s.dir = t.TempDir()
	m := s.notified()
	p := s.runProgram("--lazy=false --reload=overlap --start-timeout=5s", "sh", "-c", `test -e broken && { echo "line 3: what?" >&2; exit 9; }; exec "$0" "$@"`, child(t), "-tcp", s.other)
	m.wait(`^READY=1`)
	first := s.pid()
	if err := os.WriteFile(filepath.Join(s.dir, "broken"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	p.Signal(syscall.SIGHUP)
	m.wait(`^RELOADING=1`)
	says(t, m.wait(`^READY=1`), "line 3: what?")
	if now := s.pid(); now != first {
		t.Errorf("pid %d, it was %d", now, first)
	}
	p.Stderr.WaitFor(`ERR .*9.*`, limit)
	stop(t, p)
}
