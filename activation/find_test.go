package activation

import (
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// Sockets are found in the documented order, and the first source that has any is the only one: nobody serves twice.
func TestFindOrder(t *testing.T) {
	stdin := passed(t, listen(t, "tcp", "127.0.0.1:0").(syscall.Conn))
	passedFDs := listenFDs{descriptors: []Descriptor{{Number: 3, Source: "systemd:web"}}}
	launchd := map[string][]int{"Listeners": {5}}
	one := uint(0)
	for _, c := range []struct {
		name    string
		fd      *uint
		fds     listenFDs
		launchd map[string][]int
		stdin   int
		want    string
		notices int
	}{
		{"everything", &one, passedFDs, launchd, stdin, "systemd:web", 0}, // --fd counts what was passed
		{"--fd without LISTEN_FDS", &one, listenFDs{}, launchd, stdin, "fd:0", 0},
		{"LISTEN_FDS", nil, passedFDs, launchd, stdin, "systemd:web", 0},
		{"launchd", nil, listenFDs{}, launchd, stdin, "launchd:Listeners", 0},
		{"LISTEN_FDS of another process", nil, listenFDs{other: "LISTEN_PID=1"}, launchd, stdin, "launchd:Listeners", 1},
		{"LISTEN_FDS without LISTEN_PID", nil, listenFDs{unaddressed: true, descriptors: passedFDs.descriptors}, nil, stdin, "inetd:", 1},
		{"standard input", nil, listenFDs{}, nil, stdin, "inetd:", 0},
		{"nothing", nil, listenFDs{}, nil, 999, "", 0},
	} {
		o := (&job{sockets: c.launchd}).opener()
		o.listenFDs, o.stdin = c.fds, c.stdin
		found, err := o.Find(c.fd)
		var sources []string
		for _, d := range found.Descriptors {
			sources = append(sources, d.Source)
		}
		if err != nil || strings.Join(sources, " ") != c.want || len(found.Notices) != c.notices {
			t.Errorf("%s: found %q, notices %q, %v", c.name, sources, found.Notices, err)
		}
	}
	o := opener()
	o.listenFDs = listenFDs{err: syscall.EINVAL}
	if _, err := o.Find(nil); err == nil {
		t.Error("wrong variables are passed over")
	}
	o.stdin = 999
	o.listenFDs = listenFDs{}
	if sockets, notices, err := o.Discover(nil); len(sockets)+len(notices) > 0 || err != nil {
		t.Errorf("nothing found gives %v, %q, %v", sockets, notices, err)
	}
}

// Standard input counts as a passed socket when it can only be one that a super-server passed; a terminal, a pipe or the
// unnamed pair of Node's spawn is no reason not to bind.
func TestStandardInput(t *testing.T) {
	tcp := listen(t, "tcp", "127.0.0.1:0")
	local := listen(t, "unix", shortDir(t)+"/s")
	connected, _ := connection(t, tcp)
	localConnected, _ := connection(t, local)
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	given(t, pair[1])
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	udp, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer udp.Close()
	for name, c := range map[string]struct {
		fd    int
		found bool
	}{
		"tcp listener":      {passed(t, tcp.(syscall.Conn)), true},
		"tcp connection":    {connected, true},
		"udp socket":        {passed(t, udp.(syscall.Conn)), true}, // is refused with a reason later
		"unix listener":     {passed(t, local.(syscall.Conn)), true},
		"unix connection":   {localConnected, true},
		"unnamed unix pair": {given(t, pair[0]), false},
		"/dev/null":         {passed(t, null), false},
		"nothing":           {999, false},
	} {
		o := opener()
		o.stdin = c.fd
		found, err := o.Find(nil)
		if err != nil || (len(found.Descriptors) == 1) != c.found {
			t.Errorf("%s: found %v, %v", name, found.Descriptors, err)
		}
		if name == "/dev/null" || name == "nothing" {
			_, err := o.inherited(address(t, "inetd:"))
			expectError(t, name, err, "inetd: ", "standard input")
		} else if forced, err := o.inherited(address(t, "inetd:")); err != nil || len(forced) != 1 {
			t.Errorf("inetd: with %s: %v, %v", name, forced, err)
		}
	}
}

// Before the program leaves for idleness it sees the client that knocked in that moment.
func TestPending(t *testing.T) {
	quiet, busy := listen(t, "tcp", "127.0.0.1:0"), listen(t, "unix", shortDir(t)+"/s")
	sockets := []Socket{{Kind: Packet}, {Kind: Listener, Listener: quiet}, {Kind: Listener, Listener: busy}}
	if Pending(sockets) || Pending(nil) {
		t.Error("somebody is said to wait")
	}
	client, err := net.Dial("unix", busy.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if !Pending(sockets) {
		t.Error("nobody is said to wait")
	}
	c, err := busy.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if Pending(sockets) {
		t.Error("a connection that was accepted is said to wait")
	}
	near, far := net.Pipe()
	defer far.Close()
	if Pending([]Socket{{Kind: Connection, Listener: newOneConnection(near)}}) {
		t.Error("a single connection is said to wait")
	}
	busy.Close()
	if Pending(sockets) {
		t.Error("somebody is said to wait on a closed listener")
	}
}
