package run

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

func count(text, word string) int { return strings.Count(text, word) }

// Without this a server would be killed in the midst of its work, told to end in a way that it does not know, or never end.
func TestStop(t *testing.T) {
	t.Parallel()
	for _, mode := range modes(t) {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			p := s.run("--stop-signal=SIGINT --mode="+mode, "-tcp", s.other)
			busy := s.held("/hold")
			p.Signal(syscall.SIGTERM)
			p.Stdout.WaitFor("signal interrupt\nclosed", limit)
			waiting := dial(t, s.address).send("/")
			busy.Close()
			exit(t, p, 0)
			next := s.run("--mode="+mode, "-tcp", s.other)
			says(t, waiting.reply(), "pid=")
			stop(t, next)
		})
	}
}

// Without this one that does not obey would hold up the machine's shutdown; and what it had started would stay.
func TestStopTimeout(t *testing.T) {
	t.Parallel()
	for _, mode := range modes(t) {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			p := s.run("--stop-timeout=300ms --mode="+mode, "-deaf", "-tcp", s.other)
			pid := s.pid()
			begun := time.Now()
			p.Signal(syscall.SIGTERM)
			p.Wait(limit)
			if took := time.Since(begun); took < 300*time.Millisecond || took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			gone(t, pid)
			says(t, p.Stderr.String(), "300ms", "killed")
		})
	}
	t.Run("a second signal", func(t *testing.T) {
		t.Parallel()
		s := newService(t)
		p := s.run("--stop-timeout=1m", "-deaf", "-tcp", s.other)
		pid := s.pid()
		p.Signal(syscall.SIGTERM)
		p.Stdout.WaitFor("signal terminated", limit)
		p.Signal(syscall.SIGINT)
		p.Wait(5 * time.Second)
		gone(t, pid)
	})
}

// Without this a manager would take a failing server for a good one, or restart one that has only ended.
func TestExitStatus(t *testing.T) {
	t.Parallel()
	for _, mode := range modes(t) {
		for _, c := range []struct {
			path string
			want int
		}{{"/exit?0", 0}, {"/exit?3", 3}, {"/kill?9", 128 + 9}} {
			t.Run(mode+c.path, func(t *testing.T) {
				t.Parallel()
				s := newService(t)
				p := s.run("--lazy=false --mode="+mode, "-tcp", s.other)
				dial(t, s.address).send(c.path).end()
				exit(t, p, c.want)
			})
		}
	}
	t.Run("before it listens", func(t *testing.T) {
		t.Parallel()
		s := newService(t)
		p := s.run("--lazy=false", "-say", "no configuration", "-exit", "5")
		exit(t, p, 5)
		says(t, p.Stderr.String(), "no configuration\n")
	})
}

// Without this a server that crashes at once would be started thousands of times a minute, and the reason would be hidden.
func TestCrashAtStart(t *testing.T) {
	t.Parallel()
	for _, mode := range modes(t) {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			m := s.notified()
			p := s.run("--mode="+mode, "-say", "first line\nno such database", "-exit", "3", "-tcp", s.other)
			m.wait(`^READY=1`)
			waiting := dial(t, s.address).send("/")
			status := m.wait(`STATUS=.*no such database`)
			says(t, status, "3", "first line")
			if count(status, "\n") > 0 && !strings.Contains(status, "READY=1") {
				t.Errorf("more than one line: %q", status)
			}
			begun := time.Now()
			time.Sleep(600 * time.Millisecond)
			if n := count(p.Stderr.String(), "first line\nno such database\n"); n != 1 {
				t.Errorf("%d starts within %v", n, time.Since(begun))
			}
			until(t, "the second start", func() bool { return count(p.Stderr.String(), "first line\nno such database\n") == 2 })
			if took := time.Since(begun); took < 700*time.Millisecond || took > 5*time.Second {
				t.Errorf("it was started again after %v", took)
			}
			p.Stderr.WaitFor(`(ERR|WRN) .*status 3.*`, limit)
			waiting.Close()
			p.Stop() // it may have been started again, and have ended with its own status
		})
	}
}

// Without this one request that crashes a server would close it for all.
func TestCrashLater(t *testing.T) {
	t.Parallel()
	for _, mode := range modes(t) {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			p := s.run("--mode="+mode, "-tcp", s.other)
			first := s.pid()
			dial(t, s.address).send("/exit?7").end()
			gone(t, first)
			if second := s.pid(); second == first {
				t.Errorf("pid %d answers after its end", second)
			}
			p.Stderr.WaitFor(`(ERR|WRN) .*status 7.*`, limit)
			stop(t, p)
		})
	}
}

// Without this a server that never comes up would look as if it were on its way for ever.
func TestStartTimeout(t *testing.T) {
	t.Parallel()
	for _, mode := range modes(t) {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			p := s.run("--lazy=false --start-timeout=300ms --stop-timeout=200ms --mode="+mode, "-delay", "1m", "-tcp", s.other)
			exit(t, p, 1)
			says(t, p.Stderr.String(), "300ms")
		})
	}
}

// Without this the server of a killed rouse would keep the port, and the next one could not have it.
func TestKilledRouseTakesTheServerAlong(t *testing.T) {
	t.Parallel()
	for _, mode := range modes(t) {
		t.Run(mode, func(t *testing.T) {
			users(t, func(t *testing.T, through []string) {
				s := newService(t)
				s.through = through
				p := s.run("--mode="+mode, "-tcp", s.other)
				pid := s.pid()
				p.Signal(syscall.SIGKILL)
				p.Wait(limit)
				gone(t, pid)
				waiting := dial(t, s.address).send("/")
				p = s.run("--mode="+mode, "-tcp", s.other)
				says(t, waiting.reply(), "pid=")
				stop(t, p)
			})
		})
	}
}

// Without this a server that ends its process group, as apache does at a reload, would end rouse with it.
func TestGroupOfItsOwn(t *testing.T) {
	t.Parallel()
	for _, mode := range modes(t) {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			p := s.run("--stop-timeout=200ms --mode="+mode, "-kill-group", "-tcp", s.other)
			pid := s.pid()
			p.Signal(syscall.SIGHUP)
			p.Stdout.WaitFor("signal hangup", limit)
			time.Sleep(100 * time.Millisecond)
			if now := s.pid(); now != pid {
				t.Errorf("pid %d, it was %d", now, pid)
			}
			p.Signal(syscall.SIGTERM) // which the server ignores by now
			p.Wait(limit)
		})
	}
}

// Without these a server could not be told to rotate its logs, nor to end as its manual says.
func TestSignalsArePassedOn(t *testing.T) {
	t.Parallel()
	s := newService(t)
	p := s.run("", "-tcp", s.other)
	s.pid()
	for _, one := range []struct {
		signal syscall.Signal
		name   string
	}{{syscall.SIGUSR1, "user defined signal 1"}, {syscall.SIGUSR2, "user defined signal 2"}, {syscall.SIGWINCH, "window changed"}, {syscall.SIGHUP, "hangup"}, {syscall.SIGQUIT, "quit"}} {
		p.Signal(one.signal)
		p.Stdout.WaitFor("signal "+one.name, limit)
	}
	until(t, "the next instance", func() bool { return count(p.Stdout.String(), "serving as") == 1 })
	s.pid()
	stop(t, p)
}

// Without this a server would think that the sockets are for itself, tell the manager what rouse has to tell, or keep a
// descriptor open that nobody knows of.
func TestWhatTheProgramSees(t *testing.T) {
	t.Parallel()
	for _, mode := range modes(t) {
		t.Run(mode, func(t *testing.T) {
			users(t, func(t *testing.T, through []string) {
				s := newService(t)
				s.through = through
				s.notified()
				s.env = append(s.env, "WATCHDOG_USEC=60000000", "ROUSE_RUN_STOP_TIMEOUT=9s", "COLOUR=green")
				s.hold("second", "127.0.0.1:0")
				p := s.run("--map="+s.port+"=web --mode="+mode, "-tcp", s.other, "a word", "*")
				environment := s.ask("/environment")
				says(t, environment, "COLOUR=green\n", "PATH=", "HOME=")
				silent(t, environment, "LISTEN_", "NOTIFY_SOCKET", "WATCHDOG_", "ROUSE_RUN_")
				says(t, s.ask("/arguments"), "\na word\n*\n")
				s.checkDescriptors()
				stop(t, p)
				p = s.run("--pass-notify --map="+s.port+"=web --mode="+mode, "-tcp", s.other)
				says(t, s.ask("/environment"), "NOTIFY_SOCKET=", "WATCHDOG_USEC=60000000\n")
				stop(t, p)
			})
		})
	}
}

// checkDescriptors holds that child has nothing open but what it opened itself: a bare one has the same.
func (s *service) checkDescriptors() {
	s.t.Helper()
	at := unused(s.t)
	bare := program.Start(s.t, program.Run{Binary: child(s.t), Args: []string{"-tcp", at}})
	bare.Stdout.WaitFor("serving as", limit)
	kinds := func(text string) string {
		var all []string
		for line := range strings.Lines(text) {
			number, target, _ := strings.Cut(strings.TrimSpace(line), " ")
			if n, err := strconv.Atoi(number); err != nil || n <= 2 || strings.HasPrefix(target, "/proc/") {
				continue
			}
			kind, _, _ := strings.Cut(target, ":[")
			all = append(all, kind)
		}
		return strings.Join(all, "\n")
	}
	want := kinds(ask(s.t, at, "/descriptors"))
	if got := kinds(s.ask("/descriptors")); got != want {
		s.t.Errorf("open are\n%s\nwant\n%s", got, want)
	}
	bare.Signal(syscall.SIGTERM)
}

// Without this programs would read their files elsewhere, and wait for input that never ends.
func TestFolderAndInput(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.dir = t.TempDir()
	s.stdin, _ = os.Open("/dev/null")
	defer s.stdin.Close()
	p := s.runProgram("--lazy=false", "sh", "-c", "pwd; cat >file; exit 4")
	exit(t, p, 4)
	says(t, p.Stdout.String(), s.dir+"\n")
	if _, err := os.Stat(filepath.Join(s.dir, "file")); err != nil {
		t.Error(err)
	}
}

// Without this a service that is started and stopped for years would run out of descriptors, threads or memory.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	cycles := 40
	if long() {
		cycles = 1000
	}
	for _, mode := range modes(t) {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			p := s.run("--mode="+mode, "-tcp", s.other)
			cycle := func() {
				gone(t, field(t, s.ask("/exit-after-reply?0"), "pid"))
			}
			for range 10 {
				cycle()
			}
			open, threads := usage(t, p.Pid)
			for range cycles {
				cycle()
			}
			if o, n := usage(t, p.Pid); o > open+3 || n > threads+5 {
				t.Errorf("%d descriptors and %d threads after %d cycles, %d and %d before", o, n, cycles, open, threads)
			}
			if left := descendants(t, p.Pid); len(left) > 0 {
				t.Errorf("processes are left: %v", left)
			}
			stop(t, p)
		})
	}
}

// usage counts the descriptors and the threads of a process.
func usage(t testing.TB, pid int) (descriptors, threads int) {
	t.Helper()
	of := func(kind string) int {
		all, err := os.ReadDir(fmt.Sprintf("/proc/%d/%s", pid, kind))
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	return of("fd"), of("task")
}

// Without this a service whose processes all get SIGTERM at once, as systemd's usual KillMode= has it, would count as
// crashed; or its server would be started again while it ends.
func TestAllAreTold(t *testing.T) {
	t.Parallel()
	for _, mode := range modes(t) {
		for _, lazy := range []string{"true", "false"} {
			for _, how := range []string{"handled", "not handled"} {
				t.Run(mode+" lazy="+lazy+" "+how, func(t *testing.T) {
					t.Parallel()
					s := newService(t)
					m := s.notified()
					command := []string{child(t), "-tcp", s.other}
					if how == "not handled" {
						command = append(command, "-mortal")
					}
					p := s.runProgram("--mode="+mode+" --lazy="+lazy, command...)
					pid := s.pid()
					if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
						t.Fatal(err)
					}
					p.Signal(syscall.SIGTERM)
					exit(t, p, 0)
					m.wait(`^STOPPING=1`)
					if n := count(p.Stdout.String(), "serving as"); n != 1 {
						t.Errorf("started %d times", n)
					}
				})
			}
		}
	}
}

// Without this a server that nobody holds a socket for could not be tried.
func TestSocketOfItsOwn(t *testing.T) {
	t.Parallel()
	needsListener(t)
	s := &service{t: t, address: unused(t)}
	for _, lazy := range []string{"", " --lazy"} {
		p := s.run("--listen=tcp:"+s.address+lazy, "-tcp", s.address)
		until(t, "an open port", func() bool {
			c, err := net.Dial("tcp", s.address)
			if err == nil {
				c.Close()
			}
			return err == nil
		})
		says(t, s.ask("/"), " listener="+s.address)
		stop(t, p)
		nobodyAt(t, s.address)
	}
}

// Without this options in a unit's environment, or in a file, would do nothing.
func TestOptionsElsewhere(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.env = []string{"ROUSE_RUN_IDLE_STOP=200ms"}
	p := s.run("", "-tcp", s.other)
	gone(t, s.pid())
	stop(t, p)

	s.env, s.dir = nil, t.TempDir()
	text := fmt.Sprintf("command = [%q, '-tcp', %q]\nidle-stop = '200ms'\n", child(t), s.other)
	if err := os.WriteFile(filepath.Join(s.dir, "run.toml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	p = s.runProgram("--config-file=run.toml")
	gone(t, s.pid())
	stop(t, p)
}
