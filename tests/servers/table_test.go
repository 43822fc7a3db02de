package servers

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// server is a row of the table: a real server, how it is configured, and how a client talks to it.
//
// Texts may contain @dir@ (the folder of this drill, which is the working folder), @word@ and @number@ (what is to be
// answered; they change at the reload), @backend@ (HOST:PORT of an HTTP server of the test), and @NAME@, the port
// configured for the socket of that name, @real:NAME@, the port that it really has.
type server struct {
	name     string
	packages []string // of Debian
	overlay  string   // a system of its own, where packages conflict with those of others
	always   bool     // cheap enough for every run
	version  string   // a command that tells it

	files   map[string]string // written before the start, and again before the reload
	prepare string            // a shell script, run once in the folder
	env     []string
	user    string // rouse itself runs as this user
	command []string
	daemon  string // not empty: the process that is started is not the server, but a child of it is

	sockets []socket
	guess   bool     // no --map: rouse has to find out which socket belongs to which bind
	options []string // of rouse run
	mode    string   // listener unless it says another
	status  int      // with which rouse ends after SIGTERM
	noBare  bool     // it cannot run without rouse, as these tests start it

	client     func(*drill) error // asks over a new connection, and checks the answer
	early      string             // what the server itself tells clients whom it accepted before it can serve them
	logFile    string             // the server's own log, where it is not on its standard output or error
	peer       string             // regular expression: how that log shows the client, @ip@ and @port@
	reload     string             // the signal that the server documents, or restart or overlap (--reload)
	reloaded   string             // regular expression: what the log has after the reload, where answers do not tell
	abrupt     bool               // when it is stopped it drops whom it has accepted and not answered yet
	stopSignal string             // that bare it is stopped by; SIGTERM when empty
}

// socket is what is opened for a server before it runs.
type socket struct {
	name    string // in texts
	given   string // the name that rouse is told, when it is another: an IPv4 and an IPv6 socket may share one
	network string // tcp4, tcp6 or udp4
	port    int    // that the server is configured for; 0: the socket's own
	real    int    // that the kernel chose
}

func (s socket) stream() bool { return strings.HasPrefix(s.network, "tcp") }

// bind is the socket's place in the server's configuration, as --map wants it.
func (s socket) bind() string { return strconv.Itoa(s.port) + "/" + s.network[:3] }

// web is the socket of most servers: one for TCP over IPv4, while the server is configured for port 8080.
func web() []socket { return []socket{{name: "web", network: "tcp4", port: 8080}} }

// samePort is web for a server that is configured for the socket's own port.
func samePort() []socket { return []socket{{name: "web", network: "tcp4"}} }

// table returns all servers.
func table() []server {
	return slices.Concat(scripts(), webServers(), javaServers(), proxies(), loginServers(), mailServers(), exim(), dataServers(), datagrams())
}

// selected returns the servers of this run.
func selected() []server {
	long := os.Getenv("ROUSE_LONG") == "servers"
	return slices.DeleteFunc(table(), func(s server) bool { return !s.always && !long })
}

// known is a failure that is known: the row, the step at which its drill ends, and the cause.
type known struct{ server, step, cause string }

// knownFailures is the list of what does not work yet. A row that is on it must fail at that step, and no other may.
func knownFailures() []known { return nil }
