package systemd

import (
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/load"
	"github.com/rouse-server/rouse/tests/program"
)

// drill is a service among clients that never try again, and the ways in which it ends and comes back.
type drill struct {
	who    string
	unit   string                            // whose main process is hit
	start  func(t *testing.T)                // with what has it back soon
	crowds func(t *testing.T) []*load.Load   // one for each server behind it, or those who are answered would hide those who are not
	knock  func() (net.Conn, error)          // a connection more
	events []event                           // in this order
	idle   func(t *testing.T) (asleep tally) // the same service, which goes away when idle
	long   bool                              // idle is for the long drill
}

// event is one of the ways.
type event struct {
	name   string
	happen func(t *testing.T, d drill) toll
}

// toll is what an event may cost, and who came just then.
type toll struct {
	held    map[string]bool // the clients whose connections the killed processes had accepted
	knocked int             // clients who came while those stood still, of whom none may be lost
}

// tally is a line of the table.
type tally struct {
	who, event            string
	times                 int
	answered              int64
	knocked, lost, atMost int
}

const (
	longRequests = 200_000 // that the long drill has answered, at least
	idleTime     = 300 * time.Millisecond
)

// drillSize is how often each event happens, and how many requests each server answers before, between and after.
func drillSize() (times int, between int64) {
	if isLong() {
		return 5, 700
	}
	return 1, 40
}

// Without this one of the ways in which a server comes to an end and back would lose requests unseen. What is lost is counted for each
// of them: nothing may be, but of a process that is killed or crashes the connections that it had accepted. Those are known one by
// one: clients in the queue, and those whom nobody has taken up yet, have to be answered.
func TestNothingIsLostByAnyEvent(t *testing.T) {
	needsSystemd(t)
	var table []tally
	begin := time.Now()
	for _, d := range drills() {
		t.Run(d.who, func(t *testing.T) {
			d.start(t)
			for _, e := range d.events {
				table = append(table, d.count(t, e))
			}
		})
		if !d.long || isLong() {
			t.Run(d.who+", idle", func(t *testing.T) { table = append(table, d.idle(t)) })
		}
	}
	total := writeTable(t, table)
	t.Logf("%d requests in %s", total, time.Since(begin).Round(time.Second))
	if isLong() && total < longRequests {
		t.Errorf("the long drill is one of %d requests", longRequests)
	}
}

// writeTable prints the table in Markdown, and returns how many requests were answered in all.
func writeTable(t *testing.T, table []tally) (total int64) {
	t.Helper()
	var b strings.Builder
	b.WriteString("| who | event | times | requests answered | knocked meanwhile | lost | may be lost |\n|---|---|---|---|---|---|---|\n")
	for _, r := range table {
		total += r.answered
		fmt.Fprintf(&b, "| %s | %s | %d | %d | %d | %d | %d |\n", r.who, r.event, r.times, r.answered, r.knocked, r.lost, r.atMost)
	}
	t.Log("\n" + b.String())
	return total
}

// count has an event happen among clients, and checks that whoever lost something was in the hands of a killed process.
func (d drill) count(t *testing.T, e event) tally {
	t.Helper()
	times, between := drillSize()
	crowds := d.crowds(t)
	more := func() {
		for _, l := range crowds {
			l.Await(t, between, patience)
		}
	}
	row, held := tally{who: d.who, event: e.name, times: times}, map[string]int{}
	for range times {
		more()
		cost := e.happen(t, d)
		for client := range cost.held {
			held[client]++
		}
		row.knocked += cost.knocked
		row.atMost += len(cost.held)
	}
	more()
	for _, l := range crowds {
		answered, lost := l.End()
		row.answered += answered
		row.lost += len(lost)
		for _, one := range lost {
			if held[one.Client]--; held[one.Client] < 0 {
				t.Errorf("%s, %s: lost a request on a connection that no killed process had accepted: %v", d.who, e.name, one)
			}
		}
	}
	return row
}

// drills are the services.
func drills() []drill {
	kill, abort, segv := fatal("SIGKILL", syscall.SIGKILL), fatal("SIGABRT", syscall.SIGABRT), fatal("SIGSEGV", syscall.SIGSEGV)
	plain := func(address string) func() (net.Conn, error) {
		return func() (net.Conn, error) { return net.DialTimeout("tcp", address, patience) }
	}
	dispatched := func(engine string) drill {
		backends := []string{"rouse.service", runService}
		return drill{
			who: "dispatch, " + engine, unit: dispatchService, knock: plain(blogAddress), long: true,
			start: func(t *testing.T) { startDispatched(t, engine, "") },
			crowds: func(t *testing.T) []*load.Load {
				blog, shop := &load.Load{Pause: shortPause}, &load.Load{Pause: shortPause}
				blog.KeepConnections(3, plain(blogAddress))
				blog.NewConnections(2, plain(blogAddress))
				shop.NewConnections(3, plain(shopAddress))
				return []*load.Load{blog, shop}
			},
			events: []event{
				restart(dispatchService), restart(backends...), reload, upgrade(append(backends, dispatchService)...), terminate, kill, abort, segv,
				{"SIGKILL of a backend", func(t *testing.T, d drill) toll {
					d.unit = backends[0]
					return kill.happen(t, d)
				}},
			},
			idle: func(t *testing.T) tally {
				startDispatched(t, engine, "Environment=ROUSE_RUN_IDLE_STOP="+idleTime.String()+"\n")
				return countIdle(t, "dispatch, "+engine, "idle exit of a backend", runService, programAsleep, plain(shopAddress))
			},
		}
	}
	return []drill{
		{
			who: "serve", unit: "rouse.service", knock: func() (net.Conn, error) { return overTLS(insecure()) },
			start:  func(t *testing.T) { shipped(t, quick); curl(t, httpsURL) },
			crowds: func(t *testing.T) []*load.Load { return []*load.Load{secureCrowd(t)} },
			events: []event{restart("rouse.service"), reload, upgrade("rouse.service"), terminate, kill, abort, segv},
			idle: func(t *testing.T) tally {
				shipped(t, quick+"Environment=SERVER_IDLE_EXIT="+idleTime.String()+"\n")
				return countIdle(t, "serve", "idle exit", "rouse.service", "exiting until somebody knocks", func() (net.Conn, error) { return overTLS(insecure()) })
			},
		},
		{
			who: "run", unit: runService, knock: plain(overIPv4),
			start:  func(t *testing.T) { runsNginx(t, ""); visit(t, overIPv4) },
			crowds: func(*testing.T) []*load.Load { return []*load.Load{newVisitors()} },
			events: []event{restart(runService), reload, upgrade(runService), terminate, kill, abort, segv},
			idle: func(t *testing.T) tally {
				runsNginx(t, "ROUSE_RUN_IDLE_STOP="+idleTime.String()+"\n")
				return countIdle(t, "run", "idle exit", runService, programAsleep, plain(overIPv4))
			},
		},
		dispatched("kernel"),
		dispatched("hand-over"),
	}
}

const (
	quick         = "[Service]\nRestartSec=100ms\n"
	programAsleep = "is stopped: no client for"
	shortPause    = 2 * time.Millisecond
)

// startDispatched starts a dispatcher with two backends, all of which come back soon.
func startDispatched(t *testing.T, engine, backend string) {
	t.Helper()
	needsSystemd(t)
	for unit, lines := range map[string]string{"rouse.service": quick, dispatchService: quick, runService: quick + backend} {
		if err := os.MkdirAll("/run/systemd/system/"+unit+".d", 0o755); err != nil {
			t.Fatal(err)
		}
		unitFile(t, unit+".d/quick.conf", lines)
	}
	dispatches(t, engine, twoBackends)
}

// insecure is for clients that look at no certificate: each drill has another one.
func insecure() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

// overTLS connects; the handshake comes with the first request, so that the client's address is known whatever becomes of it.
func overTLS(config *tls.Config) (net.Conn, error) {
	c, err := net.DialTimeout("tcp", "127.0.0.1:8443", patience)
	if err != nil {
		return nil, err
	}
	return tls.Client(c, config), nil
}

// secureCrowd starts clients that keep their connections, clients that open one for each request, and HTTP/2 clients.
func secureCrowd(t *testing.T) *load.Load {
	l := &load.Load{Pause: shortPause}
	connect := func() (net.Conn, error) { return overTLS(insecure()) }
	l.KeepConnections(6, connect)
	l.NewConnections(2, connect)
	for range 2 {
		client := program.ClientTo(t, nil, load.Dial).HTTP2
		client.Transport.(*http.Transport).TLSClientConfig = insecure()
		client.Timeout = patience
		l.UseClient(client, httpsURL)
	}
	return l
}

// restart has systemd restart services.
func restart(units ...string) event {
	name := "restart"
	if len(units) > 1 {
		name = "restart of the backends"
	}
	return event{name, func(t *testing.T, _ drill) toll {
		run(t, "systemctl", append([]string{"restart"}, units...)...)
		return toll{}
	}}
}

var reload = event{"reload", func(t *testing.T, d drill) toll {
	run(t, "systemctl", "reload", d.unit)
	waitState(t, d.unit, "active")
	return toll{}
}}

// upgrade puts another file in the program's place, as dpkg does it, and has systemd restart the services, as the package does.
func upgrade(units ...string) event {
	return event{"upgrade", func(t *testing.T, d drill) toll {
		const next = "/usr/bin/rouse.dpkg-new"
		if err := copyFile("/usr/bin/rouse", next, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, "/usr/bin/rouse"); err != nil {
			t.Fatal(err)
		}
		return restart(units...).happen(t, d)
	}}
}

// terminate ends the main process; the next client starts another one.
var terminate = event{"SIGTERM", func(t *testing.T, d drill) toll {
	old, _ := processesOf(t, d.unit)
	kill(t, old, syscall.SIGTERM)
	waitNext(t, d.unit, old)
	return toll{}
}}

// waitNext waits until a service has another main process.
func waitNext(t *testing.T, unit string, old int) {
	t.Helper()
	waitFor(t, "another process of "+unit, func() bool { now, _ := processesOf(t, unit); return now != old && now != 0 })
}

// knocking is how many clients come while the service stands still.
const knocking = 5

// fatal ends the main process by a signal, at a moment when what the service holds is known: its processes stand still, and accept
// nothing any more. Meanwhile more clients come, who have to be answered.
func fatal(name string, signal syscall.Signal) event {
	return event{name, func(t *testing.T, d drill) toll {
		pids := standStill(t, d.unit)
		cost := toll{held: heldBy(t, pids), knocked: knocking}
		answers := make(chan error, knocking)
		for range knocking {
			c, err := d.knock()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			go func() { answers <- ask(c) }()
		}
		kill(t, pids[0], signal)
		for _, pid := range pids {
			syscall.Kill(pid, syscall.SIGCONT) // it may be gone
		}
		waitNext(t, d.unit, pids[0])
		for range knocking {
			if err := <-answers; err != nil {
				t.Errorf("%s, %s: a client who came while it stood still was lost: %v", d.who, name, err)
			}
		}
		return cost
	}}
}

// countIdle counts what is lost where a service ends by itself between clients, some of whom knock just then. said is what it logs.
func countIdle(t *testing.T, who, name, unit, said string, connect func() (net.Conn, error)) tally {
	t.Helper()
	times, _ := drillSize()
	since := time.Now()
	ended := func() int {
		return len(slices.DeleteFunc(journalLines(t, unit, since), func(one line) bool { return !strings.Contains(one.Message, said) }))
	}
	b := &bursts{connect: connect, ended: ended, gap: idleTime}
	l := &load.Load{}
	defer l.End() // also where it does not end
	l.NewConnections(6, b.dial)
	for range times {
		seen := b.count()
		for end := time.Now().Add(3 * patience); b.count() == seen; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s does not end by itself", unit)
			}
		}
	}
	l.Await(t, 10, patience)
	answered, lost := l.End()
	for _, one := range lost {
		t.Errorf("%s, %s: %v", who, name, one)
	}
	return tally{who: who, event: name, times: b.count(), answered: answered, lost: len(lost)}
}

// bursts lets clients come for a moment, and then not for about as long as it takes until the service ends: longer after each time that it
// did not, and shorter after each time that it did.
type bursts struct {
	connect func() (net.Conn, error)
	ended   func() int // how often it did so far

	mu    sync.Mutex
	gap   time.Duration
	times int       // of ended
	from  time.Time // of this burst or the next one
}

const burst = 100 * time.Millisecond

func (b *bursts) dial() (net.Conn, error) {
	b.mu.Lock()
	if time.Since(b.from) > burst {
		times := b.ended()
		b.gap = b.gap * map[bool]time.Duration{true: 80, false: 125}[times > b.times] / 100
		b.times, b.from = times, time.Now().Add(b.gap)
	}
	wait := time.Until(b.from)
	b.mu.Unlock()
	if wait > 0 {
		time.Sleep(wait + rand.N(burst/2))
	}
	return b.connect()
}

func (b *bursts) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.times
}
