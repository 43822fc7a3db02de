package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// hordeVariable holds the order of a process that attacks.
const hordeVariable = "ROUSE_TEST_HORDE"

// order is what such a process is to do.
type order struct {
	Attack      string // its name
	HTTP, HTTPS string // host:port of the server
}

// report is what it says in the end, as a line of JSON on its standard output.
type report struct {
	Begun   int
	Refused int            // could not connect
	Words   map[string]int // of the server: how many clients heard each
	Lasted  time.Duration  // the longest that a client could stay
	Late    bool           // not all were gone in time
}

// TestHorde is the process that attacks: this program once more, by itself so that the normal client's times are not those of a
// process that does a thousand other things, and with the lowest priority (nice(1)) so that all the clients together have what the
// server and the normal client leave of the processors. They may then do all they can.
func TestHorde(t *testing.T) {
	text := os.Getenv(hordeVariable)
	if text == "" {
		return
	}
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%s: %v", hordeVariable, err)
	}
	for _, a := range allAttacks() {
		if a.name == o.Attack {
			said, _ := json.Marshal(newHorde(a, o).attackAll())
			fmt.Printf("%s\n", said)
			return
		}
	}
	t.Fatalf("%s: there is no attack %q", hordeVariable, o.Attack)
}

// startHorde lets an attack begin. The process ends when all clients are gone, or when its standard input does.
func startHorde(v *victim, a *attack) (p *program.Process, end func()) {
	v.t.Helper()
	self, err := os.Executable()
	if err != nil {
		v.t.Fatal(err)
	}
	text, _ := json.Marshal(order{a.name, v.http, v.https})
	stdin, out, err := os.Pipe()
	if err != nil {
		v.t.Fatal(err)
	}
	p = program.Start(v.t, program.Run{
		Binary: self, Through: []string{"nice", "-n", "19"},
		Args:  []string{"-test.run=^TestHorde$", "-test.timeout=" + (a.ramp() + a.stay() + limit).String()},
		Env:   []string{hordeVariable + "=" + string(text), "ROUSE_LONG=" + os.Getenv("ROUSE_LONG")},
		Stdin: stdin,
	})
	stdin.Close()
	v.t.Cleanup(func() { out.Close() })
	return p, func() { out.Close() }
}

// reportOf reads the report of a horde that has ended.
func reportOf(p *program.Process) (r report, err error) {
	for line := range strings.Lines(p.Stdout.String()) {
		if strings.HasPrefix(line, "{") {
			return r, json.Unmarshal([]byte(line), &r)
		}
	}
	return r, fmt.Errorf("the attackers say nothing but %q, %q", p.Stdout, p.Stderr)
}

// horde is the clients of an attack.
type horde struct {
	*attack
	order
	ctx      context.Context
	arriving sync.WaitGroup // until all have connected
	together chan struct{}  // closed when they have
	watching sync.Once
	open     atomic.Pointer[map[uint64]bool] // ports of clients that the server has not closed

	mu sync.Mutex
	report
}

func newHorde(a *attack, o order) *horde {
	h := &horde{attack: a, order: o, together: make(chan struct{})}
	h.Words = map[string]int{}
	return h
}

// mostArriving is how many clients connect at the same moment.
const mostArriving = 64

// attackAll lets all clients come, and returns when the last one is gone.
func (h *horde) attackAll() report {
	ctx, end := context.WithCancelCause(context.Background())
	defer end(nil)
	h.ctx = ctx
	go func() {
		io.Copy(io.Discard, os.Stdin)
		end(nil)
	}()
	coming := time.AfterFunc(h.ramp(), func() { end(errLate) })
	var clients sync.WaitGroup
	doors := make(chan struct{}, mostArriving)
	h.arriving.Add(h.count())
	for range h.count() {
		doors <- struct{}{}
		clients.Go(func() { h.client(func() { <-doors }) })
	}
	h.arriving.Wait()
	coming.Stop()
	close(h.together)
	defer time.AfterFunc(h.stay(), func() { end(errLate) }).Stop()
	clients.Wait()
	h.Late = context.Cause(ctx) == errLate
	return h.report
}

// errLate is why an attack ends whose clients the server does not get rid of.
var errLate = errors.New("not all are gone in time")

// client connects and attacks until its connection is closed. Floods begin when all have come.
func (h *horde) client(arrived func()) {
	c, err := dial(h)
	arrived()
	h.arriving.Done()
	if err != nil {
		h.mu.Lock()
		h.Refused++
		h.mu.Unlock()
		return
	}
	defer c.Close()
	if h.floods {
		<-h.together
	}
	begun := time.Now()
	h.assail(c)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.Begun++
	h.Lasted = max(h.Lasted, time.Since(begun))
	for word := range c.words() {
		h.Words[word]++
	}
}

// isOpen tells whether the server has not closed the connection from a port: a client that reads nothing does not hear of it.
func (h *horde) isOpen(port uint64) bool {
	h.watching.Do(func() {
		v := victim{http: h.HTTP, https: h.HTTPS}
		look := func() {
			open := map[uint64]bool{}
			for _, s := range v.sockets() {
				if s.isOpen() {
					open[s.peer] = true
				}
			}
			h.open.Store(&open)
		}
		look()
		go func() {
			for range time.Tick(timeLimit() / 10) {
				look()
			}
		}()
	})
	return (*h.open.Load())[port]
}
