package wake

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/activation/handoff"
	"github.com/rouse-server/rouse/platform/process"
	"github.com/rouse-server/rouse/platform/seccomp"
)

// newHall is a desk whose clients come over a channel: who connects to its address is accepted here, and passed on.
func newHall(t *testing.T, program, address string, edit ...func(*Config)) *desk {
	t.Helper()
	if err := seccomp.ProbeAnswer(seccomp.Auto); err != nil {
		t.Skip(err)
	}
	passed := func(c *Config) { c.Sockets = []activation.Held{passage(t, c.Sockets[0].Number)} }
	d := newDesk(t, program, "tcp", address, append([]func(*Config){passed}, edit...)...)
	for _, g := range d.gates {
		g.settle = 200 * time.Millisecond
	}
	return d
}

// passage is a channel over which the clients of a listener come.
func passage(t *testing.T, front int) activation.Held {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	channel, err := handoff.InheritDatagrams(pair[0], "fd:3", handoff.DatagramOptions{Accepts: handoff.Accepts{Unix: true}})
	if err != nil {
		t.Fatal(err)
	}
	sender := handoff.NewCarrier(pair[1])
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, _, err := unix.Accept4(front, unix.SOCK_CLOEXEC)
			if err != nil {
				return
			}
			for err := sender.Send(conn); err != nil; err = sender.Send(conn) {
				if sender.Ready(t.Context()) != nil {
					break
				}
			}
			unix.Close(conn)
		}
	}()
	t.Cleanup(func() {
		unix.Shutdown(front, unix.SHUT_RDWR)
		<-ended
		sender.Close()
		channel.Close()
	})
	return activation.Held{Name: "web", Source: "fd:3", Number: -1, Kind: activation.Channel, Channel: channel}
}

// What programs do with their listeners works on what they get in place of one.
func TestConnections(t *testing.T) {
	for _, c := range []struct{ program, address string }{
		{"plain", "127.0.0.1:0"}, {"other port", "127.0.0.1:0"}, {"thread", "127.0.0.1:0"}, {"own table", "127.0.0.1:0"},
		{"twice", "127.0.0.1:0"}, {"probe", "127.0.0.1:0"}, {"dup", "127.0.0.1:0"}, {"epoll", "127.0.0.1:0"}, {"v6", "127.0.0.1:0"},
		{"v6", "[::]:0"}, {"plain", "[::]:0"}, {"go", "127.0.0.1:0"}, {"prefork", "127.0.0.1:0"}, {"poll", "127.0.0.1:0"}, {"compare", "127.0.0.1:0"},
	} {
		t.Run(c.program+" on "+c.address, func(t *testing.T) {
			d := newHall(t, c.program, c.address)
			d.stop(d.serves("ok"), syscall.SIGTERM)
			d.stop(d.serves("ok"), syscall.SIGKILL)
		})
	}
}

// Where pidfd_getfd(2) is refused, /proc is enough here too.
func TestConnectionsByProc(t *testing.T) {
	d := newHall(t, "plain", "127.0.0.1:0")
	d.descriptor = func(*process.Process, int) (int, error) { return -1, unix.EPERM }
	d.stop(d.serves("ok"), syscall.SIGTERM)
}

// A program that binds a path, and one that is mapped by its port.
func TestConnectionsMapped(t *testing.T) {
	for program, bind := range map[string]string{"unix": "/nonexistent/real.sock", "other port": "4711"} {
		t.Run(program, func(t *testing.T) {
			d := newHall(t, program, "127.0.0.1:0", func(c *Config) { c.Maps = maps(t, bind+"=web") })
			d.stop(d.serves("ok"), syscall.SIGTERM)
		})
	}
}

// What a program is told of its listener and of its clients is what it would be told without us: an IPv4 program meets IPv4
// clients also where they came in by an IPv6 socket, and an IPv6 program sees IPv4 clients as IPv6 sockets tell of them.
func TestConnectionsFamilies(t *testing.T) {
	for _, c := range []struct{ program, address, listener, client string }{
		{"peer", "127.0.0.1:0", "listens 1 domain 2 type 1 protocol 6 name 127.0.0.1", "from 2 %d of 16, domain 2, closes true, nodelay 1"},
		{"peer", "[::]:0", "listens 1 domain 2 type 1 protocol 6 name 127.0.0.1", "from 2 %d of 16, domain 2, closes true, nodelay 1"},
		{"peer v6", "127.0.0.1:0", "listens 1 domain 10 type 1 protocol 6 name ", "from 10 %d of 28, domain 2, closes true, nodelay 1"},
		{"peer v6", "[::]:0", "listens 1 domain 10 type 1 protocol 6 name ", "from 10 %d of 28, domain 10, closes true, nodelay 1"},
	} {
		t.Run(c.program+" on "+c.address, func(t *testing.T) {
			d := newHall(t, c.program, c.address)
			one := d.run()
			conn := d.knock()
			want := fmt.Sprintf(c.client, conn.LocalAddr().(*net.TCPAddr).Port)
			got := d.answer(conn)
			if listener, client, _ := strings.Cut(got, " | "); !strings.HasPrefix(listener, c.listener) || client != want {
				t.Errorf("%q, want %q and %q", got, c.listener, want)
			}
			d.stop(one, syscall.SIGKILL)
		})
	}
}

// A program that binds both families has the clients of each where it expects them.
func TestConnectionsBothFamilies(t *testing.T) {
	d := newHall(t, "both", "[::]:0")
	one := d.run()
	_, port, _ := net.SplitHostPort(d.address)
	for range 3 {
		if got := d.answer(d.knock()); got != "four 2" {
			t.Errorf("an IPv4 client is told %q", got)
		}
		conn, err := net.DialTimeout("tcp", "[::1]:"+port, patient)
		if err != nil {
			t.Skip(err)
		}
		conn.SetDeadline(time.Now().Add(patient))
		io.WriteString(conn, "x\n")
		if got := d.answer(conn); got != "six 10" {
			t.Errorf("an IPv6 client is told %q", got)
		}
	}
	d.stop(one, syscall.SIGKILL)
}

// A client of a family that the program cannot have is reset, not left waiting, and the log says what to do.
func TestConnectionsWrongFamily(t *testing.T) {
	d := newHall(t, "plain", "[::]:0")
	one := d.run()
	d.wait(one.ready, "readiness")
	_, port, _ := net.SplitHostPort(d.address)
	conn, err := net.DialTimeout("tcp", "[::1]:"+port, patient)
	if err != nil {
		t.Skip(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patient))
	if _, err := conn.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("the client is not reset: %v", err)
	}
	d.says("the client is IPv6, and the program bound an IPv4 address")
	if got := d.answer(d.knock()); got != "ok" {
		t.Errorf("the next client is told %q", got)
	}
}

// Options that the program sets before it binds are on its connections, and its listener blocks or not as it made it.
func TestConnectionsOptions(t *testing.T) {
	d := newHall(t, "options", "127.0.0.1:0")
	one := d.run()
	if got, want := d.answer(d.knock()), "keepalive 1 nodelay 1 nonblock true"; got != want {
		t.Errorf("the program answers %q, want %q", got, want)
	}
	d.stop(one, syscall.SIGTERM)
}

// An accept that a signal interrupts loses no client.
func TestConnectionsInterrupted(t *testing.T) {
	d := newHall(t, "interrupted", "127.0.0.1:0")
	one := d.run()
	d.wait(one.ready, "readiness")
	var signals sync.WaitGroup
	stop := make(chan struct{})
	signals.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				unix.Tgkill(one.main.pid, one.main.pid, unix.SIGUSR1)
			}
		}
	})
	for range 100 {
		if got := d.answer(d.knock()); got != "ok" {
			t.Errorf("answer %q", got)
		}
	}
	close(stop)
	signals.Wait()
	d.stop(one, syscall.SIGTERM) // while it is parked
}

// What a program that died had not accepted waits for the next instance.
func TestConnectionsSurviveProgram(t *testing.T) {
	d := newHall(t, "late", "127.0.0.1:0")
	one := d.run()
	d.wait(one.ready, "readiness")
	var clients []net.Conn
	for range 5 {
		clients = append(clients, d.knock())
	}
	if got := d.answer(clients[0]); got != "ok" {
		t.Fatalf("answer %q", got)
	}
	d.stop(one, syscall.SIGKILL)
	d.become("plain")
	one = d.run()
	for _, conn := range clients[1:] {
		if got := d.answer(conn); got != "ok" {
			t.Errorf("answer %q", got)
		}
	}
	d.stop(one, syscall.SIGKILL)
}

// While two instances run, the newer one gets the clients, those that the older one has not accepted too.
func TestConnectionsOverlap(t *testing.T) {
	d := newHall(t, "late", "127.0.0.1:0")
	old := d.run()
	d.wait(old.ready, "readiness")
	if got := d.answer(d.knock()); got != "ok" {
		t.Fatalf("answer %q", got)
	}
	waits := d.knock()
	d.become("plain")
	fresh := d.run()
	for _, conn := range []net.Conn{waits, d.knock()} {
		if got := d.answer(conn); got != "ok" {
			t.Errorf("answer %q", got)
		}
	}
	d.family.signal(old.main, syscall.SIGKILL)
	d.wait(old.gone, "end of the old one")
	if got := d.answer(d.knock()); got != "ok" {
		t.Errorf("answer %q", got)
	}
	d.stop(fresh, syscall.SIGKILL)
}

// A program that may open no more files learns so, and gets the client when it has closed some.
func TestConnectionsFewFiles(t *testing.T) {
	d := newHall(t, "few files", "127.0.0.1:0")
	one := d.run()
	d.wait(one.ready, "readiness")
	var clients []net.Conn
	for range 9 {
		clients = append(clients, d.knock())
	}
	for i, conn := range clients[:8] {
		if got := d.answer(conn); got != "ok" {
			t.Errorf("client %d is told %q", i, got)
		}
	}
	clients[8].Close()
	d.stop(one, syscall.SIGKILL)
}

// A client that waits in the channel wakes a program that sleeps, one that is connected keeps it up, and one that came and went
// was there.
func TestConnectionsIdle(t *testing.T) {
	d := newHall(t, "keep", "127.0.0.1:0")
	knocking := func() bool { return (&life{Config: d.c, engine: d}).waiting() }
	if knocking() || d.arrived() {
		t.Error("somebody waits before anybody came")
	}
	conn := d.knock()
	for end := time.Now().Add(patient); !knocking(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nobody notices the client")
		}
	}
	if !d.arrived() || d.arrived() {
		t.Error("the client did not arrive, once")
	}
	one := d.run()
	d.wait(one.ready, "readiness")
	expect := func(want int) {
		t.Helper()
		for end := time.Now().Add(patient); ; time.Sleep(5 * time.Millisecond) {
			n, err := d.connections(one)
			if err == nil && n == want && !knocking() {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("%d connections, want %d: %v", n, want, err)
			}
		}
	}
	expect(1)
	conn.Close()
	expect(0)
	d.stop(one, syscall.SIGKILL)
}

// Nothing stays open of clients that were served.
func TestConnectionsLeaveNothing(t *testing.T) {
	d := newHall(t, "poll", "127.0.0.1:0")
	one := d.run()
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(entries)
	}
	d.answer(d.knock())
	before := count()
	for range 200 {
		if got := d.answer(d.knock()); got != "ok" {
			t.Fatalf("answer %q", got)
		}
	}
	for end := time.Now().Add(patient); count() > before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d descriptors are open, %d were", count(), before)
		}
	}
	d.stop(one, syscall.SIGTERM)
}

// A dispatcher hears which connections the program has accepted, and gets the others back when the program is to be stopped.
func TestConnectionsOfDispatcher(t *testing.T) {
	folder, err := os.MkdirTemp("", "wake")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(folder)
	office, err := handoff.OpenDesk(folder+"/desk", 0o600, -1, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer office.Close()
	r := handoff.Register(folder+"/desk", "site", handoff.RegisterOptions{Takes: "connections"})
	defer r.Close()
	d := newHall(t, "late", "127.0.0.1:0", func(c *Config) {
		c.Sockets = []activation.Held{{Source: "dispatch:" + folder + "/desk#site", Number: -1, Kind: activation.Channel, Channel: r}}
	})
	applicant, err := office.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	accepted, ended := make(chan uint64, 9), make(chan error, 1)
	session, err := applicant.Admit(handoff.Connection, 0, handoff.Events{Accepted: func(id uint64) { accepted <- id }, Ended: func(err error) { ended <- err }})
	if err != nil {
		t.Fatal(err)
	}
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer front.Close()
	given := map[uint64]bool{}
	var clients []net.Conn
	for range 3 {
		client, err := net.Dial("tcp", front.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		client.SetDeadline(time.Now().Add(patient))
		io.WriteString(client, "x\n")
		clients = append(clients, client)
		conn, err := front.Accept()
		if err != nil {
			t.Fatal(err)
		}
		file, err := conn.(*net.TCPConn).File()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		conn.Close()
		id := give(t, session, int(file.Fd()))
		given[id] = true
	}
	one := d.run()
	if got := d.answer(clients[0]); got != "ok" {
		t.Fatalf("answer %q", got)
	}
	select {
	case id := <-accepted:
		delete(given, id)
	case <-time.After(patient):
		t.Fatal("the dispatcher does not hear that the first one was accepted")
	}
	d.leave()
	select {
	case <-ended:
	case <-time.After(patient):
		t.Fatal("the session goes on")
	}
	if len(accepted) > 0 || len(given) != 2 {
		t.Errorf("the program accepted more than one: %d left", len(given))
	}
	for _, client := range clients[1:] { // untouched, in the hands of the dispatcher
		client.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if _, err := client.Read(make([]byte, 1)); !os.IsTimeout(err) {
			t.Errorf("a client that was not accepted is told %v", err)
		}
	}
	d.stop(one, syscall.SIGKILL)
}

// become makes the next instance another program.
func (d *desk) become(program string) {
	for i, variable := range d.c.Env {
		if strings.HasPrefix(variable, "WAKE_TEST_PROGRAM=") {
			d.c.Env[i] = "WAKE_TEST_PROGRAM=" + program
		}
	}
}

// give passes a connection as soon as the backend has room.
func give(t *testing.T, s *handoff.Session, fd int) uint64 {
	t.Helper()
	for end := time.Now().Add(patient); ; time.Sleep(time.Millisecond) {
		id, err := s.Give(fd, handoff.Meta{Listener: "web"})
		if err == nil {
			return id
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}
