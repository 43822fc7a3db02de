package systemd

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/rouse-server/rouse/tests/load"
	"github.com/rouse-server/rouse/tests/program"
)

// ask sends a request and reads the whole reply.
func ask(c net.Conn) error {
	_, err := load.Ask(c)
	return err
}

// get asks once, on a connection of its own.
func get(config *tls.Config) error {
	c, err := connect(config)
	if err != nil {
		return err
	}
	defer c.Close()
	return ask(c)
}

func connect(config *tls.Config) (net.Conn, error) {
	return tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", "127.0.0.1:8443", config)
}

// clients is how many clients crowd starts.
const clients = 10

// crowd starts clients that keep their connections, clients that open one for each request, and HTTP/2 clients.
func crowd(t *testing.T, pool *x509.CertPool) *load.Load {
	l := &load.Load{}
	http1 := func() (net.Conn, error) { return connect(&tls.Config{RootCAs: pool}) }
	l.KeepConnections(clients-6, http1)
	l.NewConnections(clients-6, http1)
	for range 2 {
		l.UseClient(program.Client(t, pool).HTTP2, httpsURL)
	}
	return l
}

// Without this an upgrade or a changed option would cost somebody a page: five restarts under load, with clients that never
// try again, lose nothing.
func TestRestartLosesNothing(t *testing.T) {
	pool := shipped(t, "")
	curl(t, httpsURL)
	l := crowd(t, pool)
	wrk := startWrk(t)
	restarts := 5
	if isLong() {
		restarts = 50
	}
	for range restarts {
		l.Await(t, 200, patience)
		run(t, "systemctl", "restart", "rouse.service")
	}
	l.Await(t, 200, patience)
	answered, lost := l.End()
	if len(lost) > 0 {
		t.Errorf("%d of %d requests were lost; the first: %v", len(lost), answered, lost[0])
	}
	t.Logf("%d requests answered over %d restarts, %d lost", answered, restarts, len(lost))
	wrk()
}

// startWrk runs the real wrk beside our own clients, and returns what ends it and looks at its errors.
func startWrk(t *testing.T) func() {
	path, err := exec.LookPath("wrk")
	if err != nil {
		return func() { t.Log("wrk is not installed; only our own clients ran") }
	}
	out := &strings.Builder{}
	cmd := exec.Command(path, "-t1", "-c8", "-d120s", "--timeout", "20s", httpsURL)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		cmd.Process.Signal(syscall.SIGINT)
		cmd.Wait()
		errors := regexp.MustCompile(`Socket errors: .*|Non-2xx.*`).FindString(out.String())
		requests := regexp.MustCompile(`\d+ requests in`).FindString(out.String())
		if requests == "" || errors != "" {
			t.Errorf("wrk: %s %s\n%s", requests, errors, out)
		}
		t.Logf("wrk: %s", requests)
	}
}

// Without this a crash would cost more than what the dead process had in its hands: all connections that wait in the queue
// when it is killed are served by the next one.
func TestKillLosesAtMostWhatWasHeld(t *testing.T) {
	pool := shipped(t, "[Service]\nRestartSec=100ms\n")
	config := &tls.Config{RootCAs: pool}
	curl(t, httpsURL)
	pid := mainPID(t)

	const heldCount, queuedCount = 5, 50
	var held []net.Conn
	for range heldCount {
		c, err := connect(config)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := ask(c); err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	program.Freeze(t, pid) // from here on connections stay in the queue
	results := make(chan error, queuedCount)
	for range queuedCount {
		go func() { results <- get(config) }()
	}
	waitFor(t, "all clients are connected", func() bool { return establishedTo(t, 8443) >= heldCount+queuedCount })
	kill(t, pid, syscall.SIGKILL)
	for range queuedCount {
		if err := <-results; err != nil {
			t.Errorf("a connection that waited in the queue was lost: %v", err)
		}
	}
	lost := 0
	for _, c := range held {
		if err := ask(c); err == nil {
			t.Error("a connection of the killed process was answered")
		} else if errors.Is(err, syscall.ECONNREFUSED) {
			t.Error("refused")
		} else {
			lost++
		}
	}
	t.Logf("%d connections waited and were served, %d were held by the killed process and lost", queuedCount, lost)
	if next := mainPID(t); next == pid || next == 0 {
		t.Errorf("served by %d, killed was %d", next, pid)
	}
}

// establishedTo counts the client ends of connections to the port: in /proc/net/tcp, field 2 is the remote address and field
// 3 the state, 01 for ESTABLISHED (proc(5)).
func establishedTo(t *testing.T, port int) (n int) {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if strings.HasSuffix(fields[2], fmt.Sprintf(":%04X", port)) && fields[3] == "01" {
			n++
		}
	}
	return n
}
