package install

import (
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestOverlaps(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"443", "443", true}, {"443", "80", false}, {"443", "127.0.0.1:443", true}, {"443", "[::1]:443", true}, {"443", "udp:443", false}, {"udp:443", "udp:443", true},
		{"127.0.0.1:443", "127.0.0.1:443", true}, {"127.0.0.1:443", "127.0.0.2:443", false}, {"0.0.0.0:443", "127.0.0.1:443", true}, {"0.0.0.0:443", "[::]:443", false},
		{"[::]:443", "[::1]:443", true}, {"/run/a", "/run/a", true}, {"/run/a", "/run/b", false}, {"/run/a", "443", false},
	} {
		for _, pair := range [][2]string{{c.a, c.b}, {c.b, c.a}} {
			a, err1 := readAddress(pair[0])
			b, err2 := readAddress(pair[1])
			if err1 != nil || err2 != nil || a.overlaps(b) != c.want {
				t.Errorf("%q: %v, %v", pair, err1, err2)
			}
		}
	}
	for _, text := range []string{"localhost:80", "a:b:c", "[::1:80", "1.2.3:80"} {
		if _, err := readAddress(text); err == nil {
			t.Errorf("%s is an address", text)
		}
	}
}

// taken is a port that somebody listens on.
func taken(t *testing.T) (at, port string) {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	at = listener.Addr().String()
	_, port, _ = net.SplitHostPort(at)
	return at, port
}

func TestPorts(t *testing.T) {
	at, port := taken(t)
	free, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	open := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	own := &Record{Name: "blog", Units: Units{Sockets: []string{"rouse-blog.socket"}}}
	for name, c := range map[string]struct {
		listen  string
		command string
		holders []Holder
		old     *Record
		want    string
	}{
		"free":                   {listen: open},
		"another program":        {listen: at, want: at + " is in use by another program (see: ss -ltnp 'sport = :" + port + "'): end it, or choose another one by --listen"},
		"all addresses":          {listen: port, want: port + " is in use by another program"},
		"any address":            {listen: "0.0.0.0:" + port, want: "0.0.0.0:" + port + " is in use"},
		"both families":          {listen: "[::]:" + port, want: "[::]:" + port + " is in use"},
		"a family for a program": {listen: "[::]:" + port, command: "run"},
		"a unit":                 {listen: at, holders: []Holder{{"other.socket", "1.2.3.4:1"}, {"nginx.socket", port}}, want: at + " is held by nginx.socket: choose another one by --listen, or systemctl disable --now nginx.socket"},
		"its own unit":           {listen: at, holders: []Holder{{"rouse-blog.socket", at}}, old: own},
		"its own, stopped":       {listen: at, old: &Record{Name: "blog", Listen: []string{at}, Units: own.Units}, want: at + " is in use by another program"},
		"no address of machine":  {listen: "192.0.2.1:8443"}, // FreeBind=
		"a holder who has gone":  {listen: open, holders: []Holder{{"old.socket", open}}},
		"a name":                 {listen: "localhost:8443", want: "localhost:8443 is no address to listen on"},
		"another of its own too": {listen: at, old: own, want: at + " is in use by another program"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, false)
			w.manager.holders = c.holders
			site := Site{Name: "blog", Command: c.command, Sockets: []Socket{{Name: "x", Listen: []string{c.listen}}}}
			oneProblem(t, checkPorts(t.Context(), site, c.old, w.System), c.want)
		})
	}
}

// The address of the site as it is installed is in nobody's way while its socket is open, or its service has it still.
func TestOwnPort(t *testing.T) {
	at, _ := taken(t)
	w := newWorld(t, false)
	site := w.site(t, "blog")
	site.Sockets = site.Sockets[:1]
	site.Sockets[0].Listen = []string{at}
	w.install(t, site, ApplyOptions{})
	own, err := readRecord(w.System, "blog")
	if err != nil {
		t.Fatal(err)
	}
	check := func(want string) {
		t.Helper()
		oneProblem(t, checkPorts(t.Context(), site, own, w.System), want)
	}
	check("")
	w.manager.stop("rouse-blog.socket")
	check(at + " is in use by another program")
	w.manager.awake = true
	check("")
}

func TestPortOfAnotherSite(t *testing.T) {
	w := newWorld(t, true)
	w.install(t, w.site(t, "blog"), ApplyOptions{})
	site := w.site(t, "shop")
	site.Sockets = []Socket{{Name: "x", Listen: []string{"8443"}}, {Name: "y", Listen: []string{"8443"}, Datagram: true}}
	oneProblem(t, checkPorts(t.Context(), site, nil, w.System), "8443 is an address of the site blog: choose another one by --listen, or rouse uninstall --user blog")
}

func TestDatagramPorts(t *testing.T) {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	at := conn.LocalAddr().String()
	w := newWorld(t, false)
	w.manager.holders = []Holder{{"stream.socket", at}}
	site := Site{Name: "blog", Sockets: []Socket{{Name: "x", Listen: []string{at}, Datagram: true}}}
	oneProblem(t, checkPorts(t.Context(), site, nil, w.System), "udp:"+at+" is in use by another program (see: ss -lunp")
}

func TestSocketPaths(t *testing.T) {
	w := newWorld(t, false)
	mkdir(t, w.at("/run"))
	listener, err := net.Listen("unix", w.at("/run/live"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	stale, err := net.Listen("unix", w.at("/run/stale"))
	if err != nil {
		t.Fatal(err)
	}
	stale.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := stale.Close(); err != nil {
		t.Fatal(err)
	}
	w.put(t, "/run/file", "")
	for path, want := range map[string]string{
		"/run/new": "", "/run/stale": "", "/run/folder/new": "",
		"/run/live":                        "/run/live is in use by another program (see: ss -lxp src /run/live)",
		"/run/file":                        "/run/file is there already, and is no socket: remove it",
		"/run/" + strings.Repeat("x", 110): "/run/" + strings.Repeat("x", 110) + ": the path of a socket has at most 107 bytes",
	} {
		site := Site{Name: "blog", Sockets: []Socket{{Name: "x", Listen: []string{path}}}}
		oneProblem(t, checkPorts(t.Context(), site, nil, w.System), want)
	}
	w.OS = "darwin"
	site := Site{Name: "blog", Sockets: []Socket{{Name: "x", Listen: []string{"/run/folder/new"}}}}
	oneProblem(t, checkPorts(t.Context(), site, nil, w.System), "/run/folder/new: there is no folder /run/folder: make it first")
}

// A user hears of ports that are root's. launchd opens them for an agent too.
func TestPrivilegedPort(t *testing.T) {
	w := newWorld(t, true)
	w.put(t, "/proc/sys/net/ipv4/ip_unprivileged_port_start", "1024\n")
	a, err := readAddress("127.0.0.1:443")
	if err != nil {
		t.Fatal(err)
	}
	taken, err := ports{sys: w.System}.judge(a, os.NewSyscallError("bind", syscall.EACCES))
	want := "127.0.0.1:443: your account may not open ports below 1024: choose another one by --listen, install without --user, or allow it: sudo sysctl net.ipv4.ip_unprivileged_port_start=443"
	if taken {
		t.Error("nobody has it")
	}
	oneProblem(t, []error{err}, want)
	w.OS = "darwin"
	if taken, err := (ports{sys: w.System}).judge(a, syscall.EACCES); taken || err != nil {
		t.Errorf("on a Mac: %v, %v", taken, err)
	}
}
