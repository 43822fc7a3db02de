package systemd

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/load"
	"github.com/rouse-server/rouse/tests/program"
)

const (
	boundService = "rouse-bound.service" // of the tests: it has no socket unit
	boundPort    = 8099
	boundFile    = "/run/rouse-bound.sock"
)

// stored is how many descriptors systemd keeps for the service.
func stored(t *testing.T, unit string) int {
	t.Helper()
	n, err := strconv.Atoi(property(t, unit, "NFileDescriptorStore"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Without this every client would pay for a full handshake after each upgrade: what it got from the process before lets it resume,
// and the store holds one set of keys, whatever happens.
func TestClientsResumeAfterARestart(t *testing.T) {
	pool := shipped(t, "[Service]\nRestartSec=100ms\n")
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := &tls.Config{RootCAs: pool, ClientSessionCache: tls.NewLRUClientSessionCache(4), MinVersion: version, MaxVersion: version}
		if resumed(t, config) {
			t.Fatal("the first connection was resumed")
		}
		for what, happen := range map[string]func(){
			"restart": func() { run(t, "systemctl", "restart", "rouse.service") },
			"reload":  func() { run(t, "systemctl", "reload", "rouse.service") },
			"crash": func() {
				pid := mainPID(t)
				kill(t, pid, syscall.SIGKILL)
				waitFor(t, "a new process", func() bool { next := mainPID(t); return next != 0 && next != pid })
			},
		} {
			happen()
			if !resumed(t, config) {
				t.Errorf("%s: not resumed after a %s", tls.VersionName(version), what)
			}
			waitFor(t, "one set of keys in the store", func() bool { return stored(t, "rouse.service") == 1 })
		}
	}
	run(t, "systemctl", "stop", "rouse.service")
	waitFor(t, "an empty store", func() bool { return stored(t, "rouse.service") == 0 }) // FileDescriptorStorePreserve=restart, and all there is before v254
}

// resumed makes a connection and tells whether it continues an earlier session.
func resumed(t *testing.T, config *tls.Config) bool {
	t.Helper()
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", "127.0.0.1:8443", config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := ask(c); err != nil { // the ticket comes with the reply
		t.Fatal(err)
	}
	return c.ConnectionState().DidResume
}

// startBound starts a server that binds its sockets itself, with a store and one option more.
func startBound(t *testing.T, arguments string) {
	t.Helper()
	needsSystemd(t)
	unitFile(t, boundService, boundUnit(arguments))
	run(t, "systemctl", "daemon-reload")
	startUnits(t, boundService)
}

func boundUnit(arguments string) string {
	return "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=notify\nRestart=on-failure\nRestartSec=100ms\nFileDescriptorStoreMax=8\n" +
		"Environment=FDSTORE=8\nExecStart=/usr/bin/rouse serve --root /var/www/html " + arguments + "\n"
}

func boundPID(t *testing.T) int {
	t.Helper()
	pid, _ := strconv.Atoi(property(t, boundService, "MainPID"))
	return pid
}

func dialBound() (net.Conn, error) {
	return net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", boundPort), patience)
}

func dialFile() (net.Conn, error) { return net.DialTimeout("unix", boundFile, patience) }

// Without this a server that binds its port itself would refuse clients at each restart, and a crash would cost those that wait.
func TestBoundListenersSurvive(t *testing.T) {
	startBound(t, fmt.Sprintf("--listen tcp:127.0.0.1:%d --listen unix:%s?mode=0600", boundPort, boundFile))
	l := &load.Load{}
	for _, dial := range []func() (net.Conn, error){dialBound, dialFile} {
		l.NewConnections(2, dial)
		l.KeepConnections(2, dial)
	}
	const restarts = 5
	for range restarts {
		l.Await(t, 200, patience)
		run(t, "systemctl", "restart", boundService)
	}
	l.Await(t, 200, patience)
	answered, lost := l.End()
	if len(lost) > 0 {
		t.Errorf("%d of %d requests were lost; the first: %v", len(lost), answered, lost[0])
	}
	t.Logf("%d requests answered over %d restarts of a server that binds itself, %d lost", answered, restarts, len(lost))
	if n := stored(t, boundService); n != 2 {
		t.Errorf("the store holds %d descriptors, want 2", n)
	}
	queueSurvivesAKill(t, boundPID(t), dialBound, dialFile)
	if n := stored(t, boundService); n != 2 {
		t.Errorf("after a kill the store holds %d descriptors, want 2", n)
	}
}

// queueSurvivesAKill kills a process while clients wait in its queues: the next one serves them.
func queueSurvivesAKill(t *testing.T, pid int, dials ...func() (net.Conn, error)) {
	t.Helper()
	const each = 20
	program.Freeze(t, pid)
	var waiting []net.Conn
	for _, dial := range dials {
		for range each {
			c, err := dial()
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			waiting = append(waiting, c)
		}
	}
	results := make(chan error, len(waiting))
	for _, c := range waiting {
		go func() { results <- ask(c) }()
	}
	kill(t, pid, syscall.SIGKILL)
	lost := 0
	for range waiting {
		if err := <-results; err != nil {
			lost++
			t.Errorf("a client that waited in the queue was lost: %v", err)
		}
	}
	t.Logf("%d clients waited in the queue when the process was killed, %d lost", len(waiting), lost)
}

// An address that is no longer configured must refuse its clients, and leave nothing behind; so must a service that was stopped.
func TestDroppedAddressIsRefused(t *testing.T) {
	since := time.Now()
	startBound(t, fmt.Sprintf("--listen tcp:127.0.0.1:%d --listen unix:%s", boundPort, boundFile))
	if err := os.WriteFile("/run/systemd/system/"+boundService, []byte(boundUnit(fmt.Sprintf("--listen tcp:127.0.0.1:%d", boundPort+1))), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, "systemctl", "daemon-reload")
	run(t, "systemctl", "restart", boundService)
	for _, dial := range []func() (net.Conn, error){dialBound, dialFile} {
		waitFor(t, "the old address refuses", func() bool {
			_, err := dial()
			return errors.Is(err, syscall.ECONNREFUSED)
		})
	}
	waitFor(t, "one listener in the store", func() bool { return stored(t, boundService) == 1 })
	if said := journal(t, boundService, since); !strings.Contains(said, fmt.Sprintf("tcp:127.0.0.1:%d was kept over the restart, and is closed now", boundPort)) {
		t.Error("nothing is said of it")
	}
	run(t, "systemctl", "stop", boundService)
	waitFor(t, "the stopped service refuses", func() bool {
		_, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", boundPort+1), patience)
		return errors.Is(err, syscall.ECONNREFUSED)
	})
}

// --unix-socket-force removes what is in the way; what the manager kept is not.
func TestForcedUnixSocketSurvives(t *testing.T) {
	startBound(t, "--unix-socket "+boundFile+" --unix-socket-force")
	before, err := os.Lstat(boundFile)
	if err != nil {
		t.Fatal(err)
	}
	run(t, "systemctl", "restart", boundService)
	if after, err := os.Lstat(boundFile); err != nil || !os.SameFile(before, after) {
		t.Errorf("the file of the socket is another one: %v", err)
	}
	client := http.Client{Transport: &http.Transport{Dial: func(string, string) (net.Conn, error) { return dialFile() }}, Timeout: patience}
	reply, err := client.Get("http://localhost/")
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, reply.Body)
	reply.Body.Close()
}

// The same for a dispatcher and for a program that knows nothing of it: their clients wait in the queue of what Rouse bound.
func TestBoundListenersOfRunAndDispatchSurvive(t *testing.T) {
	needsSystemd(t)
	t.Run("dispatch", func(t *testing.T) {
		startBound(t, fmt.Sprintf("--listen tcp:127.0.0.1:%d", boundPort))
		startDispatcher(t, "[Service]\nRestartSec=100ms\nEnvironment=ROUSE_DISPATCH_ENGINE=hand-over\n",
			fmt.Sprintf("fallback = \"site\"\n[listeners.web]\naddress = \"tcp:%s\"\n[backends.site]\nconnect = \"127.0.0.1:%d\"\n", boundAddress, boundPort))
		dial := func() (net.Conn, error) { return net.DialTimeout("tcp", boundAddress, patience) }
		l := &load.Load{}
		l.NewConnections(4, dial)
		const restarts = 3
		for range restarts {
			l.Await(t, 100, patience)
			run(t, "systemctl", "restart", dispatchService)
		}
		answered, lost := l.End()
		if len(lost) > 0 {
			t.Errorf("%d of %d requests were lost; the first: %v", len(lost), answered, lost[0])
		}
		t.Logf("%d requests answered over %d restarts of a dispatcher that binds itself, %d lost", answered, restarts, len(lost))
		if n := stored(t, dispatchService); n != 1 {
			t.Errorf("the store holds %d descriptors, want 1", n)
		}
		pid, _ := strconv.Atoi(property(t, dispatchService, "MainPID"))
		queueSurvivesAKill(t, pid, dial)
	})
	t.Run("run", func(t *testing.T) {
		unitFile(t, boundService, fmt.Sprintf("[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=notify\nRestart=on-failure\nRestartSec=100ms\nFileDescriptorStoreMax=8\nEnvironment=FDSTORE=8\nWorkingDirectory=/var/www/html\n"+
			"ExecStart=/usr/bin/rouse run --listen tcp:127.0.0.1:%[1]d -- /usr/bin/python3 -m http.server --bind 127.0.0.1 %[1]d\n", boundPort))
		run(t, "systemctl", "daemon-reload")
		startUnits(t, boundService)
		if err := askBound(); err != nil {
			t.Fatal(err)
		}
		run(t, "systemctl", "restart", boundService)
		if err := askBound(); err != nil {
			t.Fatal(err)
		}
		if n := stored(t, boundService); n != 1 {
			t.Errorf("the store holds %d descriptors, want 1", n)
		}
		before := listenersOn(t, boundPort)
		run(t, "systemctl", "restart", boundService)
		if after := listenersOn(t, boundPort); after != before {
			t.Errorf("the listener was inode %s, and is %s", before, after)
		}
	})
}

// The same for programs that are started one by one, over TCP, and for datagrams.
func TestBoundListenersOfInetdSurvive(t *testing.T) {
	needsSystemd(t)
	for name, c := range map[string]struct{ listen, table string }{
		"stream":    {"--listen tcp:127.0.0.1:%d -- /bin/cat", "/proc/net/tcp"},
		"datagrams": {"--wait --listen udp:127.0.0.1:%d -- /bin/cat", "/proc/net/udp"},
	} {
		t.Run(name, func(t *testing.T) {
			writeFile(t, "/etc/rouse/inetd/site.env", "COMMAND=/bin/cat\n")
			dropIn(t, "rouse-inetd@site.service", "[Service]\nRestartSec=100ms\nPrivateNetwork=no\nIPAddressDeny=\nRestrictAddressFamilies=AF_INET\n"+
				"ExecStart=\nExecStart=/usr/bin/rouse inetd "+fmt.Sprintf(c.listen, boundPort)+"\n")
			dropIn(t, "rouse-inetd@site.socket", "[Socket]\nListenStream=\nListenStream=/run/rouse-unused.sock\n")
			run(t, "systemctl", "daemon-reload")
			const service = "rouse-inetd@site.service"
			startUnits(t, "rouse-inetd@site.socket", service)
			before := socketOn(t, c.table, boundPort)
			run(t, "systemctl", "restart", service)
			old, _ := processesOf(t, service)
			kill(t, old, syscall.SIGKILL)
			waitNext(t, service, old)
			waitState(t, service, "active")
			if after := socketOn(t, c.table, boundPort); after != before || after == "none" {
				t.Errorf("the socket was inode %s, and is %s", before, after)
			}
			if n := stored(t, service); n != 1 {
				t.Errorf("the store holds %d descriptors, want 1", n)
			}
		})
	}
}

func askBound() error {
	c, err := dialBound()
	if err != nil {
		return err
	}
	defer c.Close()
	return ask(c)
}

// listenersOn is the inode of the listening socket on a port.
func listenersOn(t *testing.T, port int) string {
	t.Helper()
	return socketOn(t, "/proc/net/tcp", port)
}

// socketOn is the inode of the socket on a port that has no peer: in /proc/net/tcp and its like, field 1 is the address, field 3 the
// state, 0A for LISTEN and 07 for datagrams, and field 9 the inode (proc(5)).
func socketOn(t *testing.T, path string, port int) string {
	t.Helper()
	table, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", port)) && (fields[3] == "0A" || fields[3] == "07") {
			return fields[9]
		}
	}
	return "none"
}
