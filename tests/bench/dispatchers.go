package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// The contestants that the targets and the comparison with socketbox name.
const (
	inKernel  = "rouse dispatch, kernel"
	datagrams = "rouse dispatch, datagrams"
	protocol  = "rouse dispatch, own protocol"
)

// answerCommand is how bench starts itself to become the smallest of servers: it says one byte to each client. One thread does
// it, with blocking system calls, so that there is nothing to measure but how connections reach it.
const answerCommand = "answer"

// The ways in which connections reach it.
const (
	fromListener    = "listener"    // accepted from descriptor 3
	fromGiven       = "given"       // accepted from a listener that it registers for
	fromDatagrams   = "datagrams"   // socketbox's datagrams, on a socket that it binds
	fromConnections = "connections" // registered for, with Rouse's own protocol
)

// findDispatchers returns a server that accepts its clients itself, its A/A twin, and the same server behind what passes
// connections on to it: rouse dispatch in three ways, and relays.
func findDispatchers(ctx context.Context, f finder, us peer, missing []absent) ([]peer, []absent) {
	all, err := ourDispatchers(us)
	if err != nil {
		return nil, append(missing, absent{"new connections", err})
	}
	direct := all[reference]
	for _, relay := range relays() {
		p, err := relay.find(ctx, f)
		if err != nil {
			missing = append(missing, absent{relay.name, err})
			continue
		}
		p.name, p.roles, p.behind = relay.name, direct.roles, &direct
		all = append(all, p)
	}
	return all, missing
}

func ourDispatchers(us peer) ([]peer, error) {
	if err := canIsolate(); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	server := func(way string) peer {
		return peer{name: "direct accept", version: "one thread of bench", roles: []string{answers}, invoke: invokeAnswer(self, way)}
	}
	all := withTwin(server(fromListener))
	for _, way := range []struct{ name, engine, takes, from string }{
		{inKernel, "kernel", "listener", fromGiven},
		{datagrams, "hand-over", "", fromDatagrams},
		{protocol, "hand-over", "connections", fromConnections},
	} {
		behind := server(way.from)
		all = append(all, peer{
			name: way.name, version: us.version, roles: behind.roles, behind: &behind, desk: true,
			relay: invokeDispatch(us.program, way.engine, way.takes),
		})
	}
	return all, nil
}

// invokeAnswer starts bench as the smallest server; without a listener it meets its dispatcher at the socket's path.
func invokeAnswer(self, way string) invoker {
	return func(o order) (invocation, error) {
		args := []string{self, answerCommand, way}
		if way != fromListener {
			args = append(args, o.sockets[0].address())
		}
		return invocation{args: args}, nil
	}
}

// dispatchRules send all who connect to 127.0.0.1 to one of two backends: the engine has to look.
const dispatchRules = `socket = %q
[listeners.web]
[backends.answer]
%s
[backends.other]
[[routes]]
client = "198.51.100.0/24"
to = "other"
[[routes]]
local = "127.0.0.1"
to = "answer"
`

// invokeDispatch starts `rouse dispatch` with one engine. Where the server behind takes something, it registers for it at the
// path where both meet; else it receives datagrams there.
func invokeDispatch(path, engine, takes string) func(to socket) invoker {
	return func(to socket) invoker {
		return func(o order) (invocation, error) {
			desk, way := to.address(), fmt.Sprintf("takes = %q", takes)
			if takes == "" {
				desk, way = filepath.Join(o.dir, "desk"), fmt.Sprintf("handoff = %q", to.address())
			}
			rules := filepath.Join(o.dir, "rules.toml")
			if err := os.WriteFile(rules, fmt.Appendf(nil, dispatchRules, desk, way), 0o644); err != nil {
				return invocation{}, fmt.Errorf("writing the rules: %w", err)
			}
			return invocation{
				args: []string{path, "dispatch", "--config", rules, "--engine", engine, "--pin", "no", "--log-level", "error",
					"--listen", "web=systemd:" + o.sockets[0].role},
				env: systemdSockets(o.sockets),
				// A client that comes before the rules are in the kernel waits for who takes connections, and some take none.
				notify: true,
			}, nil
		}
	}
}
