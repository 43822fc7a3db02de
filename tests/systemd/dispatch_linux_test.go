package systemd

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/tests/load"
)

const (
	dispatchService = "rouse-dispatch.service"
	dispatchSocket  = "rouse-web.socket" // of the tests
	dispatchRules   = "/etc/rouse/dispatch.toml"
	bpfFileSystem   = "/sys/fs/bpf"
	blogAddress     = "127.0.0.1:8080" // over the socket that systemd holds
	shopAddress     = "127.0.0.2:8080" // likewise
	boundAddress    = "127.0.0.1:8090" // over one that the dispatcher binds
)

// twoBackends sends clients of 127.0.0.2 to shop, and the others to blog. Both register, and are known by their group.
const twoBackends = `fallback = "blog"
[listeners.web]
address = ["systemd:web", "tcp:` + boundAddress + `"]
[backends.blog]
group = "www-data"
[backends.shop]
group = "www-data"
[[routes]]
name = "shop"
local = "127.0.0.2"
to = "shop"
`

// dispatches starts the shipped dispatcher by some rules, and two servers without any network that register with it: the
// shipped rouse.service for blog, and nginx under the shipped rouse-run@site.service for shop.
func dispatches(t *testing.T, engine, rules string) {
	t.Helper()
	needsSystemd(t)
	if _, err := exec.LookPath(nginxPath); err != nil {
		t.Skipf("nginx is not installed: %v", err)
	}
	writeFile(t, runFolder+"/site.conf", strings.NewReplacer("listen 127.0.0.1:8080;", "listen 8080;", "listen [::1]:8080;", "").Replace(nginxConfig("first")))
	writeFile(t, runFolder+"/site.env", "COMMAND="+nginxPath+" -e stderr -c "+runFolder+"/site.conf\nROUSE_RUN_LISTEN=dispatch:/run/rouse/dispatch.sock#shop\n")
	dropIn(t, "rouse.service", "[Service]\nGroup=www-data\nEnvironment=SERVER_LISTEN=http=dispatch:/run/rouse/dispatch.sock#blog SERVER_IDLE_EXIT=0\n")
	dropIn(t, runService, "[Service]\nGroup=www-data\n")
	startDispatcher(t, "[Service]\nEnvironment=ROUSE_DISPATCH_ENGINE="+engine+"\n", rules)
	startUnits(t, "rouse.service", runService)
	waitFor(t, "both servers are registered", func() bool { return registered(t, "blog") == 1 && registered(t, "shop") == 1 })
}

// startDispatcher starts the shipped dispatcher, with a drop-in, by some rules; "systemd:web" in them is port 8080.
func startDispatcher(t *testing.T, service, rules string) {
	t.Helper()
	needsSystemd(t)
	mountBPF(t)
	writeFile(t, dispatchRules, rules)
	unitFile(t, dispatchSocket, "[Socket]\nListenStream=0.0.0.0:8080\nFileDescriptorName=web\nService="+dispatchService+"\n")
	dropIn(t, dispatchService, service)
	run(t, "systemctl", "daemon-reload")
	startUnits(t, dispatchSocket, dispatchService)
}

// startUnits starts units. At the end they are stopped, and their journal shown if the test failed.
func startUnits(t *testing.T, units ...string) {
	t.Helper()
	since := time.Now()
	t.Cleanup(func() {
		run(t, "systemctl", append([]string{"stop"}, units...)...)
		exec.Command("systemctl", "reset-failed").Run()
		for _, unit := range units {
			if t.Failed() {
				t.Log(journal(t, unit, since))
			}
		}
	})
	run(t, "systemctl", append([]string{"start"}, units...)...)
}

// mountBPF mounts the kernel's file system of programs, as systemd does where it boots a whole machine.
func mountBPF(t *testing.T) {
	t.Helper()
	var st unix.Statfs_t
	if err := unix.Statfs(bpfFileSystem, &st); err != nil {
		t.Fatal(err)
	}
	if st.Type != unix.BPF_FS_MAGIC {
		if err := unix.Mount("bpf", bpfFileSystem, "bpf", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0700"); err != nil {
			t.Fatalf("mount %s: %v", bpfFileSystem, err)
		}
	}
	t.Cleanup(func() { os.RemoveAll(bpfFileSystem + "/rouse") }) // else the rules stay for the next test
}

// dispatchStatus is what tests look at in `rouse dispatch --status --json`.
type dispatchStatus struct {
	Engine, Why string
	Reloads     int
	Backends    []struct {
		Name     string
		Sessions []struct{ PID int }
	}
}

// askDispatcher returns the zero status while none answers.
func askDispatcher(t *testing.T) (s dispatchStatus) {
	t.Helper()
	out, err := exec.Command("/usr/bin/rouse", "dispatch", "--status", "--json", "--socket", "/run/rouse/dispatch.sock").Output()
	if err != nil {
		return s
	}
	if err := json.Unmarshal(out, &s); err != nil {
		t.Fatalf("status: %v: %s", err, out)
	}
	return s
}

// registered is the number of processes that are registered for a backend.
func registered(t *testing.T, backend string) (n int) {
	t.Helper()
	for _, b := range askDispatcher(t).Backends {
		if b.Name == backend {
			n = len(b.Sessions)
		}
	}
	return n
}

// whoAnswers is the backend behind an address: nginx tells its edition and the client's address, rouse serve the page of the
// tests.
func whoAnswers(t *testing.T, address string) string {
	t.Helper()
	answer, client := visit(t, address)
	host, _, _ := net.SplitHostPort(address)
	switch text := strings.Join(answer, " "); text {
	case "<h1>Rouse</h1>":
		return "blog"
	case fmt.Sprintf("first %s 8080 %s %d", host, client.IP, client.Port):
		return "shop"
	default:
		return text
	}
}

func answeredBy(t *testing.T, want map[string]string) {
	t.Helper()
	for address, backend := range want {
		if got := whoAnswers(t, address); got != backend {
			t.Errorf("%s is answered by %s, want %s", address, got, backend)
		}
	}
}

// engines are those of the dispatcher, and the addresses whose clients lose nothing when it restarts: a socket that it has
// bound itself and accepts from goes with it.
var engines = map[string][]string{
	"kernel":    {blogAddress, shopAddress, boundAddress},
	"hand-over": {blogAddress, shopAddress},
}

// Without this an upgrade of a server or of the dispatcher would cost somebody a page, and so would new rules, or a mistake in
// them: with each engine all the shipped units are restarted, and the rules loaded again, among clients that never try twice.
func TestDispatchLosesNothing(t *testing.T) {
	restarts := 1
	if isLong() {
		restarts = 15
	}
	for engine, addresses := range engines {
		t.Run(engine, func(t *testing.T) {
			dispatches(t, engine, twoBackends)
			answeredBy(t, map[string]string{blogAddress: "blog", shopAddress: "shop", boundAddress: "blog", "127.0.0.3:8080": "blog"})
			amongVisitors(t, addresses, func(more func()) {
				for range restarts {
					for _, unit := range []string{"rouse.service", dispatchService, runService} {
						run(t, "systemctl", "restart", unit)
						more()
					}
				}
				reloadsRules(t, more)
			})
			answeredBy(t, map[string]string{blogAddress: "blog", shopAddress: "shop", boundAddress: "blog", "127.0.0.3:8080": "shop"})
			if got := askDispatcher(t).Engine; got != engine {
				t.Errorf("the engine is %s", got)
			}
		})
	}
}

// reloadsRules gives shop's rule another address, and then a mistake, which is told and changes nothing.
func reloadsRules(t *testing.T, more func()) {
	t.Helper()
	since, main := time.Now(), property(t, dispatchService, "MainPID")
	writeFile(t, dispatchRules, strings.Replace(twoBackends, `"127.0.0.2"`, `["127.0.0.2", "127.0.0.3"]`, 1))
	run(t, "systemctl", "reload", dispatchService)
	waitFor(t, "the new rules", func() bool { return whoAnswers(t, "127.0.0.3:8080") == "shop" })
	more()
	writeFile(t, dispatchRules, strings.Replace(twoBackends, `to = "shop"`, `to = "shpo"`, 1))
	run(t, "systemctl", "reload", dispatchService)
	waitSaidBy(t, dispatchService, since, "3", "the old ones are kept", dispatchRules+":11", "shpo")
	waitState(t, dispatchService, "active")
	if now := property(t, dispatchService, "MainPID"); now != main {
		t.Errorf("the dispatcher is process %s, and was %s", now, main)
	}
}

// amongVisitors does something among clients, none of whom may lose anything. more waits until some more were answered.
func amongVisitors(t *testing.T, addresses []string, do func(more func())) {
	t.Helper()
	crowds := make([]load.Load, len(addresses)) // one for each, or those who are answered would hide those who are not
	for i, address := range addresses {
		crowds[i].NewConnections(2, func() (net.Conn, error) { return net.DialTimeout("tcp", address, patience) })
	}
	more := func() {
		for i := range crowds {
			crowds[i].Await(t, 20, patience)
		}
	}
	more()
	do(more)
	more()
	for i, address := range addresses {
		answered, lost := crowds[i].End()
		if len(lost) > 0 {
			t.Errorf("%s: %d of %d requests were lost; the first: %v", address, len(lost), answered, lost[0])
		}
		t.Logf("%s: %d requests answered, %d lost", address, answered, len(lost))
	}
}

// Without this a crash would take down all servers behind the dispatcher: the rules stay in the kernel, and those who have
// their sockets go on; the next process takes both over.
func TestDispatchKilledIsNotMissed(t *testing.T) {
	dispatches(t, "kernel", twoBackends)
	link, _ := filepath.Glob(bpfFileSystem + "/rouse/dispatch/net-*/link-*")
	if len(link) != 1 {
		t.Fatalf("the rules are not kept below %s: %q", bpfFileSystem, link)
	}
	amongVisitors(t, engines["kernel"], func(more func()) {
		old := property(t, dispatchService, "MainPID")
		pid, _ := strconv.Atoi(old)
		kill(t, pid, syscall.SIGKILL)
		more() // RestartSec= is a second
		waitFor(t, "another process", func() bool { now := property(t, dispatchService, "MainPID"); return now != old && now != "0" })
		waitFor(t, "both servers are registered again", func() bool { return registered(t, "blog") == 1 && registered(t, "shop") == 1 })
	})
}

// Without this people would not see what the dispatcher does, or it would have rights that it does not need.
func TestDispatchUnit(t *testing.T) {
	dispatches(t, "auto", twoBackends)
	if status := property(t, dispatchService, "StatusText"); !strings.HasPrefix(status, "1 rule for 2 backends") {
		t.Errorf("status: %q", status)
	}
	if status := property(t, "rouse.service", "StatusText"); !strings.HasPrefix(status, "serving /var/www/html") || strings.Contains(status, "unnamed") {
		t.Errorf("status of the other server: %q", status)
	}
	if s := askDispatcher(t); s.Engine != "kernel" {
		t.Errorf("the engine is %s: %s", s.Engine, s.Why)
	}
	if status := property(t, runService, "StatusText"); !strings.Contains(status, "asleep") {
		t.Errorf("before the first client the status of the server is %q", status)
	}
	answeredBy(t, map[string]string{shopAddress: "shop"})
	if status := property(t, runService, "StatusText"); !strings.Contains(status, "nginx") {
		t.Errorf("status of the server: %q", status)
	}
	own := networkOf(t, dispatchService)
	for _, unit := range []string{"rouse.service", runService} {
		if networkOf(t, unit) == own {
			t.Errorf("%s is in the dispatcher's network", unit)
		}
	}
	run(t, "systemd-analyze", "security", "--no-pager", "--threshold=22", dispatchService)
	if out := run(t, "systemd-analyze", "verify", "/etc/systemd/system/"+dispatchService); out != "" {
		t.Error(out)
	}
}

// networkOf names the network namespace of a unit.
func networkOf(t *testing.T, unit string) string {
	t.Helper()
	name, err := os.Readlink("/proc/" + property(t, unit, "MainPID") + "/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// Without this somebody would wait in vain for what the unit's comments promise: listeners in another network namespace, and
// servers whose sockets only their group may write to.
func TestDispatchUnitExtended(t *testing.T) {
	needsSystemd(t)
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skipf("ip is not installed: %v", err)
	}
	run(t, "ip", "netns", "add", "elsewhere")
	t.Cleanup(func() { run(t, "ip", "netns", "delete", "elsewhere") })
	run(t, "ip", "-n", "elsewhere", "link", "set", "lo", "up")
	served := groupSocket(t, "www-data")
	startDispatcher(t, "[Service]\nRestrictNamespaces=net\nCapabilityBoundingSet=CAP_SYS_ADMIN CAP_CHOWN\nSystemCallFilter=@chown\nSupplementaryGroups=www-data\n", `
fallback = "app"
socket = { path = "/run/rouse/dispatch.sock", mode = "0660", group = "www-data" }
[listeners.elsewhere]
address = "tcp:127.0.0.1:8082"
namespace = "elsewhere"
[listeners.web]
address = "systemd:web"
[backends.app]
connect = "unix:`+served+`"
`)
	for _, command := range [][]string{{"curl"}, {"ip", "netns", "exec", "elsewhere", "curl"}} {
		port := map[string]string{"curl": "8080", "ip": "8082"}[command[0]]
		if out := run(t, command[0], append(command[1:], "-sS", "-m", "20", "http://127.0.0.1:"+port+"/")...); out != "<h1>Rouse</h1>\n" {
			t.Errorf("%v: %q", command, out)
		}
	}
	if out := strings.TrimSpace(run(t, "stat", "-c", "%a %U %G", "/run/rouse/dispatch.sock")); out != "660 root www-data" {
		t.Errorf("the dispatcher's own socket is %s", out)
	}
}

// groupSocket starts a server on a unix socket that its group alone may write to, and returns the path.
func groupSocket(t *testing.T, group string) string {
	t.Helper()
	const path = "/run/rouse-group.sock"
	unitFile(t, "rouse-group.socket", "[Socket]\nListenStream="+path+"\nSocketMode=0060\nSocketUser=bin\nSocketGroup="+group+"\nRemoveOnStop=yes\n")
	unitFile(t, "rouse-group.service", "[Service]\nExecStart=/usr/bin/rouse serve --root /var/www/html\n")
	run(t, "systemctl", "daemon-reload")
	startUnits(t, "rouse-group.socket", "rouse-group.service")
	return path
}

// Without this programs that inetd starts could not move to systemd's sockets: as many as are allowed run, each with its
// limits and its client's address, further clients wait, and what a program says stands in the journal.
func TestInetdUnit(t *testing.T) {
	needsSystemd(t)
	const address, service = "127.0.0.1:9002", "rouse-each.service"
	writeFile(t, "/etc/rouse/each.sh", "echo \"$REMOTE_ADDR $REMOTE_PORT $(id -un) $(ulimit -n)\"\nread word\necho \"heard $word\"\necho \"told $word\" >&2\n")
	unitFile(t, "rouse-each.socket", "[Socket]\nListenStream="+address+"\n")
	unitFile(t, service, "[Service]\nType=notify\nWatchdogSec=30s\nPrivateNetwork=yes\nProtectSystem=strict\nNoNewPrivileges=yes\n"+
		"ExecStart=/usr/bin/rouse inetd --user www-data --max-instances 2 --limit nofile=64:128 -- /bin/sh /etc/rouse/each.sh\n")
	run(t, "systemctl", "daemon-reload")
	since := time.Now()
	startUnits(t, "rouse-each.socket", service)
	var clients []*each
	for range 3 {
		clients = append(clients, newEach(t, address))
	}
	for _, c := range clients[:2] {
		if got, want := c.line(t), fmt.Sprintf("127.0.0.1 %d www-data 64", c.LocalAddr().(*net.TCPAddr).Port); got != want {
			t.Errorf("the program says %q, want %q", got, want)
		}
	}
	if _, running := processesOf(t, service); len(running) != 2 {
		t.Errorf("%d programs run", len(running))
	}
	for _, c := range slices.Concat(clients[:2], clients[2:]) {
		fmt.Fprintln(c, "knock")
	}
	for _, c := range clients[:2] {
		if got := c.line(t); got != "heard knock" {
			t.Errorf("the program answers %q", got)
		}
	}
	if got := clients[2].line(t); !strings.HasSuffix(got, " www-data 64") {
		t.Errorf("the client who waited gets %q", got)
	}
	waitSaidBy(t, service, since, "6", "told knock", "127.0.0.1")
	if status := property(t, service, "StatusText"); status == "" {
		t.Error("there is no status")
	}
}

// each is a client of a program that talks in lines.
type each struct {
	net.Conn
	rest string
}

func newEach(t *testing.T, address string) *each {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return &each{Conn: c}
}

// line reads the next one.
func (c *each) line(t *testing.T) string {
	t.Helper()
	for buffer := make([]byte, 512); ; {
		if line, rest, ok := strings.Cut(c.rest, "\n"); ok {
			c.rest = rest
			return line
		}
		n, err := c.Read(buffer)
		if err != nil {
			t.Fatalf("after %q: %v", c.rest, err)
		}
		c.rest += string(buffer[:n])
	}
}
