package systemd

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// readReply reads one whole reply and tells whether the server will close the connection.
func readReply(c net.Conn) (closes bool, err error) {
	reply, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return false, err
	}
	defer reply.Body.Close()
	if _, err := io.Copy(io.Discard, reply.Body); err != nil {
		return false, err
	}
	if reply.StatusCode != http.StatusOK {
		return false, fmt.Errorf("status %s", reply.Status)
	}
	return reply.Close, nil
}

// load is clients that never try again: what they do not get is lost.
type load struct {
	answered atomic.Int64
	mu       sync.Mutex
	lost     []error
	stop     chan struct{}
	clients  sync.WaitGroup
}

func (l *load) lose(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost = append(l.lost, err)
}

func (l *load) ended() bool {
	select {
	case <-l.stop:
		return true
	default:
		return false
	}
}

// startLoad starts clients that keep their connections, clients that open one for each request, and HTTP/2 clients.
func startLoad(t *testing.T, pool *x509.CertPool) *load {
	l := &load{stop: make(chan struct{})}
	config := &tls.Config{RootCAs: pool, NextProtos: []string{"http/1.1"}}
	for range 4 {
		l.clients.Go(func() { l.keepAlive(config) })
		l.clients.Go(func() { l.eachTime(config) })
	}
	h2 := program.Client(t, pool).HTTP2
	for range 2 {
		l.clients.Go(func() { l.http2(h2) })
	}
	return l
}

func (l *load) finish() (answered int64, lost []error) {
	close(l.stop)
	l.clients.Wait()
	return l.answered.Load(), l.lost
}

func (l *load) keepAlive(config *tls.Config) {
	var c *tls.Conn
	for !l.ended() {
		if c == nil {
			var err error
			if c, err = tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", "127.0.0.1:8443", config); err != nil {
				l.lose(fmt.Errorf("connect: %w", err))
				return
			}
			defer c.Close()
		}
		c.SetDeadline(time.Now().Add(patience))
		_, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		closes := false
		if err == nil {
			closes, err = readReply(c)
		}
		if err != nil {
			l.lose(fmt.Errorf("on a kept connection: %w", err))
			closes = true
		} else {
			l.answered.Add(1)
		}
		if closes {
			c.Close()
			c = nil
		}
	}
}

func (l *load) eachTime(config *tls.Config) {
	for !l.ended() {
		if err := get(config); err != nil {
			l.lose(fmt.Errorf("on a new connection: %w", err))
			continue
		}
		l.answered.Add(1)
	}
}

func (l *load) http2(client *http.Client) {
	for !l.ended() {
		reply, err := client.Get(httpsURL)
		if err == nil {
			_, err = io.Copy(io.Discard, reply.Body)
			reply.Body.Close()
		}
		if err != nil {
			l.lose(fmt.Errorf("over HTTP/2: %w", err))
			continue
		}
		l.answered.Add(1)
	}
}

// Without this an upgrade or a changed option would cost somebody a page: five restarts under load, with clients that never
// try again, lose nothing.
func TestRestartLosesNothing(t *testing.T) {
	pool := shipped(t, "")
	curl(t, httpsURL)
	l := startLoad(t, pool)
	wrk := startWrk(t)
	restarts := 5
	if os.Getenv("ROUSE_LONG") == "systemd" {
		restarts = 50
	}
	for range restarts {
		before := l.answered.Load()
		waitFor(t, "requests are answered", func() bool { return l.answered.Load() >= before+200 })
		run(t, "systemctl", "restart", "rouse.service")
	}
	before := l.answered.Load()
	waitFor(t, "requests are answered after the last restart", func() bool { return l.answered.Load() >= before+200 })
	answered, lost := l.finish()
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
		c, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", "127.0.0.1:8443", config)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if err := ask(c); err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	kill(t, pid, syscall.SIGSTOP) // from here on connections stay in the queue
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
		c.SetDeadline(time.Now().Add(patience))
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

// The same while clients come and go: of those that a kill hits, at most as many lose something as there are clients.
func TestKillUnderLoad(t *testing.T) {
	pool := shipped(t, "[Service]\nRestartSec=100ms\n")
	curl(t, httpsURL)
	l := startLoad(t, pool)
	const kills, clients = 3, 10
	for range kills {
		before := l.answered.Load()
		waitFor(t, "requests are answered", func() bool { return l.answered.Load() >= before+200 })
		pid := mainPID(t)
		kill(t, pid, syscall.SIGKILL)
		waitFor(t, "a new process", func() bool { next := mainPID(t); return next != 0 && next != pid })
	}
	answered, lost := l.finish()
	if len(lost) > kills*clients {
		t.Errorf("%d requests were lost in %d kills of a process with %d clients; the first: %v", len(lost), kills, clients, lost[0])
	}
	for _, err := range lost {
		if errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("a client was refused: %v", err)
		}
	}
	t.Logf("%d requests answered over %d kills, %d lost", answered, kills, len(lost))
}
