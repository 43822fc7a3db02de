package servers

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
	"github.com/rouse-server/rouse/tests/servers/booted"
)

const (
	// Not loopback addresses: what a confined program does with those stays in its own namespace.
	addressA      = "198.51.100.2"
	addressB      = "198.51.100.3"
	addressClient = "198.51.100.9"

	patience = 60 * time.Second // for what a server does by itself, on a loaded machine
	further  = 10               // requests beside the first
	clients  = 4                // of a load, at once
	enough   = 20               // answers that a load has to get from the next instance
)

// drill is one server on one engine, and what is done to it.
type drill struct {
	server
	t         *testing.T
	engine    string
	dir       string
	desk      string
	instances []*instance
	result    result
}

// result is what the table has of a drill.
type result struct {
	gets           string // listener, connections …
	apart, peer    bool
	restart, held  int // requests lost in the restart, and those that the killed instance had in its hands
	killed         int // requests lost by the kill
	works          bool
	restartAllowed int
}

// step is one thing that a drill shows.
type step struct {
	name string
	do   func(*drill) error
}

func steps() []step {
	return []step{
		{"first answers", (*drill).askEach}, {"way", (*drill).wayTaken}, {"requests", (*drill).askMore}, {"peer", (*drill).peerInLog},
		{"restart", (*drill).restart}, {"kill", (*drill).kill}, {"end", (*drill).end},
	}
}

// run does all steps, and returns an error at the first that fails.
func (d *drill) run() error {
	d.start()
	for _, s := range steps() {
		begun := time.Now()
		if err := s.do(d); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		d.t.Logf("%-14s %6d ms", s.name, time.Since(begun).Milliseconds())
	}
	d.result.works = true
	return nil
}

// start starts the dispatcher and then both instances.
func (d *drill) start() {
	rules := filepath.Join(d.dir, "rules.toml")
	if err := os.WriteFile(rules, []byte(d.rules()), 0o644); err != nil {
		d.t.Fatal(err)
	}
	dispatcher := program.Start(d.t, program.Run{Binary: booted.Rouse,
		Args: []string{"dispatch", "--config=" + rules, "--engine=" + d.engine, "--pin=no"}})
	d.t.Cleanup(func() { dispatcher.Stop() })
	err := wait("the dispatcher does not say that it dispatches", patience, func() bool {
		return strings.Contains(dispatcher.Stderr.String(), "dispatching; ")
	})
	if err != nil {
		d.t.Fatal(err)
	}
	for _, i := range d.instances {
		i.start()
	}
}

// rules is the dispatcher's file. Each socket of an instance is a backend.
func (d *drill) rules() string {
	var text strings.Builder
	fmt.Fprintf(&text, "socket = %q\nwait = %q\n", d.desk, patience)
	for _, s := range d.sockets {
		transport, options := s.network[:3], ""
		if transport == "udp" {
			options = "?reuse-port=yes"
		}
		if !d.apart() {
			fmt.Fprintf(&text, "[listeners.%s]\naddress = \"%s:0.0.0.0:%d%s\"\n", s.name, transport, s.port, options)
		}
		for _, i := range d.instances {
			backend := i.backend(s)
			fmt.Fprintf(&text, "[backends.%s]\n", backend)
			if d.way == byHandoff {
				fmt.Fprintf(&text, "handoff = %q\n", i.path())
			}
			if d.network != "" {
				fmt.Fprintf(&text, "[backends.%s.network]\n%s\n", backend, d.network)
			}
			if d.apart() {
				fmt.Fprintf(&text, "[listeners.%s]\naddress = \"%s:%s:%d\"\n[[routes]]\nlistener = %[1]q\nto = %[1]q\n", backend, transport, i.address, s.port)
			} else {
				fmt.Fprintf(&text, "[[routes]]\nlistener = %q\nlocal = %q\nto = %q\n", s.name, i.address, backend)
			}
		}
	}
	return text.String()
}

// apart tells whether each instance has listeners of its own.
func (d *drill) apart() bool { return d.alone || d.whole && d.engine == handOver }

// askEach holds that each instance answers those who connect to its address.
func (d *drill) askEach() error {
	for _, i := range d.instances {
		if err := i.ask(); err != nil {
			return fmt.Errorf("instance %s: %w", i.name, err)
		}
	}
	d.result.apart = true
	return nil
}

// wayTaken holds that the server got its connections as this engine is to pass them.
func (d *drill) wayTaken() error {
	switch d.way {
	case byInetd:
		d.result.gets = "`rouse inetd`"
		return nil
	case byHandoff:
		d.result.gets = "`handoff`, natively"
		return nil
	}
	want := "listener"
	switch {
	case d.translates():
		want = "translate"
	case d.engine == handOver && !d.whole:
		want = "connections"
	}
	d.result.gets = map[string]string{"listener": "listener", "connections": "connections", "translate": "LISTEN_FDS"}[want]
	for _, i := range d.instances {
		if err := i.waitLog("mode: " + want); err != nil {
			return err
		}
	}
	return nil
}

func (d *drill) askMore() error {
	for n := range further {
		for _, i := range d.instances {
			if err := i.ask(); err != nil {
				return fmt.Errorf("request %d of %d of instance %s: %w", n+1, further, i.name, err)
			}
		}
	}
	return nil
}

// peerInLog holds that each server's own log shows where its last client came from, by its port too where it logs ports.
func (d *drill) peerInLog() error {
	if d.peer == "" {
		return nil
	}
	for _, i := range d.instances {
		for _, client := range i.visitors {
			ip, port, _ := net.SplitHostPort(client.String())
			pattern := strings.NewReplacer("@ip@", regexp.QuoteMeta(ip), "@port@", port).Replace(d.server.peer)
			if err := i.waitLog(pattern); err != nil {
				return err
			}
		}
	}
	d.result.peer = true
	return nil
}

// restart ends one instance under load and starts it again. No request is lost, but those that a server drops by itself which
// ends at once: one of each client at most, and never by a refusal.
func (d *drill) restart() error {
	i := d.instances[0]
	load, err := i.startLoad()
	if err != nil {
		return err
	}
	if err := i.stop(); err != nil {
		load.stop()
		return err
	}
	i.start()
	err = load.finish()
	d.result.restart = load.lost()
	if err != nil {
		return err
	}
	if d.abrupt {
		d.result.restartAllowed = clients
	}
	if d.result.restart > d.result.restartAllowed || load.refused() {
		return fmt.Errorf("%d requests of %d were lost: %w", load.lost(), load.requests(), load.first())
	}
	return nil
}

// kill kills one instance under load, and the rouse that started it, and starts another one. What was in the hands of the
// server's processes at that moment is lost, and nothing else.
func (d *drill) kill() error {
	i := d.instances[0]
	load, err := i.startLoad()
	if err != nil {
		return err
	}
	if d.result.held, err = i.kill(); err != nil {
		load.stop()
		return err
	}
	i.start()
	err = load.finish()
	d.result.killed = load.lost()
	if err != nil {
		return err
	}
	if d.way == byInetd || d.result.gets == "connections" {
		d.result.held++ // the one that rouse is just giving to the server: it says that it is taken before it is
	}
	if d.result.killed > d.result.held || load.refused() {
		return fmt.Errorf("%d requests of %d were lost, and only %d were in the hands of the server: %w", d.result.killed, load.requests(), d.result.held, load.first())
	}
	return nil
}

// end stops both instances; nothing is left of them.
func (d *drill) end() error {
	for _, i := range d.instances {
		if err := i.stop(); err != nil {
			return fmt.Errorf("instance %s: %w", i.name, err)
		}
	}
	return nil
}

// wait waits until something holds; what is the error otherwise.
func wait(what string, limit time.Duration, holds func() bool) error {
	for end := time.Now().Add(limit); !holds(); {
		if time.Now().After(end) {
			return fmt.Errorf("%s, after %v", what, limit)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}
