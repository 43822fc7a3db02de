package handoff

import (
	"testing"

	"golang.org/x/sys/unix"
)

// The process of a backend is known for as long as its session lasts.
func TestPidfd(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	b, s, w := backend(t, d, 1)
	if s.Pidfd() >= 0 {
		if err := unix.PidfdSendSignal(s.Pidfd(), 0, nil, 0); err != nil {
			t.Error(err)
		}
	}
	b.conn.close()
	get(t, w.ended)
	if s.Pidfd() != -1 {
		t.Error("the session is over, its pidfd open")
	}
}
