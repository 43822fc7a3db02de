package serve

import (
	"syscall"
	"testing"
	"time"
)

// Without a bound a single client that never finishes could hold a restart up for ever.
func TestDrainTimeout(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	a.large("large")
	p := a.start("--drain-timeout", "2s", "--log-level", "warn")
	loading := dial(t, a.http)
	loading.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
	loading.head()
	secure := dialHTTP2(t, a.https, a.pool, 0)
	secure.get(1, "/large")
	secure.wait(frameHeaders)
	begun := time.Now()
	p.Signal(syscall.SIGTERM)
	exit(t, p, 0)
	lasted(t, begun, 2*time.Second)
	says(t, p.Stderr.String(), "connections cut off after 2s: 2", "--drain-timeout")
}

// Without this somebody who cannot wait would have to use SIGKILL, which loses more.
func TestSecondSignalEndsNow(t *testing.T) {
	t.Parallel()
	for _, second := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		a, m := newActivator(t), newManager(t)
		a.env = []string{m.env}
		a.large("large")
		p := a.start("--drain-timeout", "60s", "--log-level", "warn")
		loading := dial(t, a.http)
		loading.send("GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
		loading.head()
		p.Signal(syscall.SIGTERM)
		m.wait("^STOPPING=1")
		p.Signal(syscall.SIGHUP) // is none of those that end it
		p.Signal(second)
		exit(t, p, 0)
		says(t, p.Stderr.String(), "second signal", "cut off")
	}
}

// Without a grace period, a load balancer that learns late of the end would send clients to a closed door.
func TestGracePeriodGoesOnAccepting(t *testing.T) {
	t.Parallel()
	a, m := newActivator(t), newManager(t)
	a.env = []string{m.env}
	p := a.start("--grace-period", "2")
	m.wait("^READY=1")
	begun := time.Now()
	p.Signal(syscall.SIGTERM)
	m.wait("^STOPPING=1")
	for range 5 {
		c := dialTLS(t, a.https, a.pool)
		if reply, body := c.get("/"); reply.Close || body != content {
			t.Errorf("in the grace period: Connection: close %v, body %q", reply.Close, body)
		}
		c.Close()
	}
	exit(t, p, 0)
	if took := time.Since(begun); took < 2*time.Second {
		t.Errorf("it ended after %v, before the grace period was over", took)
	}
}

// Without this difference a restart would wait for browsers' forgotten connections, or cut off a request that comes now.
func TestDrainOfIdleConnections(t *testing.T) {
	t.Parallel()
	a, m := newActivator(t), newManager(t)
	a.env = []string{m.env}
	p := a.start()
	old := dial(t, a.http)
	old.get("/")
	time.Sleep(5500 * time.Millisecond) // idle for more than 5 s
	recent, fresh := dial(t, a.http), dial(t, a.http)
	recent.get("/")
	late := dialTLS(t, a.https, a.pool)
	late.get("/")

	begun := time.Now()
	p.Signal(syscall.SIGTERM)
	m.wait("^STOPPING=1")
	old.closed()
	closedOld := time.Since(begun)
	for name, c := range map[string]*http1Conn{"idle": recent, "without a request": fresh} {
		c.SetDeadline(time.Now().Add(limit))
		reply, err := c.try("/")
		if err != nil || !reply.Close {
			t.Errorf("a request on a connection that was %s for a moment: %v (Connection: close: %v)", name, err, err == nil && reply.Close)
		}
	}
	late.closed()
	closedLate := time.Since(begun)
	if closedOld > closedLate-300*time.Millisecond || closedLate < 900*time.Millisecond {
		t.Errorf("the connection that was idle for 5.5 s was closed after %v, the fresh one after %v; want at once, and 1 s", closedOld, closedLate)
	}
	exit(t, p, 0)
}
