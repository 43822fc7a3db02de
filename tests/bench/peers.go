package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A peer is a web server to measure, rouse itself included.
type peer struct {
	name    string
	version string
	program string   // its path, where others need it
	roles   []string // of the sockets that it serves
	invoke  invoker
	asleep  invoker // where it can wait for a client before it starts its server

	// A relay copies what clients send to another server, which it is started with. That one has a socket of its own.
	behind *peer
	relay  func(to socket) invoker
	desk   bool // the two meet at a unix socket, which one of them makes

	binds bool // it can inherit no socket, and binds the address itself
}

// An invoker says how to start a server in the foreground on sockets that it inherits as descriptors 3 and up, in this
// order. dir is a folder of its own for configuration and logs.
type invoker func(s site, sockets []socket, workers int, dir string) (invocation, error)

// invocation is a command line and what it needs in its environment.
type invocation struct {
	args, env []string
	notify    bool // it tells when it is ready (sd_notify(3))
}

// peerFinders is the table of servers that can stand beside rouse, by their names in --peer.
func peerFinders() map[string]func(context.Context, finder) (peer, error) {
	return map[string]func(context.Context, finder) (peer, error){
		"nginx": findNginx,
	}
}

func peerNames() []string { return slices.Sorted(maps.Keys(peerFinders())) }

// choosePeers takes the comma-separated list of --peer; empty means none.
func choosePeers(list string) ([]string, error) {
	if list == "" {
		return nil, nil
	}
	names := strings.Split(list, ",")
	for _, name := range names {
		if peerFinders()[name] == nil {
			return nil, fmt.Errorf("unknown peer %q: there are %s", name, strings.Join(peerNames(), ", "))
		}
	}
	return names, nil
}
