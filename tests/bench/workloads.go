package main

import (
	"fmt"
	"slices"
	"strings"
)

// A workload is one row of the benchmark: what is asked of every server, and by which tool.
type workload struct {
	name      string // for --workload
	title     string
	tool      string // a load tool's name, coldStart or newConnections
	field     string // who is measured
	role      string // which of a server's sockets: "http", "https" or answers
	path      string
	arguments []string // the tool's own, beside those it gets in every workload
	clients   int      // of new connections: how many at once
	asleep    bool     // of a cold start: who can, waits for its client, and the time is that from connecting to the first byte
}

// The tools of the workloads that bench measures by itself.
const (
	coldStart      = "cold start"
	newConnections = "new connections" // one byte is read from each; in a network of their own
)

// answers is the role of a socket whose server says one byte to each client.
const answers = "answers"

// The fields of contestants.
const (
	servers    = "servers"    // rouse and other web servers
	activators = "activators" // nginx by itself, under `rouse run`, and behind what else starts a server on demand

	dispatchers  = "dispatchers"  // a server that accepts by itself, behind `rouse dispatch`, and behind relays
	superservers = "superservers" // what starts a process for each connection: a bare loop, `rouse inetd`, and other inetds
)

func fields() []string { return []string{servers, activators, dispatchers, superservers} }

// workloads is the table; several rows may have one name. Handshakes of kept-alive connections are part of their rounds for every
// server alike.
func workloads() []workload {
	kept := []string{"-t1", "-c64"}
	all := []workload{
		{name: "plain-1k", title: "1 KiB over plain HTTP/1.1, 64 kept-alive connections",
			tool: "wrk", field: servers, role: "http", path: page1k, arguments: kept},
		{name: "tls-1k", title: "1 KiB over TLS 1.3 and HTTP/1.1, 64 kept-alive connections",
			tool: "wrk", field: servers, role: "https", path: page1k, arguments: kept},
		{name: "h2-1k", title: "1 KiB over TLS 1.3 and HTTP/2, 32 connections of 32 streams",
			tool: "h2load", field: servers, role: "https", path: page1k, arguments: []string{"-t1", "-c32", "-m32"}},
		{name: "cold-plain", title: "cold start on an inherited listener: exec to first byte, plain HTTP/1.1",
			tool: coldStart, field: servers, role: "http", path: page1k},
		{name: "cold-tls", title: "cold start on an inherited listener: exec to first byte, TLS 1.3",
			tool: coldStart, field: servers, role: "https", path: page1k},
		{name: "run-kept", title: "nginx activated: 1 KiB over plain HTTP/1.1, 64 kept-alive connections",
			tool: "wrk", field: activators, role: "http", path: page1k, arguments: kept},
		{name: "run-new", title: "nginx activated: 1 KiB over plain HTTP/1.1, 64 clients with a new connection for each request",
			tool: "wrk", field: activators, role: "http", path: page1k, arguments: append([]string{"-H", "Connection: close"}, kept...)},
		{name: "run-start", title: "nginx activated: exec to first byte, the client waits in an inherited listener",
			tool: coldStart, field: activators, role: "http", path: page1k},
		{name: "run-cold", title: "nginx activated: connecting to first byte where rouse sleeps, for the others exec to first byte",
			tool: coldStart, field: activators, role: "http", path: page1k, asleep: true},
	}
	for _, clients := range []int{1, 8, 32, 128} {
		all = append(all, workload{name: "dispatch-new", clients: clients, tool: newConnections, field: dispatchers, role: answers,
			title: fmt.Sprintf("new connections, one byte for each, %d at once", clients)})
	}
	for _, clients := range []int{1, 8, 64} {
		all = append(all, workload{name: "inetd-new", clients: clients, tool: newConnections, field: superservers, role: answers,
			title: fmt.Sprintf("a process that says one byte for each new connection, %d at once", clients)})
	}
	return all
}

func workloadNames() []string {
	var names []string
	for _, w := range workloads() {
		names = append(names, w.name)
	}
	return slices.Compact(names)
}

// chooseWorkloads takes the comma-separated list of --workload; empty means all.
func chooseWorkloads(list string) ([]workload, error) {
	if list == "" {
		return workloads(), nil
	}
	var chosen []workload
	for _, name := range strings.Split(list, ",") {
		named := slices.DeleteFunc(workloads(), func(w workload) bool { return w.name != name })
		if len(named) == 0 {
			return nil, fmt.Errorf("unknown workload %q: there are %s", name, strings.Join(workloadNames(), ", "))
		}
		chosen = append(chosen, named...)
	}
	return chosen, nil
}

// splitWorkloads picks those of a field, and separates those against running servers from those that start them.
func splitWorkloads(all []workload, field string) (load, cold []workload) {
	for _, w := range all {
		switch {
		case w.field != field:
		case w.tool == coldStart:
			cold = append(cold, w)
		default:
			load = append(load, w)
		}
	}
	return load, cold
}
