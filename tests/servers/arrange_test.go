package servers

import (
	"cmp"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
	"github.com/rouse-server/rouse/tests/servers/booted"
)

// newDrill makes the folder, the sockets and the configuration of a drill. All that it made ends with the test.
func newDrill(t *testing.T, s server) *drill {
	d := &drill{server: s, t: t, word: "one", held: map[string]*os.File{}, address: map[string]string{}, clients: map[string]net.Addr{}}
	dir, err := os.MkdirTemp("/tmp", "drill-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // for servers that change their user
		t.Fatal(err)
	}
	d.dir = dir
	d.newCgroup()
	d.backend = startBackend(t)
	for i := range d.sockets {
		d.listen(&d.sockets[i])
	}
	if err := d.write(); err != nil {
		t.Fatal(err)
	}
	if d.prepare != "" {
		cmd := exec.Command("sh", "-euc", d.fill(d.prepare))
		cmd.Dir = d.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("prepare %s: %v\n%s", d.name, err, out)
		}
	}
	return d
}

// newCgroup makes a cgroup (cgroups(7)) for the processes of the drill; what is left there at the end is killed.
func (d *drill) newCgroup() {
	d.cgroup = filepath.Join("/sys/fs/cgroup", filepath.Base(d.dir))
	if err := os.Mkdir(d.cgroup, 0o755); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		_ = os.WriteFile(filepath.Join(d.cgroup, "cgroup.kill"), []byte("1"), 0)
		for end := time.Now().Add(patience); os.Remove(d.cgroup) != nil && time.Now().Before(end); {
			time.Sleep(5 * time.Millisecond)
		}
	})
}

// listen opens a socket on a port that the kernel chooses, as a service manager would. Bare, the server itself does.
func (d *drill) listen(s *socket) {
	host := "127.0.0.1"
	if strings.HasSuffix(s.network, "6") {
		host = "::1"
	}
	var local net.Addr
	if s.stream() {
		var config net.ListenConfig
		config.SetMultipathTCP(false)
		l, err := config.Listen(context.Background(), s.network, net.JoinHostPort(host, "0"))
		if err != nil {
			d.t.Fatal(err)
		}
		defer l.Close() // the file is a duplicate
		d.held[s.name], local = d.file(l.(*net.TCPListener)), l.Addr()
	} else {
		l, err := net.ListenPacket(s.network, net.JoinHostPort(host, "0"))
		if err != nil {
			d.t.Fatal(err)
		}
		defer l.Close()
		d.held[s.name], local = d.file(l.(*net.UDPConn)), l.LocalAddr()
	}
	_, port, _ := net.SplitHostPort(local.String())
	s.real, _ = strconv.Atoi(port)
	if s.port == 0 {
		s.port = s.real
	}
	d.address[s.name] = local.String()
	if *bare {
		d.held[s.name].Close()
		d.address[s.name] = net.JoinHostPort(host, strconv.Itoa(s.port))
	}
}

func (d *drill) file(l interface{ File() (*os.File, error) }) *os.File {
	file, err := l.File()
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { file.Close() })
	return file
}

// write writes the server's files, as they are to be now.
func (d *drill) write() error {
	for name, text := range d.files {
		path := filepath.Join(d.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(d.fill(text)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// fill puts the values of this drill into a text: @dir@, @word@, @backend@, and @NAME@, the port configured for a socket.
func (d *drill) fill(text string) string {
	number := map[string]string{"one": "1", "two": "2"}[d.word]
	self, _ := os.Executable()
	pairs := []string{"@self@", self, "@dir@", d.dir, "@word@", d.word, "@number@", number, "@backend@", d.backend}
	for _, s := range d.sockets {
		pairs = append(pairs, "@"+s.name+"@", strconv.Itoa(s.port), "@real:"+s.name+"@", strconv.Itoa(s.real))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// start starts rouse, which gets the sockets as from systemd. What it starts stays in the drill's cgroup.
func (d *drill) start() {
	arguments := []string{"run", "--log-level=debug"}
	if d.idles() {
		arguments = append(arguments, "--idle-stop=1s")
	}
	if d.reload == "restart" || d.reload == "overlap" {
		arguments = append(arguments, "--reload="+d.reload)
	}
	var files []*os.File
	var names []string
	for _, s := range d.sockets {
		given := cmp.Or(s.given, s.name)
		if d.mode == "connections" {
			arguments = append(arguments, "--lazy", "--listen="+d.dispatch(s))
		} else {
			files, names = append(files, d.held[s.name]), append(names, given)
		}
		option := "--map=" + s.bind() + "=" + given
		if s.port != s.real && !d.guess && !slices.Contains(arguments, option) {
			arguments = append(arguments, option)
		}
	}
	arguments = append(append(arguments, d.options...), "--")
	for _, word := range d.command {
		arguments = append(arguments, d.fill(word))
	}
	d.launch(program.Run{Binary: booted.Rouse, Args: arguments, Files: files, Names: names, Listen: len(files) > 0})
}

// launch starts a process in the cgroup, as the row's user.
func (d *drill) launch(run program.Run) {
	if d.process != nil {
		d.earlier += d.process.Stdout.String() + d.process.Stderr.String()
	}
	run.Through = []string{"sh", "-c", `echo $$ >"$0" && exec "$@"`, filepath.Join(d.cgroup, "cgroup.procs")}
	if d.user != "" {
		run.Through = append(run.Through, "setpriv", "--reuid="+d.user, "--regid="+d.user, "--clear-groups", "--")
	}
	run.Dir = d.dir
	for _, e := range d.env {
		run.Env = append(run.Env, d.fill(e))
	}
	d.process = program.Start(d.t, run)
}
