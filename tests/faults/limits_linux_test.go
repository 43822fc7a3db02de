package faults

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/tests/program"
)

// house is rouse with few lines in its log, and clients that speak as they like.
type house struct {
	*victim
	*program.Process
}

func openHouse(t *testing.T, options ...string) *house {
	t.Helper()
	v := newVictim(t, append([]string{"--log-level", "warn", "--log-format", "logfmt"}, options...)...)
	v.process.Stderr.WaitFor("for health, readiness and metrics", limit)
	return &house{v, v.process}
}

// dial opens a connection in clear text that says nothing.
func (h *house) dial() net.Conn {
	h.t.Helper()
	c, err := net.DialTimeout("tcp", h.http, limit)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(limit))
	return c
}

// ask sends a request on a connection of its own, and returns how long the answer took.
func (h *house) ask() time.Duration {
	h.t.Helper()
	begun := time.Now()
	c := h.dial()
	defer c.Close()
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	if got, err := io.ReadAll(c); err != nil || !strings.HasSuffix(string(got), page) {
		h.t.Fatalf("answered %q, %v", got, err)
	}
	return time.Since(begun)
}

// rests fails the test if the program works though nobody asks.
func (h *house) rests() {
	h.t.Helper()
	before := h.processorTime()
	time.Sleep(300 * time.Millisecond)
	if spun := h.processorTime() - before; spun > 100*time.Millisecond {
		h.t.Errorf("it worked %s in 300 ms of rest", spun)
	}
}

// lines counts those of standard error that have this text.
func (h *house) lines(text string) int { return strings.Count(h.Stderr.String(), text) }

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in %s it did not happen that %s", limit, what)
		}
	}
}

// More silent clients than there are descriptors: who asks is served, the log says what is going on, once, and nothing spins.
func TestFullHouse(t *testing.T) {
	t.Parallel()
	h := openHouse(t, "--max-open-files", "128")
	places := h.metric("rouse_connections_limit")
	if places != 96 {
		t.Errorf("%d connections are the limit", places)
	}
	for range 3 * places {
		h.dial()
	}
	before, begun := h.processorTime(), time.Now()
	var slowest time.Duration
	for range 20 {
		slowest = max(slowest, h.ask())
	}
	if open := h.metric("sws_http_connections_active"); open > places {
		t.Errorf("%d connections are open", open)
	}
	for range 30 { // nobody asks
		time.Sleep(10 * time.Millisecond)
	}
	worked, passed := h.processorTime()-before, time.Since(begun)
	if worked > passed/2 {
		t.Errorf("it worked %s in %s", worked, passed)
	}
	if n := h.lines("as many connections are open as may be"); n != 1 || h.metric("rouse_limited_connections_total") == 0 {
		t.Errorf("told %d times", n)
	}
	tell(t, row{"limit", "connections", fmt.Sprintf("%d silent clients, %d places", 3*places, places), "static-web-server spins and logs 41 MB/s",
		fmt.Sprintf("20 requests served, the slowest in %s; one line; %s of processor time in %s", slowest.Round(time.Millisecond), worked, passed.Round(time.Millisecond))})
}

// Descriptors are taken from a program that runs: it waits without spinning, answers on the connections that it has, and goes on when it has
// some again.
func TestOutOfDescriptors(t *testing.T) {
	t.Parallel()
	h := openHouse(t)
	kept := h.dial()
	answer := func() {
		t.Helper()
		fmt.Fprint(kept, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		head := make([]byte, 1<<10)
		n, err := kept.Read(head)
		answered, busy := strings.HasPrefix(string(head[:n]), "HTTP/1.1 200"), strings.HasPrefix(string(head[:n]), "HTTP/1.1 503") // for want of a descriptor for the file
		if err != nil || !answered && !busy {
			t.Fatalf("the kept connection got %q, %v", head[:n], err)
		}
	}
	for begun := time.Now(); time.Since(begun) < 200*time.Millisecond; { // of what has just changed no reply is kept
		answer()
	}
	var before unix.Rlimit
	if err := unix.Prlimit(h.Pid, unix.RLIMIT_NOFILE, nil, &before); err != nil {
		t.Fatal(err)
	}
	if err := unix.Prlimit(h.Pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 5, Max: before.Max}, nil); err != nil {
		t.Fatal(err)
	}
	waiting := h.dial()
	fmt.Fprint(waiting, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	eventually(t, "it is told", func() bool { return h.lines("cannot accept connections") == 1 })
	used, begun := h.processorTime(), time.Now()
	for time.Since(begun) < time.Second {
		answer()
		time.Sleep(50 * time.Millisecond)
	}
	worked := h.processorTime() - used
	if worked > 300*time.Millisecond {
		t.Errorf("it worked %s in a second", worked)
	}
	if err := unix.Prlimit(h.Pid, unix.RLIMIT_NOFILE, &before, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(waiting); err != nil || !strings.HasSuffix(string(got), page) {
		t.Errorf("who waited got %q, %v", got, err)
	}
	if h.metric("rouse_limited_accepts_total") == 0 || h.lines("cannot accept connections") != 1 {
		t.Error("it is not counted, or told again and again")
	}
	tell(t, row{"limit", "descriptors", "no descriptor left for a second", "static-web-server spins and logs 41 MB/s",
		fmt.Sprintf("the client waits and is served, kept connections are answered; one line; %s of processor time", worked)})
}

// One client takes what it may have, and another is served; who is counted is who a proxy tells of.
func TestOneClientsConnections(t *testing.T) {
	t.Parallel()
	h := openHouse(t, "--max-connections-per-client", "10", "--listen", "http=systemd:http?proxy=v1", "--listen", "admin=systemd:admin", "--listen", "systemd:https")
	come := func(from string) net.Conn {
		c := h.dial()
		fmt.Fprintf(c, "PROXY TCP6 %s ::1 1000 80\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", from)
		return c
	}
	served := func(c net.Conn) bool {
		n, _ := c.Read(make([]byte, 1<<10))
		return n > 0
	}
	for i := range 10 {
		if !served(come(fmt.Sprintf("2001:db8::%d", i))) {
			t.Fatalf("connection %d is refused", i)
		}
	}
	if served(come("2001:db8::ffff")) {
		t.Error("an eleventh connection of the same /64 is served")
	}
	if !served(come("2001:db8:0:1::")) {
		t.Error("another client is refused")
	}
	if n := h.lines("see --max-connections-per-client"); n != 1 || h.metric("rouse_limited_clients_total") != 1 {
		t.Errorf("told %d times", n)
	}
	tell(t, row{"limit", "connections of one client", "11 from one IPv6 /64, 10 allowed", "", "the eleventh is closed, another client is served; one line"})
}

// A limit that cannot be had, or is none, is refused before anything is served.
func TestLimitsOutOfReach(t *testing.T) {
	t.Parallel()
	for option, want := range map[string]string{
		"--max-open-files=4000000000": "not a number", "--max-open-files=2147483647": "lets this process have", "--max-open-files=5": "too few",
		"--max-connections=x": "not a number", "--max-header-size=x": "max-header-size",
	} {
		p := program.Start(t, program.Run{Args: []string{"serve", "--root", t.TempDir(), "--port", "0", option}})
		state := p.Wait(limit)
		text := p.Stderr.String()
		if !strings.Contains(text, want) || strings.Count(text, "\n") != 1 || state.ExitCode() != 2 && state.ExitCode() != 78 {
			t.Errorf("%s: exit %d: %s", option, state.ExitCode(), text)
		}
	}
}
