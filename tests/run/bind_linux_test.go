package run

import (
	"fmt"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Without this a server that binds in its own way would get a socket of its own, where nobody ever knocks.
func TestEveryWayToBind(t *testing.T) {
	t.Parallel()
	needsListener(t)
	for _, how := range []string{"net", "call", "block", "thread", "dup", "epoll", "options", "daemon"} {
		t.Run(how, func(t *testing.T) {
			users(t, func(t *testing.T, through []string) {
				s := newService(t)
				s.through = through
				arguments := []string{"-how", how, "-tcp", s.other}
				if how == "daemon" {
					arguments = []string{"-daemon", "-how", "call", "-tcp", s.other}
				}
				s.drill(arguments...)
			})
		})
	}
}

// drill holds what every server has to have: whoever came before the start is answered, and so are those that follow; the
// server sees its clients' own addresses, and listens nowhere else; it ends in order, and whoever comes while nothing runs
// is answered by the next.
func (s *service) drill(arguments ...string) {
	t := s.t
	t.Helper()
	early := dial(t, s.address).send("/")
	p := s.run("", arguments...)
	first := early.reply()
	says(t, first, " peer="+early.LocalAddr().String()+" ")
	for range 20 {
		c := dial(t, s.address)
		says(t, c.send("/").reply(), " peer="+c.LocalAddr().String()+" ")
	}
	nobodyAt(t, s.other)
	says(t, p.Stderr.String(), "listener")
	stop(t, p)
	gone(t, field(t, first, "pid"))
	if strings.Count(p.Stdout.String(), "serving as") != 1 {
		t.Errorf("not one start: %q", p.Stdout.String())
	}

	waiting := dial(t, s.address).send("/")
	p = s.run("", arguments...)
	if again := field(t, waiting.reply(), "pid"); again == field(t, first, "pid") {
		t.Errorf("pid %d answers still", again)
	}
	stop(t, p)
}

// Without this a server that stands ready at once would be none: --lazy=false is what one says for slow ones.
func TestNotLazy(t *testing.T) {
	t.Parallel()
	needsListener(t)
	s := newService(t)
	early := dial(t, s.address).send("/")
	p := s.run("--lazy=false", "-tcp", s.other)
	early.reply()
	stop(t, p)
	p = s.run("--lazy=false", "-tcp", s.other)
	p.Stdout.WaitFor("serving as", limit)
	stop(t, p)
	p = s.run("--lazy", "-tcp", s.other)
	time.Sleep(300 * time.Millisecond)
	stop(t, p)
	if out := p.Stdout.String(); out != "" {
		t.Errorf("nobody knocked: %q", out)
	}
}

// Without this keep-alive and undelayed packets would be lost with the socket on which a server had asked for them; and they
// would stay for the next one, who has not.
func TestOptionsFollowTheSocket(t *testing.T) {
	t.Parallel()
	needsListener(t)
	users(t, func(t *testing.T, through []string) {
		s := newService(t)
		s.through = through
		for _, c := range []struct{ how, want string }{{"call", "keepalive=0 nodelay=0"}, {"options", "keepalive=1 nodelay=1"}, {"call", "keepalive=0 nodelay=0"}} {
			p := s.run("", "-how", c.how, "-tcp", s.other)
			s.pid() // its connection was made before the socket had the options
			if got := strings.TrimSpace(s.ask("/inherited")); got != c.want {
				t.Errorf("%s: %s, want %s", c.how, got, c.want)
			}
			stop(t, p)
		}
	})
}

// Without this a server that shuts its listener down would close it for all that come after it: refused, until the machine
// is booted again.
func TestShutdownListenerIsRevived(t *testing.T) {
	t.Parallel()
	needsListener(t)
	s := newService(t)
	p := s.run("--idle-stop=200ms", "-shutdown", "-how", "call", "-tcp", s.other)
	first := s.pid()
	gone(t, first)
	until(t, "the next instance", func() bool {
		c, err := net.DialTimeout("tcp", s.address, limit)
		if err != nil {
			return false
		}
		c.Close()
		return true
	})
	if second := s.pid(); second == first {
		t.Error("the same answers")
	}
	stop(t, p)
	if c, err := net.DialTimeout("tcp", s.address, limit); err != nil {
		t.Errorf("after the end: %v", err)
	} else {
		c.Close()
	}
}

// Without this a server that opens its port again, as many do at a reload, would get another socket than at its start; and
// one that opens more ports would be held up.
func TestLaterBinds(t *testing.T) {
	t.Parallel()
	needsListener(t)
	users(t, func(t *testing.T, through []string) {
		s := newService(t)
		s.through = through
		p := s.run("", "-tcp", s.other)
		says(t, s.ask("/bind?tcp="+s.other), "bound "+s.address)
		says(t, s.ask("/bind?close&tcp="+s.other), "bound "+s.address)
		silent(t, s.ask("/bind?tcp=127.0.0.1:0"), s.address)
		silent(t, p.Stderr.String(), "WRN")

		more := unused(t)
		says(t, s.ask("/bind?tcp="+more), "bound "+more)
		p.Stderr.WaitFor(`WRN .*`+more+` .*itself`, limit)
		datagrams := unused(t)
		says(t, s.ask("/bind?udp="+datagrams), "bound "+datagrams)
		s.pid()
		stop(t, p)
	})
}

// Without this the first datagrams of the clients would be lost, and a program of UDP could not sleep.
func TestPackets(t *testing.T) {
	t.Parallel()
	needsListener(t)
	users(t, func(t *testing.T, through []string) {
		s := &service{t: t, through: through}
		address := s.holdPackets("echo")
		client, err := net.Dial("udp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		client.SetDeadline(time.Now().Add(limit))
		fmt.Fprint(client, "early")
		p := s.run("", "-udp", unused(t))
		for _, word := range []string{"early", "late"} {
			buffer := make([]byte, 10)
			n, err := client.Read(buffer)
			if err != nil || string(buffer[:n]) != word {
				t.Fatalf("%q, %v; want %q", buffer[:n], err, word)
			}
			fmt.Fprint(client, "late")
		}
		stop(t, p)
	})
}

// Without this a server that changes its user before it binds would take its real port past rouse: nobody would find it
// there, and nothing would say so.
func TestUserChangedBeforeBinding(t *testing.T) {
	t.Parallel()
	needsListener(t)
	needsRoot(t)
	s := newService(t)
	p := s.run("", "-user", "65534", "-tcp", s.other)
	says(t, s.ask("/status"), "Uid:\t65534\t65534")
	stop(t, p)

	s.through = privileges(t, "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace")
	p = s.run("--lazy=false", "-user", "65534", "-tcp", s.other)
	exit(t, p, 1)
	says(t, p.Stderr.String(), "operation not permitted", "User=", "CAP_SYS_PTRACE")
	nobodyAt(t, s.other)
	dial(t, s.address)
}

// Without this nobody who starts rouse in rouse would learn why a proxy is in the way.
func TestNested(t *testing.T) {
	t.Parallel()
	needsListener(t)
	users(t, func(t *testing.T, through []string) {
		s := newService(t)
		s.through = through
		inner := unused(t)
		p := s.runProgram("--mode=listener", binary(t), "run", "--listen=tcp:"+s.other, "--", child(t), "-tcp", inner)
		says(t, s.ask("/"), "pid=", " peer=127.0.0.1:")
		p.Stderr.WaitFor(`mode: proxy .*`, limit)
		stop(t, p)

		p = s.runProgram("--mode=listener --lazy=false", binary(t), "run", "--mode=listener", "--listen=tcp:"+s.other, "--", child(t), "-tcp", inner)
		exit(t, p, 78)
		says(t, p.Stderr.String(), "rouse: ", "already")
	})
}

// Without this rouse would be of no use in containers, whose runtimes forbid some of the calls that it makes.
func TestForbiddenCalls(t *testing.T) {
	t.Parallel()
	needsListener(t)
	needsRoot(t)
	for call, way := range map[string]string{"seccomp": "proxy", "pidfd_getfd": "listener"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			s.through = []string{child(t), "-forbid", call}
			p := s.run("--idle-stop=200ms", "-tcp", s.other)
			pid := s.pid()
			p.Stderr.WaitFor("mode: "+way+" ", limit)
			gone(t, pid)
			s.pid()
			stop(t, p)
		})
	}
}

// Without this a server that binds by io_uring would not be found, and nothing would tell why.
func TestRing(t *testing.T) {
	t.Parallel()
	needsListener(t)
	s := newService(t)
	p := s.run("--no-io-uring", "-how", "uring", "-tcp", s.other)
	s.pid()
	p.Stdout.WaitFor("without io_uring: io_uring_setup: function not implemented", limit)
	stop(t, p)
	if !long() {
		return
	}
	p = s.run("--lazy=false", "-how", "uring", "-tcp", s.other)
	p.Stdout.WaitFor("serving as", limit)
	if strings.Contains(p.Stdout.String(), "without io_uring") {
		t.Logf("no IORING_OP_BIND before Linux 6.11: %s", p.Stdout.String())
		return
	}
	p.Stderr.WaitFor(`WRN .*io_uring`, limit)
}

// Without this the calls of a 32-bit program would pass by unseen, and it would never be reached.
func TestForeign(t *testing.T) {
	t.Parallel()
	needsListener(t)
	s := newService(t)
	path := foreign(t)
	if err := exec.Command(path, "127.0.0.1:x").Run(); err != nil && !isExit(err) {
		t.Skipf("no 32-bit programs here: %v", err)
	}
	p := s.runProgram("", path, s.other)
	if got := s.ask("/"); got != "foreign\n" {
		t.Errorf("%q", got)
	}
	p.Stderr.WaitFor(`mode: proxy .*32-bit`, limit)
	p.Stop()

	p = s.runProgram("--mode=listener", path, s.other)
	exit(t, p, 78)
	oneLine(t, p, "32-bit")
}

// isExit tells whether a program ran and ended with an error.
func isExit(err error) bool {
	_, ok := err.(*exec.ExitError)
	return ok
}
