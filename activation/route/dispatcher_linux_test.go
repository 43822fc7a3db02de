package route

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/activation/handoff"
)

// Each client gets to the backend of its rule, with what is known of it; nobody's to none.
func TestDispatch(t *testing.T) {
	s := play(t, "web mail", `
		[backends.one]
		[backends.two]
		[[routes]]
		name = "mail of the machine itself"
		listener = "mail"
		client = "127.0.0.1"
		to = "two"
		[[routes]]
		listener = "web"
		local = "127.0.0.0/8"
		to = "one"
	`, Options{})
	s.serve("one")
	s.register("two", 1, func(a *handoff.Arrival, conn net.Conn) {
		fmt.Fprint(conn, a.Meta.Route, " ", a.Meta.Listener, " ", a.Meta.Client == conn.RemoteAddr().(*net.TCPAddr).AddrPort(), " ", a.Meta.Local)
	})
	s.asks("web", "one")
	s.asks("mail", "mail of the machine itself mail true "+s.address("mail"))
	s.asks("web", "one")
	status := s.d.Status()
	if n := status.Routes[1].Connections; n != 2 {
		t.Errorf("the status tells of %d connections by the route", n)
	}
	until(t, "both acknowledged", func() bool { return s.backend("one").Connections == 2 })
}

// A connection is passed as accept(2) gave it.
func TestUntouched(t *testing.T) {
	s := play(t, "web", "fallback = 'one'\n[backends.one]", Options{})
	r := s.registered("one", 1)
	client := s.dial("web")
	a := next(t, r)
	defer unix.Close(a.Number)
	flags, _ := unix.FcntlInt(uintptr(a.Number), unix.F_GETFL, 0)
	alive, _ := unix.GetsockoptInt(a.Number, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
	noDelay, _ := unix.GetsockoptInt(a.Number, unix.IPPROTO_TCP, unix.TCP_NODELAY)
	if flags&unix.O_NONBLOCK != 0 || alive != 0 || noDelay != 0 {
		t.Errorf("O_NONBLOCK %x, SO_KEEPALIVE %d, TCP_NODELAY %d", flags&unix.O_NONBLOCK, alive, noDelay)
	}
	a.Accepted()
	client.Close()
}

// receiver is socketbox's: a datagram socket with the short queue that the system gives it. It answers one client after the other.
func (s *scene) receiver(name string, spends time.Duration) (served *atomic.Int64, end func()) {
	s.t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	path := filepath.Join(s.dir, name)
	os.Remove(path)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		s.t.Fatal(err)
	}
	served = new(atomic.Int64)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer unix.Close(fd)
		data, control := make([]byte, 128), make([]byte, 1280)
		for {
			n, size, _, _, err := unix.Recvmsg(fd, data, control, unix.MSG_CMSG_CLOEXEC)
			if err != nil || n == 0 {
				return
			}
			messages, _ := unix.ParseSocketControlMessage(control[:size])
			descriptors, _ := unix.ParseUnixRights(&messages[0])
			if n != 1 || data[0] != 0 || len(descriptors) != 1 {
				s.t.Errorf("%d bytes %x, %d descriptors", n, data[:n], len(descriptors))
			}
			if spends > 0 {
				time.Sleep(spends)
			}
			unix.Write(descriptors[0], []byte(name))
			unix.Close(descriptors[0])
			served.Add(1)
		}
	}()
	end = sync.OnceFunc(func() {
		unix.Shutdown(fd, unix.SHUT_RDWR)
		<-ended
	})
	s.t.Cleanup(end)
	return served, end
}

// A legacy receiver whose queue holds 11 and who takes 2 ms over each loses none of 128 clients at once.
func TestLegacyReceiver(t *testing.T) {
	s := play(t, "web", "fallback = 'old'\n[backends.old]\nhandoff = 'DIR/old'", Options{})
	s.receiver("old", 2*time.Millisecond)
	answers, failures := crowd(s.address("web"), 128, 4)
	if answers["old"] != 512 {
		t.Errorf("of 512 clients %d were lost: %v", len(failures), failures[:min(3, len(failures))])
	}
}

// The path of a legacy receiver may name the address and the port that the client asked for.
func TestPathsOfReceivers(t *testing.T) {
	s := play(t, "web mail", "fallback = 'old'\n[backends.old]\nhandoff = 'DIR/{local.6}-{local.7}-{port}'", Options{})
	_, port, _ := net.SplitHostPort(s.address("web"))
	name := fmt.Sprintf("32512-00001-%05s", port)
	waits := s.dial("mail") // nobody is there for it, which delays no other
	s.receiver(name, 0)
	s.asks("web", name)
	waits.Close()
}

// A backend that is missing lets its clients wait for their patience, in the kernel's queue or here; then they are reset, and one
// line names route, backend and reason.
func TestNobodyThere(t *testing.T) {
	const patience = 300 * time.Millisecond
	for name, rules := range map[string]string{
		"only":   `[[routes]]` + "\nname = 'to all'\nto = 'one'",
		"shared": `[[routes]]` + "\nname = 'to all'\nclient = '127.0.0.1'\nto = 'one'\n[[routes]]\nto = 'two'",
		"legacy": `[[routes]]` + "\nname = 'to all'\nto = 'old'",
	} {
		t.Run(name, func(t *testing.T) {
			s := play(t, "web", "wait = '300ms'\n[backends.one]\n[backends.two]\n[backends.old]\nhandoff = 'DIR/old'\n"+rules, Options{})
			var all sync.WaitGroup
			for range 20 {
				conn := s.dial("web")
				all.Go(func() {
					if spent := wasReset(t, conn); spent < patience/2 || spent > 4*patience {
						t.Errorf("after %s", spent)
					}
				})
			}
			all.Wait()
			s.stop()
			got := 0
			for line := range strings.Lines(s.log.String()) {
				if strings.Contains(line, "a connection was reset") {
					got++
					if !strings.Contains(line, dropPatience) || !strings.Contains(line, "backend=") || !strings.Contains(line, "registered") && !strings.Contains(line, "nobody receives") {
						t.Error(line)
					}
				}
			}
			if got < 1 || got > 2 {
				t.Errorf("%d lines", got)
			}
		})
	}
}

// Without credit nobody is accepted; 1,000 clients wait, and all are served once there is some.
func TestNoCredit(t *testing.T) {
	for name, rules := range map[string]string{
		"only":   "fallback = 'one'",
		"shared": "fallback = 'two'\n[[routes]]\nclient = '127.0.0.1'\nto = 'one'",
	} {
		t.Run(name, func(t *testing.T) {
			s := play(t, "web", strings.Replace(rules, "[[", "[backends.one]\n[backends.two]\n[[", 1)+map[bool]string{true: "\n[backends.one]"}[name == "only"], Options{})
			r := s.registered("one", 0)
			var served sync.WaitGroup
			answers, failures := map[string]int{}, []error(nil)
			served.Go(func() { answers, failures = crowd(s.address("web"), 1000, 1) })
			until(t, "they wait", func() bool { return s.waiting("one") >= 1000 })
			if accepted := s.d.Status().Listeners[0].Accepted; name == "only" && accepted != 0 {
				t.Errorf("%d were accepted", accepted)
			}
			for i := range 1000 {
				r.Grant(1)
				a := next(t, r)
				a.Accepted()
				conn := connOfArrival(a)
				fmt.Fprint(conn, i)
				conn.Close()
			}
			served.Wait()
			if len(failures) > 0 || len(answers) != 1000 {
				t.Errorf("%d were answered, %d failed: %v", len(answers), len(failures), failures[0])
			}
		})
	}
}

// TestBackendProcess is a backend of its own for other tests: it answers one client after the other.
func TestBackendProcess(t *testing.T) {
	desk := os.Getenv("ROUTE_TEST_DESK")
	if desk == "" {
		return // it is run by other tests
	}
	r := handoff.Register(desk, "one", handoff.RegisterOptions{Takes: "connections", Credit: 16})
	for {
		a, err := r.Next(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		a.Accepted()
		time.Sleep(time.Millisecond)
		conn := connOfArrival(a)
		io.WriteString(conn, "one")
		conn.Close()
		r.Grant(1)
	}
}

// A process that is killed loses none that it had not accepted.
func TestKilledProcess(t *testing.T) {
	s := play(t, "web", "fallback = 'one'\n[backends.one]", Options{})
	const kills = 5
	ended := make(chan struct{})
	var process *exec.Cmd
	start := func() {
		process = exec.Command(os.Args[0], "-test.run=^TestBackendProcess$")
		process.Env = append(os.Environ(), "ROUTE_TEST_DESK="+s.desk)
		if err := process.Start(); err != nil {
			t.Fatal(err)
		}
	}
	start()
	go func() {
		defer close(ended)
		for range kills {
			before := s.backend("one").Connections
			until(t, "some are served", func() bool { return s.backend("one").Connections >= before+100 })
			process.Process.Signal(syscall.SIGKILL)
			process.Wait()
			start()
		}
	}()
	var lost, served int
	for done := false; !done; {
		answers, failures := crowd(s.address("web"), 32, 10)
		lost, served = lost+len(failures), served+answers["one"]
		select {
		case <-ended:
			done = true
		default:
		}
	}
	process.Process.Kill()
	process.Wait()
	again := s.backend("one").Again
	t.Logf("%d served, %d lost, %d given to a successor", served, lost, again)
	if lost > kills { // the one that it had in its hands, each time
		t.Errorf("%d were lost in %d kills", lost, kills)
	}
	if again == 0 {
		t.Error("nothing was given to a successor")
	}
}

// Accepts that fail for one client, or for a while, end nothing.
func TestAcceptErrors(t *testing.T) {
	s := play(t, "web", "fallback = 'one'\n[backends.one]", Options{})
	s.stop()
	log := &lines{}
	s = &scene{t: t, dir: s.dir, desk: s.desk, sockets: map[string][]activation.Held{}, log: log}
	s.hold("web", "tcp:127.0.0.1:0")
	d, err := New(s.rules("fallback = 'one'\n[listeners.web]\n[backends.one]"), s.sockets, Options{Engine: HandOver, Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	causes := []error{
		unix.ECONNABORTED, unix.EINTR, unix.EPERM, unix.EPROTO, unix.ENETDOWN, unix.EHOSTUNREACH, unix.EOPNOTSUPP, unix.ETIMEDOUT,
		unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM,
	}
	var calls atomic.Int64
	d.accept = func(fd int) (int, syscall.Sockaddr, error) {
		if i := int(calls.Add(1)) - 1; i < len(causes) {
			return -1, nil, causes[i]
		}
		return acceptRaw(fd)
	}
	s.d = d
	s.run()
	s.serve("one")
	s.asks("web", "one")
	status := d.Status().Listeners[0]
	if status.Errors != uint64(len(causes)) || status.Error != unix.ENOMEM.Error() {
		t.Errorf("%+v", status)
	}
}

// A backend that takes nothing delays no client of another one, also when its clients pile up.
func TestSlowBackend(t *testing.T) {
	s := play(t, "web mail", `
		fallback = "fast"
		[backends.slow]
		[backends.fast]
		[[routes]]
		listener = "mail"
		client = "127.0.0.1"
		to = "slow"
	`, Options{MostWaiting: 32})
	s.serve("fast")
	s.registered("slow", 4)
	for range 40 { // more than there is room for: some are reset at once
		if conn, err := net.Dial("tcp", s.address("mail")); err == nil {
			defer conn.Close()
		}
	}
	until(t, "they pile up", func() bool { return s.waiting("slow") >= 16 })
	began := time.Now()
	if _, failures := crowd(s.address("web"), 8, 50); len(failures) > 0 {
		t.Error(failures[0])
	}
	if spent := time.Since(began); spent > 5*time.Second {
		t.Errorf("it took %s", spent)
	}
}

// Who does not acknowledge gets nothing more, and others get it; who acknowledges again is trusted again.
func TestAcknowledgementWithheld(t *testing.T) {
	s := play(t, "web", "fallback = 'one'\n[backends.one]", Options{AckTime: 50 * time.Millisecond})
	silent := s.registered("one", 100)
	s.dial("web")
	first := next(t, silent)
	time.Sleep(100 * time.Millisecond)
	s.register("one", 2, func(_ *handoff.Arrival, conn net.Conn) { io.WriteString(conn, "other") })
	for range 10 {
		s.asks("web", "other")
	}
	if !strings.Contains(s.log.String(), "does not acknowledge") {
		t.Error("no line tells of it")
	}
	first.Accepted()
	unix.Close(first.Number)
	until(t, "it is trusted", func() bool { return strings.Contains(s.log.String(), "again") })
	s.dial("web")
	again := next(t, silent)
	again.Accepted()
	unix.Close(again.Number)
}

// New rules take the place of old ones under load, and no client notices.
func TestReload(t *testing.T) {
	s := play(t, "web", "fallback = 'one'\n[backends.one]\n[backends.two]", Options{})
	s.serve("one")
	s.serve("two")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for i := range 11 {
			name := []string{"two", "one"}[i%2]
			err := s.d.Reload(s.rules("fallback = '"+name+"'\n[listeners.web]\n[backends.one]\n[backends.two]"), s.sockets)
			if err != nil {
				t.Error(err)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	total := map[string]int{}
	for done := false; !done; {
		answers, failures := crowd(s.address("web"), 16, 10)
		if len(failures) > 0 {
			t.Fatalf("%d failed: %v", len(failures), failures[0])
		}
		for answer, n := range answers {
			total[answer] += n
		}
		select {
		case <-ended:
			done = true
		default:
		}
	}
	if total["one"] == 0 || total["two"] == 0 || len(total) != 2 {
		t.Errorf("%v", total)
	}
	if err := s.d.Reload(s.rules("[listeners.web]\n[backends.one]"), map[string][]activation.Held{"other": nil}); err == nil {
		t.Error("wrong sockets were taken")
	}
}

// Clients that wait for a backend that the new rules do not have go where these send them.
func TestReloadWithClientsWaiting(t *testing.T) {
	s := play(t, "web", "fallback = 'two'\n[backends.one]\n[backends.two]\n[[routes]]\nclient = '127.0.0.0/8'\nto = 'one'", Options{})
	s.serve("two")
	answer := make(chan string, 1)
	go func() {
		got, _ := ask(s.address("web"))
		answer <- got
	}()
	until(t, "it waits", func() bool { return s.waiting("one") == 1 })
	if err := s.d.Reload(s.rules("fallback = 'two'\n[listeners.web]\n[backends.two]"), s.sockets); err != nil {
		t.Fatal(err)
	}
	if got := <-answer; got != "two" {
		t.Errorf("%q", got)
	}
}

// At the end those who wait are delivered, if somebody takes them in time.
func TestEnd(t *testing.T) {
	s := play(t, "web", "fallback = 'two'\n[backends.one]\n[backends.two]\n[[routes]]\nclient = '127.0.0.0/8'\nto = 'one'", Options{Grace: longest})
	r := s.registered("one", 0)
	answer := make(chan string, 1)
	go func() {
		got, _ := ask(s.address("web"))
		answer <- got
	}()
	until(t, "it waits", func() bool { return s.waiting("one") == 1 })
	ended := make(chan struct{})
	go func() {
		s.stop()
		close(ended)
	}()
	r.Grant(1)
	a := next(t, r)
	a.Accepted()
	conn := connOfArrival(a)
	io.WriteString(conn, "last")
	conn.Close()
	if got := <-answer; got != "last" {
		t.Errorf("%q", got)
	}
	<-ended
}

// No descriptor is left of connections that have ended, whatever their way.
func TestDescriptors(t *testing.T) {
	s := play(t, "web mail rejected", `
		[backends.one]
		[backends.old]
		handoff = "DIR/old"
		[[routes]]
		listener = "web"
		to = "one"
		[[routes]]
		listener = "mail"
		to = "old"
	`, Options{})
	s.serve("one")
	s.receiver("old", 0)
	crowd(s.address("web"), 4, 2)
	crowd(s.address("mail"), 4, 2)
	before := openFiles()
	for range 4 {
		for _, listener := range []string{"web", "mail", "rejected"} {
			crowd(s.address(listener), 8, 25)
		}
	}
	until(t, "no descriptor is left", func() bool { return openFiles() <= before })
}
