package servers

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
	"github.com/rouse-server/rouse/tests/servers/booted"
)

// insidePages is where a server finds the test's own HTTP server, in its own namespace.
const insidePages = "127.0.0.1:8999"

// instance is one of the two processes of a server, with what it starts.
type instance struct {
	*drill
	name      string // a or b
	word      string // what it has to answer
	address   string // where its clients connect to
	dir       string
	cgroup    string // all its processes, whatever they do to their environment, session or parent
	namespace string // of network, a path
	process   *program.Process
	earlier   string // what processes before this one wrote
	channel   *os.File

	mu       sync.Mutex
	visitors map[string]net.Addr // the last client at each socket
}

// ports are given to sockets one after the other.
var ports atomic.Int32

// newDrill makes folders, namespaces and configuration of a drill. All that it made ends with the test.
func newDrill(t *testing.T, s server, engine string) *drill {
	dir, err := os.MkdirTemp("/tmp", "drill-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // for servers that change their user
		t.Fatal(err)
	}
	d := &drill{server: s, t: t, engine: engine, dir: dir, desk: filepath.Join(dir, "desk.sock")}
	d.sockets = append([]socket(nil), s.sockets...)
	for i := range d.sockets {
		if d.sockets[i].port == 0 {
			d.sockets[i].port = 10000 + int(ports.Add(1))
		}
	}
	for _, i := range []*instance{{name: "a", word: "one", address: addressA}, {name: "b", word: "two", address: addressB}} {
		i.drill, i.dir, i.visitors = d, filepath.Join(dir, i.name), map[string]net.Addr{}
		d.instances = append(d.instances, i)
		i.confine()
		i.write()
	}
	return d
}

// confine makes a cgroup (cgroups(7)) and a network namespace with only lo for the processes of the instance; what is left
// there at the end is killed.
func (i *instance) confine() {
	name := filepath.Base(i.drill.dir) + i.name
	i.cgroup, i.namespace = filepath.Join("/sys/fs/cgroup", name), filepath.Join("/run/netns", name)
	if err := os.Mkdir(i.cgroup, 0o755); err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(func() {
		i.killAll()
		for end := time.Now().Add(patience); os.Remove(i.cgroup) != nil && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
	})
	i.sh("ip netns add "+name+" && ip -n "+name+" link set lo up", "/")
	i.t.Cleanup(func() { i.sh("ip netns delete "+name, "/") })
	if i.inside {
		self, _ := os.Executable()
		pages := program.Start(i.t, program.Run{Binary: self, Through: i.within(), Env: []string{helperVariable + "=" + insidePages}})
		i.t.Cleanup(func() { pages.Stop() })
	}
}

// write writes the server's files and runs its script of preparation.
func (i *instance) write() {
	if err := os.MkdirAll(i.dir, 0o755); err != nil {
		i.t.Fatal(err)
	}
	for name, text := range i.files {
		path := filepath.Join(i.dir, i.fill(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			i.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(i.fill(text)), 0o644); err != nil {
			i.t.Fatal(err)
		}
	}
	if i.prepare != "" {
		i.sh(i.fill(i.prepare), i.dir)
	}
	if i.way == byHandoff {
		i.hold()
	}
}

// path is where the instance takes connections by socketbox's protocol.
func (i *instance) path() string { return i.dir + ".sock" }

// hold opens the datagram socket, as a service manager would: it stays while instances come and go.
func (i *instance) hold() {
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: i.path(), Net: "unixgram"})
	if err != nil {
		i.t.Fatal(err)
	}
	defer c.Close() // the file is a duplicate
	if i.channel, err = c.File(); err != nil {
		i.t.Fatal(err)
	}
	i.t.Cleanup(func() { i.channel.Close() })
}

func (i *instance) sh(script, dir string) {
	i.t.Helper()
	cmd := exec.Command("sh", "-euc", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		i.t.Fatalf("%s: %s: %v\n%s", i.server.name, script, err, out)
	}
}

// fill puts the values of this instance into a text.
func (i *instance) fill(text string) string {
	pairs := []string{"@dir@", i.dir, "@word@", i.word, "@number@", map[string]string{"one": "1", "two": "2"}[i.word]}
	for _, s := range i.sockets {
		pairs = append(pairs, "@"+s.name+"@", strconv.Itoa(s.port))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// backend is the name of a socket of the instance in the dispatcher's rules.
func (i *instance) backend(s socket) string { return i.name + "-" + s.name }

// start starts the instance. Nobody waits until it is ready: its clients do.
func (i *instance) start() {
	var words []string
	for _, word := range i.command {
		words = append(words, i.fill(word))
	}
	if i.way == byHandoff {
		i.launch(program.Run{Binary: words[0], Args: words[1:], Files: []*os.File{i.channel}})
		return
	}
	arguments := []string{string(i.way), "--log-level=debug"}
	for _, s := range i.sockets {
		address := fmt.Sprintf("dispatch:%s#%s", i.desk, i.backend(s))
		if i.whole {
			address += "?takes=listener"
		}
		if i.way == byInetd {
			arguments = append(arguments, "--listen="+address)
			continue
		}
		arguments = append(arguments, "--listen="+s.name+"="+address)
		if !i.translates() {
			arguments = append(arguments, fmt.Sprintf("--map=%d/%s=%s", s.port, s.network[:3], s.name))
		}
	}
	if i.network != "" {
		arguments = append(arguments, "--network-from="+i.desk+"#"+i.backend(i.sockets[0]))
	}
	for _, option := range i.options {
		arguments = append(arguments, i.fill(option))
	}
	arguments = append(append(arguments, "--"), words...)
	i.launch(program.Run{Binary: booted.Rouse, Args: arguments})
}

// translates tells whether the program asks for its sockets itself.
func (d *drill) translates() bool { return len(d.options) > 0 && d.options[0] == "--as=systemd" }

// launch starts a process in the cgroup and the namespace of the instance.
func (i *instance) launch(run program.Run) {
	if i.process != nil {
		i.earlier += i.process.Stdout.String() + i.process.Stderr.String()
	}
	run.Through = []string{"sh", "-c", `echo $$ >"$0" && exec "$@"`, filepath.Join(i.cgroup, "cgroup.procs")}
	run.Through = append(run.Through, i.within()...)
	run.Dir = i.dir
	i.process = program.Start(i.t, run)
}

// within are the words of a command that starts another one in the instance's network namespace.
func (i *instance) within() []string { return []string{"nsenter", "--net=" + i.namespace, "--"} }

// stop ends the instance: by SIGTERM, or, where rouse does not stand before HAProxy, by the signal for its soft stop.
func (i *instance) stop() error {
	signal := syscall.SIGTERM
	if i.way == byHandoff {
		signal = syscall.SIGUSR1
	}
	i.process.Signal(signal)
	select {
	case <-i.process.Ended():
	case <-time.After(patience):
		left := i.all()
		i.process.Signal(syscall.SIGABRT) // by which a Go program tells what it does (os/signal)
		i.process.Wait(patience)
		return fmt.Errorf("it has not ended %v after %v; left: %v", patience, signal, left)
	}
	// The kernel gives back what a process had before it forgets the process itself.
	return wait("its processes have not ended with it", 5*time.Second, func() bool { return len(i.all()) == 0 })
}

// kill freezes all processes of the instance, counts the connections that the server has, and kills them.
func (i *instance) kill() (held int, err error) {
	if err := os.WriteFile(filepath.Join(i.cgroup, "cgroup.freeze"), []byte("1"), 0); err != nil {
		return 0, err
	}
	err = wait("its processes do not freeze", patience, func() bool {
		events, _ := os.ReadFile(filepath.Join(i.cgroup, "cgroup.events"))
		return strings.Contains(string(events), "frozen 1")
	})
	held = i.held()
	i.killAll()
	err2 := wait("its processes do not end", patience, func() bool { return len(i.all()) == 0 })
	if err == nil {
		err = err2
	}
	_ = os.WriteFile(filepath.Join(i.cgroup, "cgroup.freeze"), []byte("0"), 0)
	return held, err
}

// killAll kills all processes of the instance.
func (i *instance) killAll() {
	_ = os.WriteFile(filepath.Join(i.cgroup, "cgroup.kill"), []byte("1"), 0)
}

// all returns the processes of the instance.
func (i *instance) all() []int {
	text, _ := os.ReadFile(filepath.Join(i.cgroup, "cgroup.procs"))
	var pids []int
	for field := range strings.FieldsSeq(string(text)) {
		pid, _ := strconv.Atoi(field)
		pids = append(pids, pid)
	}
	return pids
}

// waitLog waits until the log of the instance matches.
func (i *instance) waitLog(pattern string) error {
	expression := regexp.MustCompile(pattern)
	return wait(fmt.Sprintf("the log of instance %s has no %q", i.name, pattern), 20*time.Second, func() bool { return expression.MatchString(i.log()) })
}

// log is what server and rouse have logged, in the server's own file too.
func (i *instance) log() string {
	text := i.earlier + i.process.Stdout.String() + i.process.Stderr.String()
	if i.logFile != "" {
		own, _ := os.ReadFile(i.fill(i.logFile))
		text += string(own)
	}
	return text
}

// held counts the clients that the server's own processes hold: a descriptor of theirs is a connection at one of the drill's
// ports. A server on UDP holds one at most, the one that it works on.
func (i *instance) held() int {
	connections := i.connections()
	hands := map[string]bool{}
	for _, pid := range i.all() {
		if program, _ := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); program == booted.Rouse && pid == i.process.Pid {
			continue // what rouse itself holds there goes to the next instance
		}
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, file := range files {
			if target, err := os.Readlink(file); err == nil && connections[target] {
				hands[target] = true
			}
		}
	}
	for _, s := range i.sockets {
		if s.network[:3] == "udp" {
			hands[s.name] = true
		}
	}
	return len(hands)
}

// connections returns those at the drill's ports, as links of descriptors show them (proc_net_tcp(5)).
func (i *instance) connections() map[string]bool {
	found := map[string]bool{}
	text, _ := os.ReadFile("/proc/net/tcp")
	for line := range strings.Lines(string(text)) {
		field := strings.Fields(line)
		if len(field) < 10 || field[3] == "0A" {
			continue
		}
		for _, s := range i.sockets {
			if strings.HasSuffix(field[1], fmt.Sprintf(":%04X", s.port)) {
				found["socket:["+field[9]+"]"] = true
			}
		}
	}
	return found
}
