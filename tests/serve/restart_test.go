package serve

import (
	"net"
	"syscall"
	"testing"

	"github.com/rouse-server/rouse/tests/load"
	"github.com/rouse-server/rouse/tests/program"
)

// Without this every restart, upgrade or change of configuration would cost visitors their requests.
func TestRestartLosesNoRequest(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	plain := func() (net.Conn, error) { return net.DialTimeout("tcp", a.http, limit) }
	secure := func() (net.Conn, error) { return handshake(a.https, a.pool, "http/1.1") }
	var clients load.Load
	clients.KeepConnections(4, plain)
	clients.KeepConnections(2, secure)
	clients.NewConnections(1, plain)
	clients.NewConnections(1, secure)
	clients.UseClient(program.Client(t, a.pool).HTTP2, "https://"+a.https)
	clients.UseClient(program.Client(t, a.pool).H2C, "http://"+a.http)

	running := a.start()
	for restart := range 10 {
		clients.Await(t, 200, limit)
		leaving := running
		leaving.Signal(syscall.SIGTERM)
		if restart%2 == 0 { // as systemctl restart does; else as two that overlap
			exit(t, leaving, 0)
		}
		running = a.start()
		exit(t, leaving, 0)
	}
	clients.Await(t, 200, limit)
	answered, lost := clients.End()
	t.Logf("%d requests over 10 restarts", answered)
	if len(lost) > 0 {
		t.Errorf("%d were lost: %v", len(lost), lost)
	}
}

// Without this the connections that wait while a crashed program is started again would be lost too, not only those it held.
func TestQueueSurvivesSIGKILL(t *testing.T) {
	t.Parallel()
	a := newActivator(t)
	p := a.start()
	dial(t, a.http).get("/")
	program.Freeze(t, p.Pid)
	var waiting []*http1Conn
	for range 20 {
		c := dial(t, a.http)
		c.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		waiting = append(waiting, c)
	}
	p.Signal(syscall.SIGKILL)
	p.Wait(limit)
	next := a.start()
	for i, c := range waiting {
		if _, body := c.reply(); body != content {
			t.Errorf("waiting client %d got %q", i, body)
		}
	}
	exit(t, endOf(next), 0)
}
