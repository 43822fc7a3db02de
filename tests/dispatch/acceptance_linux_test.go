package dispatch

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/tests/program"
)

// What has to hold where socketbox fails, or is to be replaced. A7, A9, A10 and A11 are real servers, and so is HAProxy of A8:
// they are in tests/dispatch/servers and tests/servers. A12, the doubles of the original, is in doubles_test.go; A14, how long it
// takes, is measured by tests/bench.

const (
	toOne = "fallback = \"a\"\n[listeners.web]\naddress = \"tcp:0.0.0.0:PORT\"\n[backends.a]\n"
	toTwo = "[listeners.web]\naddress = \"tcp:0.0.0.0:PORT\"\n[backends.a]\n[backends.b]\n" +
		"[[routes]]\nlocal = \"127.0.0.2\"\nto = \"a\"\n[[routes]]\nlocal = \"127.0.0.3\"\nto = \"b\"\n"
)

// Without this a receiver of the original, whose queue has room for 11, would lose most of its clients.
func TestA1QueueOfEleven(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		s := set(t, engine, "fallback = \"old\"\n[listeners.web]\naddress = \"tcp:0.0.0.0:PORT\"\n[backends.old]\nhandoff = \"DIR/old\"\n")
		d := double(t, nil, dgrams+"/receiver.py", filepath.Join(s.dir, "old"), "2")
		d.Stdout.WaitFor("ready", limit)
		s.start()
		l := ones(t, 128, func() error {
			c, err := dialFrom("", s.at("127.0.0.1"))
			if err != nil {
				return err
			}
			defer c.Close()
			if b, err := io.ReadAll(c); err != nil || string(b) != "x" {
				return fmt.Errorf("read %q, %w", b, err)
			}
			return nil
		})
		l.more(1000)
		l.lostNone()
		noComplaints(t, d, "ready")
		stopped(t, s.Process)
	})
}

// Without this a restart, or a crash, of a daemon would cost its clients.
func TestA2Restarts(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		for name, takes := range map[string]byte{"listener": listeners, "connections": connections} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := play(t, engine, toOne)
				o := backendOptions{takes: takes, credit: 16}
				b, hands := s.backs("a", o), 0
				l := ones(t, 32, greeted(s.at("127.0.0.1"), "a"))
				for range 3 {
					l.more(200)
					hands += b.kill()
					b = s.backs("a", o)
				}
				l.more(200)
				killed := l.stop()
				if killed > hands {
					t.Errorf("%d were lost, and the killed processes had %d in their hands: %v", killed, hands, l.lost)
				}
				t.Logf("killed three times: %d of %d lost, %d were in hands", killed, int64(killed)+l.answered.Load(), hands)

				l = ones(t, 32, greeted(s.at("127.0.0.1"), "a"))
				for n := range 3 {
					l.more(200)
					if n == 1 { // a new one before the old one goes
						next := s.backs("a", o)
						stopped(t, b.Process)
						b = next
						continue
					}
					stopped(t, b.Process)
					b = s.backs("a", o)
				}
				l.more(200)
				l.lostNone()
				if bad := b.counts.bad.Load(); bad > 0 {
					t.Errorf("%d could not be answered", bad)
				}
				stopped(t, b.Process)
				stopped(t, s.Process)
			})
		}
	})
}

// Without this clients of a backend that is away would be reset at once, or never, and nobody would know why.
func TestA3BackendMissing(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		s := play(t, engine, "wait = \"300ms\"\n"+toTwo)
		began := time.Now()
		isRejected(t, "", s.at("127.0.0.3"))
		if took := time.Since(began); took < 300*time.Millisecond || took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		line := s.Stderr.WaitFor(`(?m)^.*was reset.*$`, limit)[0]
		for _, want := range []string{"route=route-2", "backend=b", "no process is registered"} {
			if !strings.Contains(line, want) {
				t.Errorf("%q does not tell %q", line, want)
			}
		}
		if n := strings.Count(s.Stderr.String(), "was reset"); n != 1 {
			t.Errorf("%d lines", n)
		}
		drops := 0
		for _, n := range s.backend("b").Drops {
			drops += int(n)
		}
		if drops != 1 {
			t.Errorf("%d drops are counted", drops)
		}
		stopped(t, s.Process)
	})
}

// Without this a service could take other clients' connections, or miss the end of its own children.
func TestA4ChildOfInetd(t *testing.T) {
	t.Parallel()
	needsOwnNetwork(t)
	s := play(t, "hand-over", toOne)
	path := filepath.Join(program.ShortDir(t), "s")
	script := []string{"--", "/bin/sh", "-c", "for n in 0 1 2 3 4 5 6 7 8 9 10 11 12; do test -L /proc/$$/fd/$n && echo open $n; done; grep -E '^Sig(Blk|Ign)' /proc/self/status; env"}
	direct := freePort()
	program.Start(t, program.Run{Args: append([]string{"inetd", "--listen", fmt.Sprintf("tcp:127.0.0.1:%d", direct)}, script...)})
	program.Start(t, program.Run{Args: append([]string{"inetd", "--listen", "handoff:" + path}, script...)})
	program.Start(t, program.Run{Args: append([]string{"inetd", "--listen", "dispatch:" + s.desk + "#a"}, script...)})
	s.registered("a", 1)
	awaitPath(t, path)
	front, handed := program.Listener(t)
	double(t, []*os.File{front}, dgrams+"/sender.py", path, "1")
	until(t, "inetd listens", func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", direct))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	for from, address := range map[string]string{"bound": fmt.Sprintf("127.0.0.1:%d", direct), "handoff": handed, "dispatch": s.at("127.0.0.1")} {
		c, err := dialFrom("", address)
		if err != nil {
			t.Fatal(from, err)
		}
		b, err := io.ReadAll(c)
		if err != nil {
			t.Error(from, err)
		}
		said := "\n" + string(b)
		remote, local := c.LocalAddr().(*net.TCPAddr), c.RemoteAddr().(*net.TCPAddr)
		for _, want := range []string{"open 0\nopen 1\nopen 2", "SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000", "PROTO=TCP",
			"REMOTE_HOST=127.0.0.1", "REMOTE_ADDR=127.0.0.1", fmt.Sprint("REMOTE_PORT=", remote.Port),
			"TCPREMOTEIP=127.0.0.1", fmt.Sprint("TCPREMOTEPORT=", remote.Port), "TCPLOCALIP=127.0.0.1", fmt.Sprint("TCPLOCALPORT=", local.Port)} {
			if !strings.Contains(said, "\n"+want+"\n") {
				t.Errorf("%s: the child does not have %q: %s", from, want, said)
			}
		}
		if n := strings.Count(said, "\nopen "); n != 3 {
			t.Errorf("%s: %d descriptors are open: %s", from, n, said)
		}
		c.Close()
	}
}

// Without this whoever may write to a socket's path could make up clients.
func TestA5ForgedByAnotherUser(t *testing.T) {
	t.Parallel()
	needsOwnNetwork(t)
	dir := program.ShortDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	p := inetd(t, "handoff:"+path+"?mode=0666")
	awaitSocket(t, path)
	server, client := program.ConnectionPair(t)
	sendsAs(t, 65534, dir, path, server)
	server.Close()
	client.SetDeadline(time.Now().Add(limit))
	if n, err := client.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("the client is served: %d, %v", n, err)
	}
	p.Stderr.WaitFor(`refused.*65534|65534.*refused`, limit)

	server, client = program.ConnectionPair(t)
	sendsAs(t, 0, dir, path, server)
	server.Close()
	client.SetDeadline(time.Now().Add(limit))
	if b, err := io.ReadAll(client); string(b) != "x" || err != nil {
		t.Errorf("root's client reads %q, %v", b, err)
	}
	stopped(t, p)
}

// Without this a dispatcher that somebody else runs could make up clients.
func TestA5ForeignDispatcher(t *testing.T) {
	t.Parallel()
	needsOwnNetwork(t)
	s := set(t, "hand-over", toOne)
	if err := os.Chmod(s.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	s.Process = program.Start(t, program.Run{
		Through: []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}, Binary: copyOf(t, program.Binary(t), s.dir),
		Args: []string{"dispatch", "--config", s.rules(), "--engine=hand-over", "--pin=no"}, Dir: s.dir,
	})
	s.Stderr.WaitFor("dispatching;", limit)
	p := inetd(t, "dispatch:"+s.desk+"#a")
	p.Stderr.WaitFor(`65534`, limit)
	if n := len(s.backend("a").Sessions); n != 0 {
		t.Errorf("%d are registered", n)
	}
}

// sendsAs has a user send a descriptor in a datagram to a path.
func sendsAs(t *testing.T, uid int, dir, path string, file *os.File) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := program.Start(t, program.Run{
		Through: []string{"setpriv", fmt.Sprintf("--reuid=%d", uid), fmt.Sprintf("--regid=%d", uid), "--clear-groups"},
		Binary:  copyOf(t, self, dir), Env: []string{helperVariable + "=send"}, Args: []string{path}, Files: []*os.File{file},
	})
	if state := p.Wait(limit); !state.Success() {
		t.Fatal(state)
	}
}

// sendDescriptors sends descriptors as socketbox does, all in one datagram.
func sendDescriptors(path string, descriptors ...int) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var control []byte
	if len(descriptors) > 0 {
		control = unix.UnixRights(descriptors...)
	}
	return unix.Sendmsg(fd, []byte{0}, control, &unix.SockaddrUnix{Name: path}, unix.MSG_NOSIGNAL)
}

// Without this a program would be started on what is no connection, or believe in addresses that are none.
func TestA6WrongDescriptors(t *testing.T) {
	t.Parallel()
	path, allowing := filepath.Join(program.ShortDir(t), "s"), filepath.Join(program.ShortDir(t), "s")
	p, q := inetd(t, "handoff:"+path), inetd(t, "handoff:"+allowing+"?accept=unix")
	awaitPath(t, path)
	awaitPath(t, allowing)
	socket := func(family, kind int) int {
		fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	listening, _ := program.Listener(t)
	one, _ := unixPair(t, unix.SOCK_STREAM)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	wrong := []struct {
		what string
		fd   int
	}{
		{"listens", int(listening.Fd())}, {"not connected", socket(unix.AF_INET, unix.SOCK_STREAM)},
		{"datagram", socket(unix.AF_INET, unix.SOCK_DGRAM)}, {"unix", int(one.Fd())}, {"no socket", int(null.Fd())},
	}
	for _, w := range wrong {
		before := len(refusals(p))
		if err := sendDescriptors(path, w.fd); err != nil {
			t.Fatal(err)
		}
		until(t, w.what+" is refused", func() bool { return len(refusals(p)) > before })
	}
	t.Log(strings.Join(refusals(p), "\n"))
	// Of several the first is taken, as the original does; a datagram without one is nothing.
	server, client := program.ConnectionPair(t)
	other, elsewhere := program.ConnectionPair(t)
	if err := errors.Join(sendDescriptors(path), sendDescriptors(path, int(server.Fd()), int(other.Fd()))); err != nil {
		t.Fatal(err)
	}
	server.Close()
	other.Close()
	for c, want := range map[net.Conn]string{client: "x", elsewhere: ""} {
		c.SetDeadline(time.Now().Add(limit))
		if b, err := io.ReadAll(c); string(b) != want || err != nil {
			t.Errorf("read %q, %v; want %q", b, err, want)
		}
	}
	mine, peer := unixPair(t, unix.SOCK_STREAM)
	if err := sendDescriptors(allowing, int(peer.Fd())); err != nil {
		t.Fatal(err)
	}
	peer.Close()
	if b, err := io.ReadAll(mine); string(b) != "x" || err != nil {
		t.Errorf("a unix connection reads %q, %v", b, err)
	}
	stopped(t, p)
	stopped(t, q)
}

func refusals(p *program.Process) []string {
	return regexp.MustCompile(`(?m)^.*refused.*$`).FindAllString(p.Stderr.String(), -1)
}

// Without this HAProxy's sockpair@ would get nothing: it reads one byte and one descriptor from an inherited pair.
func TestA8Sockpair(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]int{"stream": unix.SOCK_STREAM, "datagram": unix.SOCK_DGRAM} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, other := unixPair(t, kind)
			address, p := dispatcher(t, program.ShortDir(t), `handoff = "fd:4"`, ours)
			ours.Close()
			served := crowd(t, address, 50, oneByte)
			for range 50 {
				data, control := make([]byte, 2), make([]byte, unix.CmsgSpace(4))
				n, cn, flags, _, err := unix.Recvmsg(int(other.Fd()), data[:1], control, unix.MSG_CMSG_CLOEXEC)
				if err != nil || n != 1 || flags&unix.MSG_CTRUNC != 0 {
					t.Fatal(n, flags, err)
				}
				messages, err := unix.ParseSocketControlMessage(control[:cn])
				if err != nil {
					t.Fatal(err)
				}
				fds, err := unix.ParseUnixRights(&messages[0])
				if err != nil {
					t.Fatal(err)
				}
				unix.Write(fds[0], []byte("x"))
				unix.Close(fds[0])
			}
			served()
			stopped(t, p)
		})
	}
}

// Without this an IPv4 server would read addresses of another family than it has room for.
func TestA13IPv4Backend(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		s := play(t, engine, toOne)
		server := `
import socket
s = socket.socket(socket.AF_INET)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("0.0.0.0", 8080))
s.listen(100)
while True:
    c, peer = s.accept()
    c.sendall(("%s %s %s %s\n" % (c.family.name, peer[0], c.getpeername()[0], c.getsockname()[0])).encode())
    c.close()
`
		p := program.Start(t, program.Run{Args: []string{"run", "--listen", "dispatch:" + s.desk + "#a", "--", "python3", "-c", server}, Env: []string{"PYENV_VERSION=" + os.Getenv("PYENV_VERSION")}})
		c, err := dialFrom("127.0.0.9", s.at("127.0.0.2"))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(c); string(b) != "AF_INET 127.0.0.9 127.0.0.9 127.0.0.2\n" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
		stopped(t, p)
		stopped(t, s.Process)
	})
}

// Without this a hand-over could become slow without anybody seeing it. The bounds are far: tests/bench measures.
func TestA14Rate(t *testing.T) {
	needsOwnNetwork(t)
	s := play(t, "hand-over", toTwo)
	b := s.backs("a", backendOptions{takes: connections})
	l := ones(t, 8, greeted(s.at("127.0.0.2"), "a"))
	began := time.Now()
	l.more(2000)
	rate := 2000 / time.Since(began).Seconds()
	l.lostNone()
	if t.Logf("%.0f connections a second", rate); rate < 300 {
		t.Error("that is too few")
	}
	stopped(t, b.Process)
}

// Without this a mistake in an old file would end in a crash, as it does in the original, or in other rules than it says.
func TestA15OldFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "socketbox.conf")
	for name, c := range map[string]struct {
		text string
		want string // "" when it is in order
	}{
		"missing size":     {"max-rules:1\nrule-set:0\nip:::1 jump-unix:/a\n", ""},
		"overfull list":    {"max-rules:1\nrule-set:0 size:1\nip:::1 jump-unix:/a\nip:::2 jump-unix:/b\n", ""},
		"range as port":    {"max-rules:1\nrule-set:0 size:2\nport:80-90 jump-unix:/a\n", `socketbox.conf:3: port:80-90: .+`},
		"unknown token":    {"max-rules:1\nrule-set:0 size:2\nportt:80 jump-unix:/a\n", `socketbox.conf:3: portt:80: .+`},
		"missing list":     {"max-rules:1\nrule-set:0 size:2\nport:80 jump-rule:7\n", `socketbox.conf:3: jump-rule:7: .+`},
		"missing map":      {"max-rules:1\nmax-maps:1\nrule-set:0 size:2\nport:80 jump-map:5\n", `socketbox.conf:4: jump-map:5: .+`},
		"abbreviation":     {"max-rules:1\nrule-set:0 size:2\np:80 jump-unix:/a\n", `socketbox.conf:3: p:80: .+`},
		"map without mask": {"max-rules:1\nmax-maps:1\nrule-set:0 size:2\njump-map:0\nmap-set:0 size:2\nip:::1 jump-unix:/a\n", `socketbox.conf:\d+: .+`},
		"plain IPv4":       {"max-rules:1\nrule-set:0 size:2\nip:127.0.0.1 jump-unix:/a\n", `socketbox.conf:3: ip:127.0.0.1: .+`},
	} {
		if err := os.WriteFile(file, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := rouse(t, "dispatch", "--check", "--config", file)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v: %s", name, err, out)
		case c.want != "" && (exitCode(err) != 78 || !regexp.MustCompile(`(?m)^.*`+c.want+`$`).MatchString(out)):
			t.Errorf("%s: %v: %s", name, err, out)
		}
		if strings.Contains(out, "goroutine") || name != "map without mask" && strings.Count(out, "\n") > 3 {
			t.Errorf("%s: %s", name, out)
		}
	}
}

// Without this the dispatcher would end when the kernel has a bad moment, as the original does.
func TestA16TransientErrors(t *testing.T) {
	t.Parallel()
	needsOwnNetwork(t)
	if _, err := os.Stat("/usr/bin/strace"); err != nil {
		t.Skip("needs strace, which puts errors in the place of what the kernel says")
	}
	for _, errno := range []string{"ECONNABORTED", "EINTR", "EPERM", "ENETDOWN", "EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"} {
		t.Run(errno, func(t *testing.T) {
			t.Parallel()
			s := set(t, "hand-over", toTwo)
			s.Process = program.Start(t, program.Run{
				Through: []string{"strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=accept4", "-e", "inject=accept4:error=" + errno + ":when=1..3"},
				Args:    []string{"dispatch", "--config", s.rules(), "--engine=hand-over", "--pin=no"},
			})
			s.Stderr.WaitFor("dispatching;", limit)
			b := s.backs("a", backendOptions{})
			for range 10 {
				gets(t, "", s.at("127.0.0.2"), "a")
			}
			b.Stop()
		})
	}
}

// Without this a dispatcher that runs out of descriptors would lose clients, or never come back.
func TestA16OutOfDescriptors(t *testing.T) {
	t.Parallel()
	needsOwnNetwork(t)
	s := play(t, "hand-over", toTwo)
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.Pid))
	if err != nil {
		t.Fatal(err)
	}
	s.mayOpen(uint64(len(open) + 20))
	var waiting []net.Conn
	for range 100 { // of b, which is not there: they wait, each with a descriptor
		c, err := dialFrom("", s.at("127.0.0.3"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		waiting = append(waiting, c)
	}
	s.Stderr.WaitFor(`(?i)too many open files`, limit)
	s.mayOpen(1024)
	b := s.begins("b", backendOptions{})
	var group sync.WaitGroup
	for _, c := range waiting {
		group.Go(func() {
			if got, err := io.ReadAll(c); string(got) != greeting("b", c) || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
	group.Wait()
	gets(t, "", s.at("127.0.0.3"), "b")
	b.Stop()
	stopped(t, s.Process)
}

// mayOpen sets how many descriptors the dispatcher may have; its hard limit stays.
func (s *scene) mayOpen(count uint64) {
	s.t.Helper()
	var now unix.Rlimit
	err := unix.Prlimit(s.Pid, unix.RLIMIT_NOFILE, nil, &now)
	if err == nil {
		err = unix.Prlimit(s.Pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: min(count, now.Max), Max: now.Max}, nil)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// Without this connections would vanish where the dispatcher may not write to a backend's socket.
func TestA17ForbiddenSocket(t *testing.T) {
	t.Parallel()
	s := set(t, "hand-over", "wait = \"500ms\"\nfallback = \"old\"\n[listeners.web]\naddress = \"tcp:0.0.0.0:PORT\"\n[backends.old]\nhandoff = \"DIR/old\"\n")
	d := double(t, nil, dgrams+"/receiver.py", filepath.Join(s.dir, "old"), "0")
	d.Stdout.WaitFor("ready", limit)
	if err := os.Chmod(s.dir, 0o777); err != nil {
		t.Fatal(err)
	}
	s.Process = program.Start(t, program.Run{
		Through: []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}, Binary: copyOf(t, program.Binary(t), s.dir),
		Args: []string{"dispatch", "--config", s.rules(), "--engine=hand-over", "--pin=no"}, Dir: s.dir,
	})
	s.Stderr.WaitFor(`(?m)^.*`+regexp.QuoteMeta(s.dir)+`/old.*mode 0660 .*user root.*user nobody.*$`, limit)
	isRejected(t, "", s.at("127.0.0.1"))
	s.Stderr.WaitFor(`(?m)^.*was reset.*permission denied.*backend=old`, limit)
	stopped(t, s.Process)
}

// Without this a second program would take a living one's path, and with it its clients.
func TestA18PathOfTheLiving(t *testing.T) {
	t.Parallel()
	path := filepath.Join(program.ShortDir(t), "s")
	p := inetd(t, "handoff:"+path)
	awaitPath(t, path)
	second := inetd(t, "handoff:"+path)
	if state := second.Wait(limit); state.Success() {
		t.Error("the second one ends well")
	}
	if !strings.Contains(second.Stderr.String(), path) {
		t.Errorf("%q does not name the path", second.Stderr)
	}
	passes(t, path)
	p.Signal(unix.SIGKILL)
	p.Wait(limit)
	if _, err := os.Lstat(path); err != nil {
		t.Fatal("a killed process leaves its path: ", err)
	}
	third := inetd(t, "handoff:"+path)
	until(t, "the stale path is taken over", func() bool {
		server, client := program.ConnectionPair(t)
		defer server.Close()
		defer client.Close()
		return sendDescriptors(path, int(server.Fd())) == nil
	})
	passes(t, path)
	stopped(t, third)
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the path stays: %v", err)
	}
}

// passes sends a connection, which has to be served.
func passes(t *testing.T, path string) {
	t.Helper()
	server, client := program.ConnectionPair(t)
	if err := sendDescriptors(path, int(server.Fd())); err != nil {
		t.Fatal(err)
	}
	server.Close()
	client.SetDeadline(time.Now().Add(limit))
	if b, err := io.ReadAll(client); string(b) != "x" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

// Without this a second dispatcher would take the first one's backends.
func TestA18DeskOfTheLiving(t *testing.T) {
	t.Parallel()
	s := play(t, "hand-over", toOne)
	other := strings.ReplaceAll("socket = \"DIR/desk\"\n"+toOne, "DIR", s.dir)
	file := filepath.Join(t.TempDir(), "other.toml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(other, "PORT", fmt.Sprint(freePort()))), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := rouse(t, "dispatch", "--config", file, "--engine=hand-over", "--pin=no")
	if err == nil || !strings.Contains(out, s.desk) {
		t.Errorf("%v: %s", err, out)
	}
	s.status()
	s.Signal(unix.SIGKILL)
	s.Wait(limit)
	s.start()
	s.status()
	stopped(t, s.Process)
	if _, err := os.Lstat(s.desk); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the path stays: %v", err)
	}
}

// Without this a backend that is busy would cost its clients, as the original resets them.
func TestA19NoCredit(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		const clients = 1000
		s := play(t, engine, strings.Replace(toOne, "PORT\"", "PORT?backlog=4096\"", 1))
		r, err := register(s.desk, "a", connections, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer r.close()
		served := crowd(t, s.at("127.0.0.1"), clients, oneByte)
		now, accepted, waiting := s.status(), 0, 0
		for _, l := range now.Listeners {
			accepted, waiting = accepted+int(l.Accepted), waiting+l.Waiting
		}
		if accepted > 0 || waiting != clients {
			t.Errorf("%d were accepted, %d wait in the kernel", accepted, waiting)
		}
		if err := r.credit(clients); err != nil {
			t.Fatal(err)
		}
		for range clients {
			f, err := r.next()
			if err != nil || f.kind != connectionFrame {
				t.Fatal(f, err)
			}
			if err := r.accepted(0, f.id); err != nil {
				t.Fatal(err)
			}
			unix.Write(f.fd, []byte("x"))
			unix.Close(f.fd)
		}
		served()
		stopped(t, s.Process)
	})
}

// Without this servers would be passed sockets of MPTCP, which they did not ask for.
func TestA20Protocol(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		s := play(t, engine, toOne)
		r, err := register(s.desk, "a", listeners, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer r.close()
		f, err := r.next()
		if err != nil || f.kind != socketFrame || f.socketKind != 1 || r.sockets != 1 || r.gives != 2 {
			t.Fatal(f, r.sockets, r.gives, err)
		}
		defer unix.Close(f.fd)
		for option, want := range map[int]int{unix.SO_PROTOCOL: unix.IPPROTO_TCP, unix.SO_ACCEPTCONN: 1, unix.SO_TYPE: unix.SOCK_STREAM, unix.SO_DOMAIN: unix.AF_INET} {
			if got, err := unix.GetsockoptInt(f.fd, unix.SOL_SOCKET, option); got != want || err != nil {
				t.Errorf("option %d is %d, %v", option, got, err)
			}
		}
		if f.name != "web" || !slices.Contains([]string{"tcp:0.0.0.0:" + fmt.Sprint(s.port), "0.0.0.0:" + fmt.Sprint(s.port)}, strings.TrimSuffix(f.address, " of a")) {
			t.Errorf("it is told as %q, %q", f.name, f.address)
		}
		stopped(t, s.Process)
	})
}
