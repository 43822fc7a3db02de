package systemd

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/load"
)

const (
	runService = "rouse-run@site.service"
	runSocket  = "rouse-run@site.socket"
	runFolder  = "/etc/rouse/run"
	nginxPath  = "/usr/sbin/nginx"
	overIPv4   = "127.0.0.1:8080" // as runSocket is shipped
	overIPv6   = "[::1]:8080"     // added for nginx
)

// nginxConfig is an nginx that knows nothing of activation. It keeps its files in the unit's own folders, and its answers
// tell an edition and what it takes for its own address and the client's.
func nginxConfig(edition string) string {
	return `daemon off;
worker_processes 2;
pid /run/rouse-run/site/nginx.pid;
error_log stderr notice;
events { worker_connections 256; }
http {
	access_log /var/log/rouse-run/site/access.log;
	client_body_temp_path /var/cache/rouse-run/site/body;
	proxy_temp_path /var/cache/rouse-run/site/proxy;
	fastcgi_temp_path /var/cache/rouse-run/site/fastcgi;
	uwsgi_temp_path /var/cache/rouse-run/site/uwsgi;
	scgi_temp_path /var/cache/rouse-run/site/scgi;
	server {
		listen 127.0.0.1:8080;
		listen [::1]:8080;
		location / { return 200 "` + edition + ` $server_addr $server_port $remote_addr $remote_port\n"; }
	}
}
`
}

// runsNginx starts the socket of the shipped template for nginx, with more lines for its file of options.
func runsNginx(t *testing.T, options string) {
	t.Helper()
	needsSystemd(t)
	if _, err := exec.LookPath(nginxPath); err != nil {
		t.Skipf("nginx is not installed: %v", err)
	}
	configureSite(t, "first")
	dropIn(t, runSocket, "[Socket]\nListenStream="+overIPv6+"\n")
	runs(t, nginxPath+" -e stderr -c "+runFolder+"/site.conf", options)
}

// runs starts the socket of the shipped template for a program. At the end all is stopped, and the journal shown if the test
// failed.
func runs(t *testing.T, command, options string) {
	t.Helper()
	needsSystemd(t)
	writeFile(t, runFolder+"/site.env", "COMMAND="+command+"\n"+options)
	dropIn(t, runService, "[Service]\nRestartSec=100ms\n")
	run(t, "systemctl", "daemon-reload")
	since := time.Now()
	t.Cleanup(func() {
		run(t, "systemctl", "stop", runSocket, runService) // in this order, or a client that waits starts the service again
		exec.Command("systemctl", "reset-failed").Run()
		if t.Failed() {
			t.Log(journal(t, "rouse-run@site.*", since))
		}
	})
	run(t, "systemctl", "start", runSocket)
}

func configureSite(t *testing.T, edition string) {
	t.Helper()
	writeFile(t, runFolder+"/site.conf", nginxConfig(edition))
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// visit asks once on a connection of its own and returns the words of the answer, and the client's own address.
func visit(t *testing.T, address string) (answer []string, client *net.TCPAddr) {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return answerOn(t, c), c.LocalAddr().(*net.TCPAddr)
}

// answerOn asks on a connection, and reads the answer's words.
func answerOn(t *testing.T, c net.Conn) []string {
	t.Helper()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	reply, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	body, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("%s %q, %v", reply.Status, body, err)
	}
	return strings.Fields(string(body))
}

// addressesRight checks that the server sees the socket's address as its own, and the client's as the client's.
func addressesRight(t *testing.T, address string) {
	t.Helper()
	answer, client := visit(t, address)
	host, port, _ := net.SplitHostPort(address)
	want := []string{"first", host, port, client.IP.String(), strconv.Itoa(client.Port)}
	if strings.Join(answer, " ") != strings.Join(want, " ") {
		t.Errorf("the server answers %q, want %q", answer, want)
	}
}

// processesOf lists the processes of a service: the main one, and those that it started.
func processesOf(t *testing.T, service string) (main int, others []int) {
	t.Helper()
	main, err := strconv.Atoi(property(t, service, "MainPID"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("/sys/fs/cgroup" + property(t, service, "ControlGroup") + "/cgroup.procs")
	if err != nil {
		return main, nil // none, then there is no group either
	}
	for _, field := range strings.Fields(string(text)) {
		if pid, err := strconv.Atoi(field); err == nil && pid != main {
			others = append(others, pid)
		}
	}
	return main, others
}

func waitAsleep(t *testing.T) {
	t.Helper()
	waitFor(t, "the program ends when idle", func() bool {
		main, others := processesOf(t, runService)
		return main != 0 && len(others) == 0
	})
}

// Without this a program that knows nothing of activation would have to run all the time: under the shipped unit the first
// client starts it, idleness ends it, the next client starts it again; and it sees its own address and the client's.
func TestRunWakesAndEndsWhenIdle(t *testing.T) {
	runsNginx(t, "ROUSE_RUN_IDLE_STOP=1s\n")
	if state := property(t, runService, "ActiveState"); state != "inactive" {
		t.Fatalf("before the first client the service is %s", state)
	}
	addressesRight(t, overIPv4)
	addressesRight(t, overIPv6)
	rouse, first := processesOf(t, runService)
	if len(first) < 3 {
		t.Errorf("%d processes beside rouse, want nginx's main one and two workers", len(first))
	}
	if status := property(t, runService, "StatusText"); !strings.Contains(status, "nginx") {
		t.Errorf("status: %q", status)
	}
	waitAsleep(t)
	if status := property(t, runService, "StatusText"); !strings.Contains(status, "asleep") {
		t.Errorf("status when asleep: %q", status)
	}
	addressesRight(t, overIPv6)
	addressesRight(t, overIPv4)
	if again, _ := processesOf(t, runService); again != rouse {
		t.Errorf("rouse was %d, and is %d", rouse, again)
	}
}

// Without this somebody who is only thinking would be thrown out: a connection that stands open keeps the program.
func TestRunStaysWhileSomebodyIsConnected(t *testing.T) {
	runsNginx(t, "ROUSE_RUN_IDLE_STOP=500ms\n")
	c, err := net.DialTimeout("tcp", overIPv4, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answerOn(t, c)
	_, first := processesOf(t, runService)
	time.Sleep(1500 * time.Millisecond) // thrice the limit
	answerOn(t, c)
	if _, now := processesOf(t, runService); fmt.Sprint(now) != fmt.Sprint(first) {
		t.Errorf("the processes were %d, and are %d", first, now)
	}
	c.Close()
	waitAsleep(t)
}

// newVisitors starts clients that make a connection for each request.
func newVisitors() *load.Load {
	l := &load.Load{}
	connect := func(address string) func() (net.Conn, error) {
		return func() (net.Conn, error) { return net.DialTimeout("tcp", address, patience) }
	}
	l.NewConnections(6, connect(overIPv4))
	l.NewConnections(2, connect(overIPv6))
	return l
}

// Without this a changed configuration would cost somebody a page. nginx reads it again, and the new one holds.
func TestRunReloadLosesNothing(t *testing.T) {
	runsNginx(t, "")
	visit(t, overIPv4)
	rouse, _ := processesOf(t, runService)
	underLoad(t, 2, func(i int) {
		edition := fmt.Sprint("edition-", i)
		configureSite(t, edition)
		run(t, "systemctl", "reload", runService)
		waitFor(t, edition, func() bool { answer, _ := visit(t, overIPv4); return answer[0] == edition })
		waitState(t, runService, "active")
	})
	if now, _ := processesOf(t, runService); now != rouse {
		t.Errorf("rouse was %d, and is %d", rouse, now)
	}
}

// underLoad does something so many times among clients, none of whom may lose anything.
func underLoad(t *testing.T, times int, do func(i int)) {
	t.Helper()
	l := newVisitors()
	for i := range times {
		l.Await(t, 200, patience)
		do(i)
	}
	l.Await(t, 200, patience)
	answered, lost := l.End()
	if len(lost) > 0 {
		t.Errorf("%d of %d requests were lost; the first: %v", len(lost), answered, lost[0])
	}
	t.Logf("%d requests answered, %d lost, over %d times", answered, len(lost), times)
}

// Without this a program would live on with nobody to answer its binds, or the port be lost: when rouse is killed outright
// its program ends with it, and both are back for the next client, on the same socket.
func TestRunKilledTakesTheProgramAlong(t *testing.T) {
	runsNginx(t, "")
	visit(t, overIPv4)
	rouse, old := processesOf(t, runService)
	opened := property(t, runSocket, "ActiveEnterTimestampMonotonic")
	kill(t, rouse, syscall.SIGKILL)
	waitFor(t, "the program ends with rouse", func() bool {
		return !slices.ContainsFunc(old, func(pid int) bool { return syscall.Kill(pid, 0) == nil })
	})
	addressesRight(t, overIPv4)
	if now, _ := processesOf(t, runService); now == rouse || now == 0 {
		t.Errorf("rouse was %d, and is %d", rouse, now)
	}
	if now := property(t, runSocket, "ActiveEnterTimestampMonotonic"); now != opened {
		t.Error("the socket was opened anew")
	}
	addressesRight(t, overIPv6)
}

// Without this people would look for the cause in vain: why a program does not run stands in the unit's status.
func TestRunTellsWhyTheProgramFails(t *testing.T) {
	runs(t, `/bin/sh -c "echo no such database >&2; exit 3"`, "")
	c, err := net.DialTimeout("tcp", overIPv4, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	waitFor(t, "the cause in the status", func() bool {
		out, _ := exec.Command("systemctl", "status", "--no-pager", "-n0", runService).CombinedOutput()
		_, status, _ := strings.Cut(string(out), "Status: ")
		status, _, _ = strings.Cut(status, "\n")
		return strings.Contains(status, "3") && strings.Contains(status, "no such database")
	})
	if state := property(t, runSocket, "ActiveState"); state != "active" {
		t.Errorf("the socket is %s", state)
	}
}

// Without this the program would have rights that neither it nor rouse needs.
func TestRunExposureScore(t *testing.T) {
	runsNginx(t, "")
	visit(t, overIPv4)
	run(t, "systemd-analyze", "security", "--no-pager", "--threshold=5", runService)
	run(t, "systemd-analyze", "security", "--no-pager", "--offline=yes", "--threshold=5", "/etc/systemd/system/rouse-run@.service")
	for _, unit := range []string{"rouse-run@.socket", "rouse-run@.service"} {
		if out := run(t, "systemd-analyze", "verify", "/etc/systemd/system/"+unit); out != "" {
			t.Errorf("%s: %s", unit, out)
		}
	}
}
