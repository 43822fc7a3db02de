package servers

import (
	"os"
	"slices"
)

// server is a row of the table: a real server, how it is configured and started, and how a client talks to it.
//
// Texts may contain @dir@ (the folder of the instance, which is the working folder), @word@ (what the instance has to answer)
// and @NAME@, the port of the socket of that name, which clients connect to and the server is configured for.
type server struct {
	name     string
	packages []string // of Debian
	overlay  string   // a system of its own, where packages conflict with those of others
	always   bool     // of every run
	version  string   // a command that tells it

	files   map[string]string // written before the start
	prepare string            // a shell script, run once in the folder
	way     way
	options []string // of rouse run or rouse inetd
	command []string
	inside  bool // an HTTP server of the test runs in the instance's namespace, at insidePages

	sockets []socket
	alone   bool     // each instance has listeners of its own, on every engine
	whole   bool     // it needs a listening socket: without the kernel engine there is one listener for each instance
	engines []string // on which it can run; both when empty
	network string   // what the dispatcher opens for it, as in the file of rules

	client  func(*visit) error // asks over a new connection, and checks the answer
	load    func(*visit) error // the same, quicker; client when nil
	early   string             // what the server itself tells clients whom it accepted before it can serve them
	logFile string             // the server's own log, where it is not on its standard output or error
	peer    string             // regular expression: how that log shows the client, @ip@ and @port@
	noPeer  string             // why it cannot know the client
	abrupt  bool               // when it is stopped it drops whom it has accepted and not answered yet
}

// way is how a server is started.
type way string

const (
	byRun     way = "run"     // rouse run
	byInetd   way = "inetd"   // rouse inetd
	byHandoff way = "handoff" // by itself, with a datagram socket of socketbox's protocol as descriptor 3
)

// socket is where clients of a server arrive.
type socket struct {
	name    string
	network string // tcp4 or udp4
	port    int    // 0: one that nobody else has
}

// web is the socket of most servers.
func web() []socket { return []socket{{name: "web", network: "tcp4"}} }

// Engines of rouse dispatch.
const (
	kernel   = "kernel"
	handOver = "hand-over"
)

// runs returns the engines on which a server runs.
func (s server) runs() []string {
	if len(s.engines) > 0 {
		return s.engines
	}
	return []string{kernel, handOver}
}

// table returns all servers.
func table() []server {
	return slices.Concat(standardInput(), webServers(), scripts(), java(), proxies(), mailServers(), fileServers(), datagrams())
}

// selected returns the servers of this run.
func selected() []server {
	long := os.Getenv("ROUSE_LONG") == "dispatch"
	return slices.DeleteFunc(table(), func(s server) bool { return !s.always && !long })
}
