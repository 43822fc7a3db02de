package run

import (
	"bufio"
	"net/http"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// Without this a server that nobody uses would stay in memory; or its next visitor would be refused.
func TestIdleStopAndWake(t *testing.T) {
	t.Parallel()
	for _, mode := range modes(t) {
		t.Run(mode, func(t *testing.T) {
			users(t, func(t *testing.T, through []string) {
				s := newService(t)
				s.through = through
				p := s.run("--idle-stop=200ms --mode="+mode, "-tcp", s.other)
				last := 0
				for range 3 {
					pid := s.pid()
					if pid == last {
						t.Errorf("pid %d answers after its end", pid)
					}
					last = pid
					gone(t, pid)
				}
				stop(t, p)
				if out := p.Stdout.String(); count(out, "signal terminated") != 3 || count(out, "serving as") != 3 {
					t.Errorf("not three starts and stops: %q", out)
				}
			})
		})
	}
}

// modes are those in which rouse stays beside the program.
func modes(t testing.TB) []string {
	if noListener() != "" {
		t.Log("no listener mode here: ", noListener())
		return []string{"proxy"}
	}
	return []string{"listener", "proxy"}
}

// Without this the visitors of a site that is asked now and then would each wait for a start, and a download that takes
// longer than the limit would be torn.
func TestNoStopWhileInUse(t *testing.T) {
	t.Parallel()
	for _, mode := range modes(t) {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			p := s.run("--idle-stop=500ms --mode="+mode, "-tcp", s.other)
			pid := s.pid()
			for begun := time.Now(); time.Since(begun) < 1500*time.Millisecond; time.Sleep(100 * time.Millisecond) {
				if now := s.pid(); now != pid {
					t.Fatalf("pid %d after %v, it was %d", now, time.Since(begun), pid)
				}
			}
			kept := s.held("/hold")
			time.Sleep(1500 * time.Millisecond)
			silent(t, p.Stdout.String(), "signal")
			kept.Close()
			gone(t, pid)
			stop(t, p)
		})
	}
}

// held sends a request whose reply begins and does not end.
func (s *service) held(path string) conn {
	s.t.Helper()
	c := dial(s.t, s.address).send(path)
	if reply, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || reply.StatusCode != http.StatusOK {
		s.t.Fatalf("%v, %v", reply, err)
	}
	return c
}

// Without this a connection on which nothing was said yet would be torn: the mute ones are clients too.
func TestMuteConnectionIsInUse(t *testing.T) {
	t.Parallel()
	needsListener(t)
	s := newService(t)
	p := s.run("--idle-stop=200ms", "-tcp", s.other)
	pid := s.pid()
	mute := dial(t, s.address)
	time.Sleep(600 * time.Millisecond)
	if now := field(t, mute.send("/").reply(), "pid"); now != pid {
		t.Errorf("pid %d, it was %d", now, pid)
	}
	stop(t, p)
}

// Without this what a server started for its own work would keep it from sleeping, or be cut off.
func TestOwnConnectionsAreNoClients(t *testing.T) {
	t.Parallel()
	needsListener(t)
	s := newService(t)
	outside, address := program.Listener(t) // as a database would listen
	_ = outside
	p := s.run("--idle-stop=200ms", "-tcp", s.other, "-client", address)
	gone(t, s.pid())
	stop(t, p)
}
