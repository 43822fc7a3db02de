package serve

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/tests/program"
)

// manager is the receiving end of sd_notify(3), as systemd has it.
type manager struct {
	t      testing.TB
	socket *net.UnixConn
	env    string // NOTIFY_SOCKET=…
}

func newManager(t testing.TB) *manager {
	t.Helper()
	path := filepath.Join(program.ShortDir(t), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	return &manager{t, socket, "NOTIFY_SOCKET=" + path}
}

// next returns the next message; ok is false when none comes within the time.
func (m *manager) next(within time.Duration) (message string, ok bool) {
	m.t.Helper()
	m.socket.SetReadDeadline(time.Now().Add(within))
	buffer := make([]byte, 4096)
	n, err := m.socket.Read(buffer)
	return string(buffer[:n]), err == nil
}

// wait returns the first message from now on that matches, and its groups.
func (m *manager) wait(pattern string) []string {
	m.t.Helper()
	expression := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(limit); ; {
		message, ok := m.next(time.Until(deadline))
		if match := expression.FindStringSubmatch(message); match != nil {
			return match
		}
		if !ok {
			m.t.Fatalf("no message %q within %v", pattern, limit)
		}
	}
}

// Without these a manager takes the service for started when it is not, cannot tell when a reload has ended, or kills it
// while it drains; and `systemctl status` says nothing.
func TestNotices(t *testing.T) {
	t.Parallel()
	a, m := newActivator(t), newManager(t)
	a.env = []string{m.env}
	p := a.start()
	says(t, m.wait(`(?s)^READY=1\n.*`)[0], "STATUS=serving "+a.root+" at https://"+a.https+", http://"+a.http)

	before := monotonic(t)
	p.Signal(syscall.SIGHUP)
	reloading := m.wait(`^RELOADING=1\nMONOTONIC_USEC=(\d+)`)
	if at, _ := strconv.ParseInt(reloading[1], 10, 64); at < before || at > monotonic(t) {
		t.Errorf("MONOTONIC_USEC=%d, and it was between %d and %d", at, before, monotonic(t))
	}
	m.wait(`^READY=1\nSTATUS=serving`)

	p.Signal(syscall.SIGTERM)
	m.wait(`^STOPPING=1\nSTATUS=ending after `)
	exit(t, p, 0)
}

// monotonic returns CLOCK_MONOTONIC in microseconds, which systemd compares with.
func monotonic(t testing.TB) int64 {
	t.Helper()
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		t.Fatal(err)
	}
	return now.Nano() / 1000
}

// Without this, units that wait for this one would start when nobody answers yet.
func TestReadyOnlyWhenServed(t *testing.T) {
	t.Parallel()
	for range 5 {
		a, m := newActivator(t), newManager(t)
		p := program.Start(t, program.Run{
			Args: []string{"serve", "--root", a.root, "--host", "127.0.0.1", "--port", "0"},
			Env:  []string{m.env},
		})
		address := m.wait(`^READY=1\nSTATUS=serving .* at http://(\S+)`)[1]
		if reply, _ := fetch(t, program.Client(t, nil).HTTP1, "http://"+address); reply.StatusCode != http.StatusOK {
			t.Errorf("%s", reply.Status)
		}
		p.Signal(syscall.SIGKILL)
	}
}

// Without this a service that cannot start would count as started, or show no reason in `systemctl status`.
func TestNotReadyWhenTheStartFails(t *testing.T) {
	t.Parallel()
	a, m := newActivator(t), newManager(t)
	a.env = []string{m.env}
	a.root = filepath.Join(a.root, "absent")
	p := a.start()
	exit(t, p, 78)
	for {
		message, ok := m.next(time.Millisecond)
		switch {
		case !ok:
			t.Fatal("no STATUS= with the reason")
		case strings.Contains(message, "READY=1"):
			t.Fatalf("%q", message)
		case strings.HasPrefix(message, "STATUS=") && strings.Contains(message, "no such folder"):
			return
		}
	}
}

// Without its beats systemd would kill a healthy service; with beats that come whatever happens it would keep a dead one.
func TestWatchdog(t *testing.T) {
	t.Parallel()
	a, m := newActivator(t), newManager(t)
	a.env = []string{m.env, "WATCHDOG_USEC=2000000"}
	p := a.start()
	m.wait(`^READY=1`)
	begun := time.Now()
	for range 3 {
		m.wait(`^WATCHDOG=1$`)
	}
	if took := time.Since(begun); took > 6*time.Second {
		t.Errorf("three beats in %v, and the limit is 2 s for each", took)
	}
	// From here on no request is answered in time: the index page has no time of modification, so its ETag is made from
	// its content, and that is a file of many gigabytes.
	index := filepath.Join(a.root, "index.html")
	if err := os.Truncate(index, 64<<30); err != nil {
		t.Skipf("a large sparse file: %v", err)
	}
	if err := os.Chtimes(index, time.Time{}, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	p.Stderr.WaitFor(`ERR no sign of life for the watchdog .*request of our own was not answered`, limit)
	for { // beats that were under way
		if _, ok := m.next(time.Millisecond); !ok {
			break
		}
	}
	if message, ok := m.next(2500 * time.Millisecond); ok {
		t.Errorf("%q although requests are not answered", message)
	}
	p.Signal(syscall.SIGKILL)
}

// Without this the beats of one program would come from a child that inherited its variables.
func TestWatchdogOfAnotherProcess(t *testing.T) {
	t.Parallel()
	a, m := newActivator(t), newManager(t)
	a.env = []string{m.env, "WATCHDOG_USEC=100000", "WATCHDOG_PID=1"}
	a.start()
	m.wait(`^READY=1`)
	if message, ok := m.next(time.Second); ok {
		t.Errorf("%q, and WATCHDOG_PID names another process", message)
	}
}
