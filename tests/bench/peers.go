package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// A peer is a web server to measure, rouse itself included.
type peer struct {
	name      string
	version   string
	program   string   // its path, where others need it
	roles     []string // of the sockets that it serves
	workloads []string // all that it is measured in; nil: in all that its roles allow
	invoke    invoker
	asleep    invoker // where it can wait for a client before it starts its server

	// A relay copies what clients send to another server, which it is started with. That one has a socket of its own.
	behind *peer
	relay  func(to socket) invoker
	desk   bool // the two meet at a unix socket, which one of them makes

	binds  bool // it can inherit no socket, and binds the address itself
	single bool // it serves one socket only, and is started once for each
}

// An order says what a server is started for.
type order struct {
	site        site
	sockets     []socket // inherited as descriptors 3 and up, in this order
	workers     int
	connections int    // that its configuration must allow at once
	logs        bool   // it writes a line for each request, as its own manual would have it
	dir         string // a folder of its own for configuration and logs
}

// How many connections a configuration allows: some servers allocate them at the start, which would spoil a cold start.
const (
	few  = 1024
	many = 12000
)

// An invoker says how to start a server in the foreground.
type invoker func(order) (invocation, error)

// invocation is a command line and what it needs in its environment.
type invocation struct {
	args, env []string
	notify    bool // it tells when it is ready (sd_notify(3))
}

// webRoles are the sockets of a whole web server.
func webRoles() []string { return []string{"http", "https", deferred} }

// A search is what finding a peer can need.
type search struct {
	finder
	rouse peer
	dir   string // temporary
}

// A peerFinder looks for a server that can stand beside rouse.
type peerFinder struct {
	name string // in --peer
	find func(context.Context, search) (peer, error)
}

// peerFinders is the table of those that bench knows where to look for.
func peerFinders() []peerFinder {
	return []peerFinder{
		{"rouse-off", findLaneOff},
		{"nginx", findNginx},
		{"lighttpd", findLighttpd},
		{"apache", findApache},
		{"h2o", findH2O},
		{"caddy", findCaddy},
		{"floor", func(ctx context.Context, s search) (peer, error) { return findFloor(ctx, s.finder, s.dir) }},
	}
}

func peerNames() []string {
	var names []string
	for _, f := range peerFinders() {
		names = append(names, f.name)
	}
	return names
}

// choosePeers takes the comma-separated list of --peer; empty means none.
func choosePeers(list string) ([]peerFinder, error) {
	if list == "" {
		return nil, nil
	}
	names := strings.Split(list, ",")
	for _, name := range names {
		if !slices.Contains(peerNames(), name) {
			return nil, fmt.Errorf("unknown peer %q: there are %s; another server is given by --server", name, strings.Join(peerNames(), ", "))
		}
	}
	return slices.DeleteFunc(peerFinders(), func(f peerFinder) bool { return !slices.Contains(names, f.name) }), nil
}

// takesPart says whether a peer can and shall be measured in a workload.
func (p peer) takesPart(w workload) bool {
	return slices.Contains(p.roles, w.role) &&
		!(p.binds && w.tool == coldStart && w.field == servers) && // nobody listens before it is there
		(p.workloads == nil || slices.Contains(p.workloads, w.name)) &&
		(w.peers == nil || slices.Contains(w.peers, p.name) || strings.HasSuffix(p.name, twinSuffix))
}
