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
	tool      string   // a load tool's name, or one of those of bench itself
	field     string   // who is measured
	peers     []string // all who are measured beside the twin, by name; nil: the whole field
	role      string   // which of a server's sockets: "http", "https", deferred or answers
	path      string
	arguments []string // the tool's own, beside those it gets in every workload
	clients   int      // of bench's own tools: how many at once
	files     int      // how many of the site's small files are asked for, instead of path
	asleep    bool     // of a cold start: who can, waits for its client, and the time is that from connecting to the first byte

	notModified bool // the client has the page already, and says so as the server wants it
	packed      bool // a reply that is not smaller than its page is a fault
	prompt      bool // the server is to see connections that have no request yet
}

// The tools of the workloads that bench measures by itself; others are in the files of theirs.
const (
	coldStart      = "cold start"
	newConnections = "new connections"  // one byte is read from each; in a network of their own
	keptOpen       = "kept connections" // all are open before a round is measured
	largeReplies   = "large replies"    // counted by the MiB, while they go on
	firstTime      = "first requests"   // each file once, of a server that has just started
)

// deferred is the role of an HTTP socket whose connections a server sees only when their requests have come
// (TCP_DEFER_ACCEPT, tcp(7)); onlyHTTP2 that of a TLS socket for servers that need one for it alone; answers that of one whose
// server says one byte to each client.
const (
	deferred  = "deferred"
	onlyHTTP2 = "h2"
	answers   = "answers"
)

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
	return slices.Concat(webWorkloads(), handshakeWorkloads(), connectionGrowth(), fileWorkloads(), memoryWorkloads(), startWorkloads(), rouseWorkloads())
}

// unit is what costs and rates are those of.
func (w workload) unit() string {
	switch w.tool {
	case largeReplies:
		return "MiB"
	case handshakes:
		return "connection"
	}
	return "request"
}

// webWorkloads are what clients ask of running web servers.
func webWorkloads() []workload {
	kept := []string{"-t1", "-c64"}
	anew := []string{"-t1", "-c64", "-H", "Connection: close"}
	slow := []string{"-t1", "-c8", "-H", "Accept-Encoding: gzip"} // what is under way at the end is not counted: few, where each takes long
	streams := []string{"-t1", "-c32", "-m32"}
	all := []workload{
		{name: "plain-1k", title: "1 KiB over plain HTTP/1.1, 64 kept-alive connections", tool: "wrk", role: "http", path: page1k, arguments: kept},
		{name: "plain-10k", title: "10 KiB over plain HTTP/1.1, 64 kept-alive connections", tool: "wrk", role: "http", path: page10k, arguments: kept},
		{name: "tls-1k", title: "1 KiB over TLS 1.3 and HTTP/1.1, 64 kept-alive connections", tool: "wrk", role: "https", path: page1k, arguments: kept},
		{name: "tls-10k", title: "10 KiB over TLS 1.3 and HTTP/1.1, 64 kept-alive connections", tool: "wrk", role: "https", path: page10k, arguments: kept},
		{name: "h2-1k", title: "1 KiB over TLS 1.3 and HTTP/2, 32 connections of 32 streams", tool: "h2load", role: "https", path: page1k, arguments: streams},
		{name: "h2-10k", title: "10 KiB over TLS 1.3 and HTTP/2, 32 connections of 32 streams", tool: "h2load", role: "https", path: page10k, arguments: streams},
		{name: "plain-new", title: "1 KiB over plain HTTP/1.1, 64 clients with a new connection for each request, TCP_DEFER_ACCEPT everywhere",
			tool: "wrk", role: deferred, path: page1k, arguments: anew},
		{name: "plain-new-prompt", title: "1 KiB over plain HTTP/1.1, 64 clients with a new connection for each request, TCP_DEFER_ACCEPT nowhere",
			tool: "wrk", role: "http", path: page1k, arguments: anew, prompt: true},
		{name: "304", title: "1 KiB that the client has already, over plain HTTP/1.1, 64 kept-alive connections", tool: "wrk", role: "http", path: page1k, arguments: kept, notModified: true},
		{name: "compressed", title: "100 KiB of script as gzip, over plain HTTP/1.1, 8 kept-alive connections",
			tool: "wrk", role: "http", path: script100k, arguments: slow, packed: true},
		{name: "large-plain", title: "100 MiB over plain HTTP/1.1, 4 kept-alive connections", tool: largeReplies, role: "http", path: large100m, clients: 4},
		{name: "large-tls", title: "100 MiB over TLS 1.3 and HTTP/1.1, 4 kept-alive connections", tool: largeReplies, role: "https", path: large100m, clients: 4},
	}
	for i := range all {
		all[i].field = servers
	}
	return all
}

// fileWorkloads are about many files. They come after those about many connections: some servers keep both open, and have not
// descriptors enough for both.
func fileWorkloads() []workload {
	return append([]workload{
		{name: "files-warm", title: "20,000 files of 1-10 KiB, few of them often, over plain HTTP/1.1, 64 kept-alive connections",
			tool: "wrk", field: servers, role: "http", files: 20_000, arguments: []string{"-t1", "-c64"}},
		{name: "files-cold", title: "20,000 files of 1-10 KiB, each once, of a server that has just started, over plain HTTP/1.1, 64 kept-alive connections",
			tool: firstTime, field: servers, role: "http", files: 20_000, clients: 64},
	}, fileGrowth()...)
}

// startWorkloads are the cold starts of web servers.
func startWorkloads() []workload {
	return []workload{
		{name: "cold-plain", title: "cold start on an inherited listener: exec to first byte, plain HTTP/1.1",
			tool: coldStart, field: servers, role: "http", path: page1k},
		{name: "cold-tls", title: "cold start on an inherited listener: exec to first byte, TLS 1.3",
			tool: coldStart, field: servers, role: "https", path: page1k},
	}
}

// rouseWorkloads are what rouse does for other servers.
func rouseWorkloads() []workload {
	kept := []string{"-t1", "-c64"}
	all := []workload{
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

// quickWorkloads are the main ones.
const quickWorkloads = "plain-1k,tls-1k,h2-1k,plain-new,handshake-full,cold-plain"

// chooseWorkloads takes the comma-separated list of --workload; empty means all, or the main ones. They keep the table's order.
func chooseWorkloads(list string, quick bool) ([]workload, error) {
	if list == "" && quick {
		list = quickWorkloads
	}
	if list == "" {
		return workloads(), nil
	}
	names := strings.Split(list, ",")
	for _, name := range names {
		if !slices.Contains(workloadNames(), name) {
			return nil, fmt.Errorf("unknown workload %q: there are %s", name, strings.Join(workloadNames(), ", "))
		}
	}
	return slices.DeleteFunc(workloads(), func(w workload) bool { return !slices.Contains(names, w.name) }), nil
}

// ownTools are those that need no other program.
func ownTools() []string {
	return []string{coldStart, newConnections, keptOpen, largeReplies, firstTime, handshakes, memoryUse}
}

// measuredIn picks the workloads of a field that one of the tools measures, or any but these.
func measuredIn(all []workload, field string, with bool, tools ...string) []workload {
	return slices.DeleteFunc(slices.Clone(all), func(w workload) bool {
		return w.field != field || slices.Contains(tools, w.tool) != with
	})
}
