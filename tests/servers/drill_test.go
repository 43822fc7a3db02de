package servers

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/tests/program"
)

const (
	clientV4 = "127.0.0.9" // where clients come from: nobody else does, neither rouse nor a proxy
	clientV6 = "2001:db8::9"
	patience = 30 * time.Second // for what a server does by itself, on a loaded machine
	further  = 20               // requests beside the first
)

// drill is one server and what is done to it.
type drill struct {
	server
	t       *testing.T
	dir     string // the server's own folder
	cgroup  string // all processes of the drill, whatever they do to their environment, session or parent
	word    string // what the server has to answer; another one after the reload
	held    map[string]*os.File
	address map[string]string // of each socket, for clients
	backend string            // an HTTP server for those that need one behind them
	clients map[string]net.Addr
	process *program.Process

	dispatcher *program.Process // from which the server gets its clients, where it does
	earlier    string           // what processes before this one wrote

	descriptors []string // of rouse while the server sleeps
}

// failure is the step at which a drill ended, and why.
type failure struct {
	step string
	err  error
}

// step is one thing that a drill shows.
type step struct {
	name string
	do   func(*drill) error
}

// steps returns what is done to a server, in this order.
func (d *drill) steps() []step {
	if *bare {
		return []step{
			{"start", (*drill).startBare}, {"requests", (*drill).askMore}, {"peer", (*drill).peerInLog},
			{"reload", (*drill).reloadBare}, {"end", (*drill).endBare},
		}
	}
	steps := []step{
		{"queued request", (*drill).queuedRequest}, {"mode", (*drill).modeLine}, {"requests", (*drill).askMore},
		{"peer", (*drill).peerInLog}, {"configured port", (*drill).configuredPortFree}, {"reload", (*drill).reloadIt},
	}
	if d.idles() {
		return append(steps, step{"idle stop", (*drill).sleep}, step{"next instance", (*drill).ask},
			step{"descriptors", (*drill).sleepAgain}, step{"third instance", (*drill).ask}, step{"end", (*drill).end})
	}
	return append(steps, step{"stop", (*drill).stop}, step{"next instance", (*drill).queuedRequest}, step{"end", (*drill).end})
}

// idles tells whether rouse stops the server when it is idle: it counts the connections of stream sockets, and in
// translate mode it is no longer there.
func (d *drill) idles() bool {
	return d.mode != "translate" && slices.ContainsFunc(d.sockets, func(s socket) bool { return s.stream() })
}

// run does all steps and returns where it ended, or nil.
func (d *drill) run() *failure {
	for _, s := range d.steps() {
		begun := time.Now()
		if err := s.do(d); err != nil {
			return &failure{s.name, err}
		}
		d.t.Logf("%-16s %5d ms", s.name, time.Since(begun).Milliseconds())
	}
	return nil
}

// queuedRequest has a client knock before anything runs, starts rouse, and wants the answer.
func (d *drill) queuedRequest() error {
	answer := make(chan error, 1)
	go func() { answer <- d.ask() }()
	if err := d.waitKnock(); err != nil {
		return err
	}
	d.start()
	select {
	case err := <-answer:
		return err
	case <-d.process.Ended():
		return fmt.Errorf("rouse ended before the client was answered")
	}
}

// waitKnock waits until a connection or datagram is queued at one of the sockets, which nobody accepts from.
func (d *drill) waitKnock() error {
	var polled []unix.PollFd
	for _, file := range d.held {
		polled = append(polled, unix.PollFd{Fd: int32(file.Fd()), Events: unix.POLLIN})
	}
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if n, err := unix.Poll(polled, 1000); n > 0 && err == nil {
			return nil
		}
	}
	return errors.New("no client connected")
}

// ask has a client ask and checks the answer. A client that came too early for the server tries again.
func (d *drill) ask() error {
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		err := d.client(d)
		if err == nil || d.early == "" || !strings.Contains(err.Error(), d.early) || time.Now().After(end) {
			return err
		}
	}
}

func (d *drill) askMore() error {
	for i := range further {
		if err := d.ask(); err != nil {
			return fmt.Errorf("request %d of %d: %w", i+1, further, err)
		}
	}
	return nil
}

// modeLine holds that rouse took the way that the row wants.
func (d *drill) modeLine() error {
	want := cmp.Or(d.mode, "listener")
	return d.waitLog(`mode: ` + want)
}

// peerInLog holds that the server's own log shows where the last client came from, by its port too where it logs ports.
func (d *drill) peerInLog() error {
	if d.peer == "" {
		return nil
	}
	for _, client := range d.clients {
		ip, port, _ := net.SplitHostPort(client.String())
		pattern := strings.NewReplacer("@ip@", regexp.QuoteMeta(ip), "@port@", port).Replace(d.peer)
		if err := d.waitLog(pattern); err != nil {
			return err
		}
	}
	return nil
}

// configuredPortFree holds that nobody has opened the port that the server is configured for: its own sockets were swapped.
func (d *drill) configuredPortFree() error {
	for _, s := range d.sockets {
		want := 0
		if s.port == s.real {
			want = 1 // the one that the test holds
		}
		if n := bound(s.network, s.port); n != want {
			return fmt.Errorf("%d sockets are bound to port %s, want %d", n, s.bind(), want)
		}
	}
	return nil
}

// reloadIt changes what the server has to answer and sends SIGHUP to rouse. Every client meanwhile is answered, unless the
// server itself drops those that it has accepted when it ends: there clients come when it has ended.
func (d *drill) reloadIt() error {
	if d.reload == "" {
		return nil
	}
	before := d.processes()
	old := d.word
	d.word = "two"
	if err := d.write(); err != nil {
		return err
	}
	d.process.Signal(syscall.SIGHUP)
	gone := func() bool { // the processes of the old instance
		now := d.processes()
		return !slices.ContainsFunc(before, func(pid int) bool { return slices.Contains(now, pid) })
	}
	if d.abrupt {
		if err := d.wait("the old instance has not ended", patience, gone); err != nil {
			return err
		}
	}
	return d.awaitReload(old, d.reload != "restart" && d.reload != "overlap" || d.mode == "translate", gone)
}

// awaitReload asks until the server answers anew and, where the reload starts another instance, the old one is gone.
func (d *drill) awaitReload(old string, inPlace bool, gone func() bool) error {
	for end := time.Now().Add(patience); ; {
		if time.Now().After(end) {
			return fmt.Errorf("no sign of a reload after %v: processes %v", patience, d.processes())
		}
		err := d.ask()
		if wrong, ok := errors.AsType[wrongAnswer](err); ok && wrong.got == old {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		if err != nil && *bare { // without rouse a server may refuse clients meanwhile
			time.Sleep(20 * time.Millisecond)
			continue
		}
		if err != nil {
			return fmt.Errorf("during the reload: %w", err)
		}
		if d.reloaded != "" && !regexp.MustCompile(d.reloaded).MatchString(d.log()) {
			time.Sleep(20 * time.Millisecond)
			continue
		}
		if inPlace || gone() && len(d.processes()) > 0 {
			return nil
		}
	}
}

// sleep waits until rouse has stopped the idle server: no process is left of it.
func (d *drill) sleep() error {
	err := d.wait("processes of the idle server are left", patience, func() bool { return len(d.processes()) == 0 })
	if err != nil {
		return fmt.Errorf("%w: %v", err, d.names())
	}
	// Rouse still puts away what belonged to that instance, and begins to wait for a client.
	return d.wait("rouse opens and closes descriptors while the server sleeps", 5*time.Second, func() bool {
		before := descriptors(d.process.Pid)
		time.Sleep(50 * time.Millisecond)
		d.descriptors = descriptors(d.process.Pid)
		return slices.Equal(before, d.descriptors)
	})
}

// sleepAgain holds that an instance more has cost rouse no descriptor.
func (d *drill) sleepAgain() error {
	before := d.descriptors
	if err := d.sleep(); err != nil {
		return err
	}
	// The last closes come after the last process.
	if len(d.descriptors) > len(before) {
		return fmt.Errorf("another instance has cost rouse descriptors: before %q, now %q", before, d.descriptors)
	}
	return nil
}

// end stops rouse while the server runs, and holds that nothing is left: no process, and nobody who has the sockets.
func (d *drill) end() error {
	if err := d.stop(); err != nil {
		return err
	}
	if d.dispatcher != nil {
		d.dispatcher.Stop()
	}
	for _, s := range d.sockets {
		d.held[s.name].Close()
		if n := bound(s.network, s.real); n != 0 {
			return fmt.Errorf("somebody still holds the socket %s", s.name)
		}
	}
	return nil
}

// stop ends rouse by SIGTERM.
func (d *drill) stop() error {
	d.process.Signal(syscall.SIGTERM)
	select {
	case <-d.process.Ended():
	case <-time.After(patience):
		return fmt.Errorf("rouse has not ended %v after SIGTERM; left: %v", patience, d.names())
	}
	if state := d.process.Wait(time.Second); state.ExitCode() != d.status {
		return fmt.Errorf("after SIGTERM rouse ended with %v, want exit status %d", state, d.status)
	}
	// The kernel gives back what a process had before it forgets the process itself.
	if d.wait("", time.Second, func() bool { return len(d.processes()) == 0 }) != nil {
		return fmt.Errorf("rouse has ended, but not these: %v", d.names())
	}
	return nil
}
