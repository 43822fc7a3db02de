package run

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

// Without this, units that wait for this one would start when nobody answers yet.
func TestReadyWhenItListens(t *testing.T) {
	t.Parallel()
	for _, mode := range modes(t) {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			m := s.notified()
			begun := time.Now()
			p := s.run("--lazy=false --mode="+mode, "-delay", "700ms", "-tcp", s.other)
			m.wait(`^READY=1`)
			if took := time.Since(begun); took < 700*time.Millisecond {
				t.Errorf("ready after %v, and it binds after 700ms", took)
			}
			p.Signal(syscall.SIGTERM)
			m.wait(`^STOPPING=1`)
			exit(t, p, 0)
		})
	}
	t.Run("packets", func(t *testing.T) {
		t.Parallel()
		needsListener(t)
		s := newService(t)
		s.holdPackets("packets")
		m := s.notified()
		p := s.run("--lazy=false", "-tcp", s.other, "-udp", s.other)
		m.wait(`^READY=1`)
		silent(t, p.Stderr.String(), "WRN")
		stop(t, p)
	})
}

// Without this a unit whose server sleeps would be taken for one that does not come up.
func TestReadyAsleep(t *testing.T) {
	t.Parallel()
	s := newService(t)
	m := s.notified()
	p := s.run("--idle-stop=200ms", "-tcp", s.other)
	says(t, m.wait(`^READY=1`), "STATUS=asleep")
	pid := s.pid()
	m.wait(`STATUS=.*is up`)
	gone(t, pid)
	m.wait(`STATUS=asleep`)
	p.Signal(syscall.SIGHUP)
	m.wait(`^RELOADING=1`)
	m.wait(`^READY=1`)
	stop(t, p)
}

// Without this a start that fails would count as one that did not.
func TestNeverReady(t *testing.T) {
	t.Parallel()
	s := newService(t)
	m := s.notified()
	p := s.run("--lazy=false", "-say", "no such database", "-exit", "3", "-tcp", s.other)
	exit(t, p, 3)
	said := ""
	for {
		message, ok := m.next(100 * time.Millisecond)
		if !ok {
			break
		}
		said += message + "\n"
	}
	silent(t, said, "READY=1")
	says(t, said, "STATUS=")
}

// Without its beats systemd would kill a healthy service.
func TestWatchdog(t *testing.T) {
	t.Parallel()
	s := newService(t)
	m := s.notified()
	s.env = append(s.env, "WATCHDOG_USEC=400000")
	p := s.run("", "-tcp", s.other)
	m.wait(`^READY=1`)
	begun := time.Now()
	for range 3 {
		m.wait(`^WATCHDOG=1$`)
	}
	if took := time.Since(begun); took > 1200*time.Millisecond {
		t.Errorf("three beats in %v, and the limit is 400 ms for each", took)
	}
	s.pid()
	m.wait(`^WATCHDOG=1$`)
	stop(t, p)
}

// Without these a reload would have ended for systemctl before it began, or never.
func TestReloadIsTold(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"signal", "overlap", "restart"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			m := s.notified()
			p := s.run("--lazy=false --reload="+how, "-tcp", s.other)
			m.wait(`^READY=1`)
			p.Signal(syscall.SIGHUP)
			m.wait(`^RELOADING=1\nMONOTONIC_USEC=\d+`)
			m.wait(`^READY=1`)
			if told := strings.Contains(p.Stdout.String(), "signal hangup"); how != "signal" && told {
				t.Errorf("%q", p.Stdout.String())
			}
			stop(t, p)
		})
	}
}
