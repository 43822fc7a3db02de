package run

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// refusal is a command line that rouse has to refuse, with one line.
type refusal struct {
	name    string
	options []string
	command []string // of the program; child, without arguments, when nil
	env     []string
	sockets []string // names of sockets that are passed; web when nil
	tried   bool     // rouse learns it only from the kernel, when it has told the mode already
	code    int
	says    []string
}

func (r refusal) check(t *testing.T) {
	t.Parallel()
	s := &service{t: t, env: r.env}
	if r.sockets == nil {
		r.sockets = []string{"web"}
	}
	for _, name := range r.sockets {
		s.hold(name, "127.0.0.1:0")
	}
	if r.command == nil {
		r.command = []string{child(t)}
	}
	dir := t.TempDir()
	p := program.Start(t, program.Run{
		Args: append(append([]string{"run"}, r.options...), r.command...), Env: r.env, Binary: binary(t), Dir: dir,
		Files: s.files, Listen: len(s.files) > 0, Names: s.names,
	})
	if code := p.Wait(5 * time.Second).ExitCode(); code != r.code {
		t.Errorf("exit code %d, want %d", code, r.code)
	}
	if said := p.Stderr.String(); r.tried {
		says(t, said[strings.LastIndex(strings.TrimSpace(said), "\n")+1:], append(r.says, "rouse: ")...)
	} else {
		oneLine(t, p, r.says...)
	}
	if out := p.Stdout.String(); out != "" {
		t.Errorf("on stdout: %q", out)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func refused(t *testing.T, refusals []refusal) {
	for _, r := range refusals {
		t.Run(r.name, r.check)
	}
}

// Without these one line each, a mistake would be found by reading logs, or never.
func TestBadPrograms(t *testing.T) {
	t.Parallel()
	dir := program.ShortDir(t)
	plain, text, binary := filepath.Join(dir, "plain"), filepath.Join(dir, "text"), filepath.Join(dir, "interpreter")
	for path, content := range map[string]string{plain: "echo hello\n", text: "\x7fELF, it says\n", binary: "#!/nowhere/sh\n"} {
		mode := os.FileMode(0o755)
		if path == plain {
			mode = 0o644
		}
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	refused(t, []refusal{
		{name: "none", command: []string{}, code: 2, says: []string{"needs a program"}},
		{name: "none behind --", command: []string{"--"}, code: 2, says: []string{"needs a program"}},
		{name: "empty", command: []string{""}, code: 2, says: []string{"needs a program"}},
		{name: "not in PATH", command: []string{"no-such-program"}, code: 127, says: []string{"no-such-program", "PATH"}},
		{name: "no such file", command: []string{"/nowhere/server"}, code: 127, says: []string{"/nowhere/server"}},
		{name: "not executable", command: []string{plain}, code: 126, says: []string{plain}},
		{name: "a folder", command: []string{dir}, code: 126, says: []string{dir}},
		{name: "no program", options: []string{"--lazy=false", "--mode=proxy"}, command: []string{text}, tried: true, code: 126, says: []string{text}},
		{name: "no interpreter", options: []string{"--lazy=false"}, command: []string{binary}, tried: true, code: 127, says: []string{binary}},
		{name: "not found, lazy or not", options: []string{"--lazy=false"}, command: []string{"./server"}, code: 127, says: []string{"./server"}},
	})
}

func TestBadSockets(t *testing.T) {
	t.Parallel()
	_, taken := program.Listener(t)
	refused(t, []refusal{
		{name: "none", sockets: []string{}, code: 78, says: []string{"no socket", "--listen"}},
		{name: "map of none", options: []string{"--map=8080=mail"}, code: 78, says: []string{"8080=mail", "there is no socket mail", "web"}},
		{name: "map of a second", options: []string{"--map=8080=web[1]"}, code: 78, says: []string{"web[1]"}},
		{name: "two maps for one bind", sockets: []string{"web", "blog"}, options: []string{"--map=8080=web", "--map=8080=blog"}, code: 78, says: []string{"8080=web", "8080=blog", "same bind"}},
		{name: "one name for two", sockets: []string{"web", "web"}, options: []string{"--map=8080=web"}, code: 78, says: []string{"8080=web", "web[0]"}},
		{name: "not passed", options: []string{"--listen=systemd:mail"}, code: 78, says: []string{"mail"}},
		{name: "no such descriptor", sockets: []string{}, options: []string{"--fd=77"}, code: 78, says: []string{"77"}},
		{name: "PROXY to be read", options: []string{"--listen=systemd:web?proxy=v1"}, code: 78, says: []string{"?proxy="}},
		{name: "no such address", sockets: []string{}, options: []string{"--listen=tcp:192.0.2.1:80"}, code: 78, says: []string{"192.0.2.1:80"}},
		{name: "port in use", sockets: []string{}, options: []string{"--listen=tcp:" + taken}, code: 1, says: []string{taken, "in use"}},
	})
}

func TestBadOptions(t *testing.T) {
	t.Parallel()
	var all []refusal
	for _, c := range []struct {
		option string
		values []string
		says   string
	}{
		{"listen", []string{"port:80", "fd:x", "tcp:80:80:80", "udp:x"}, ""},
		{"fd", []string{"three", "-1", ""}, "not a number"},
		{"map", []string{"8080", "=web", "8080=", "80/sctp=web", "0=web", "99999=web", "host:80=web", "[::1:80=web"}, "map"},
		{"family", []string{"ipv4", "Any"}, "exact, any"},
		{"mode", []string{"preload", "LISTENER"}, "auto, listener, translate, proxy"},
		{"as", []string{"launchd", "sytemd"}, "systemd"},
		{"proxy-protocol", []string{"v3", "1", "any"}, "v1, v2"},
		{"getsockname", []string{"true", "always"}, "auto, yes, no"},
		{"no-new-privs", []string{"true", "maybe"}, "auto, yes, no"},
		{"no-io-uring", []string{"yes", "1"}, "true or false"},
		{"pass-notify", []string{"yes", "1"}, "true or false"},
		{"lazy", []string{"yes", "maybe"}, "true"},
		{"idle-stop", []string{"soon", "-5s", "1x"}, "time span"},
		{"start-timeout", []string{"soon", "-5s"}, "time span"},
		{"stop-timeout", []string{"soon", "-5s"}, "time span"},
		{"stop-signal", []string{"SIGNAL", "0", "99", "-1"}, "signal"},
		{"reload-signal", []string{"RELOAD", "0", "99"}, "signal"},
		{"reload", []string{"graceful", "hup"}, "signal, overlap, restart"},
		{"log-level", []string{"loud"}, "error, warn, info"},
		{"log-format", []string{"xml"}, "json"},
		{"config-file", []string{"/nowhere/run.toml", "/etc/passwd"}, ""},
	} {
		for _, value := range c.values {
			variable := "ROUSE_RUN_" + strings.ToUpper(strings.ReplaceAll(c.option, "-", "_"))
			code := 2
			if c.option == "config-file" && strings.HasSuffix(value, ".toml") {
				code = 78
			}
			all = append(all, refusal{name: "--" + c.option + "=" + value, options: []string{"--" + c.option + "=" + value}, code: code, says: []string{"--" + c.option, c.says}})
			if value != "" {
				all = append(all, refusal{name: variable + "=" + value, env: []string{variable + "=" + value}, code: 78, says: []string{variable, c.says}})
			}
		}
	}
	refused(t, all)
}

func TestBadCommandLines(t *testing.T) {
	t.Parallel()
	refused(t, []refusal{
		{name: "no such option", options: []string{"--idle=5m"}, code: 2, says: []string{"no option --idle", "rouse run --help"}},
		{name: "misspelled", options: []string{"--idle-stopp=5m"}, code: 2, says: []string{"did you mean --idle-stop?"}},
		{name: "short one", options: []string{"-z"}, code: 2, says: []string{"-z"}},
		{name: "without value", options: []string{"--idle-stop"}, command: []string{}, code: 2, says: []string{"--idle-stop needs a value"}},
		{name: "listen and fd", options: []string{"--listen=systemd:web", "--fd=0"}, code: 2, says: []string{"--listen", "--fd"}},
		{name: "as and mode", options: []string{"--as=systemd", "--mode=proxy"}, code: 2, says: []string{"--as", "--mode"}},
		{name: "as and map", options: []string{"--as=systemd", "--map=80=web"}, code: 2, says: []string{"--as", "--map"}},
		{name: "as and map, one by variable", options: []string{"--as=systemd"}, env: []string{"ROUSE_RUN_MAP=80=web"}, code: 78, says: []string{"--as", "ROUSE_RUN_MAP"}},
		{name: "PROXY without a proxy", options: []string{"--mode=listener", "--proxy-protocol=v1"}, code: 2, says: []string{"--proxy-protocol", "--mode"}},
		{name: "--json alone", options: []string{"--json"}, code: 2, says: []string{"--explain"}},
		{name: "control characters", options: []string{"--mode=a\nb\x1b[31m"}, code: 2, says: []string{`--mode`}},
	})
	t.Run("a variable of no option", func(t *testing.T) {
		t.Parallel()
		s := newService(t)
		s.env = []string{"ROUSE_RUN_IDLE_STOPP=5m"}
		p := s.run("", "-tcp", s.other)
		s.pid()
		p.Stderr.WaitFor(`ROUSE_RUN_IDLE_STOPP .*did you mean ROUSE_RUN_IDLE_STOP\?`, limit)
		stop(t, p)
	})
}

// Without this an idle stop without anything to count would stop a server in the midst of its work.
func TestIdleStopNeedsStreams(t *testing.T) {
	t.Parallel()
	s := &service{t: t}
	s.holdPackets("packets")
	p := s.run("--idle-stop=1m", "-udp", "127.0.0.1:0")
	exit(t, p, 78)
	oneLine(t, p, "--idle-stop", "stream")
}

// Without this one would not know what to change where listener mode was asked for and cannot be had.
func TestNoNewPrivilegesNotAllowed(t *testing.T) {
	t.Parallel()
	s := newService(t)
	if os.Getuid() == 0 {
		s.through = privileges(t, "--reuid=65534", "--regid=65534", "--clear-groups")
	}
	p := s.run("--mode=listener --no-new-privs=no", "-tcp", s.other)
	exit(t, p, 78)
	oneLine(t, p, "no_new_privs", "CAP_SYS_ADMIN")
	p = s.run("--no-new-privs=no", "-tcp", s.other)
	s.pid()
	p.Stderr.WaitFor(`mode: proxy .*no_new_privs`, limit)
	stop(t, p)
}

// Without this setuid programs that a server starts would stop working without need, or go on working against one's will.
func TestNoNewPrivileges(t *testing.T) {
	t.Parallel()
	needsListener(t)
	needsRoot(t)
	for option, want := range map[string]string{"auto": "NoNewPrivs:\t0", "yes": "NoNewPrivs:\t1", "no": "NoNewPrivs:\t0"} {
		t.Run(option, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			p := s.run("--mode=listener --no-new-privs="+option, "-tcp", s.other)
			says(t, s.ask("/status"), want)
			stop(t, p)
		})
	}
}
