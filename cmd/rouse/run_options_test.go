package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/activation/wake"
)

// readRun reads the options of `rouse run`, with variables set as NAME=value.
func readRun(t *testing.T, env []string, args ...string) (*running, *subcommand, []string, error) {
	t.Helper()
	set(t, env...)
	r, s := runOptions()
	rest, err := s.read(args)
	return r, s, rest, err
}

func TestRunOptionsEndWithTheProgram(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"nginx -g x", "nginx -g x"},
		{"--idle-stop 5m nginx --idle-stop 1m", "nginx --idle-stop 1m"},
		{"--lazy nginx", "nginx"},
		{"--lazy=false -- --odd", "--odd"},
		{"--map 80=web --map 443=secure -- caddy run -- x", "caddy run -- x"},
	} {
		_, _, rest, err := readRun(t, nil, strings.Fields(c.args)...)
		if err != nil || strings.Join(rest, " ") != c.want {
			t.Errorf("%s: %q, %v", c.args, rest, err)
		}
	}
}

func TestRunOptionsInLayers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.toml")
	text := "command = [\"caddy\", \"run\"]\nidle-stop = \"1m\"\nstop-signal = \"QUIT\"\nmap = [\"80=web\", \"443=secure\"]\nno-io-uring = true\nstop-timeout = 20\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r, s, rest, err := readRun(t, []string{"ROUSE_RUN_CONFIG_FILE=" + path, "ROUSE_RUN_IDLE_STOP=2m", "ROUSE_RUN_STOP_SIGNAL=INT", "ROUSE_RUN_IDEL_STOP=1"}, "--idle-stop=3m")
	if err != nil {
		t.Fatal(err)
	}
	if time.Duration(r.IdleStop) != 3*time.Minute || syscall.Signal(r.StopSignal) != syscall.SIGINT || time.Duration(r.StopTimeout) != 20*time.Second ||
		!slices.Equal(r.Map, []string{"80=web", "443=secure"}) || !r.NoURing || len(rest) > 0 || !slices.Equal(s.command, []string{"caddy", "run"}) {
		t.Errorf("%+v, %q, %q", r, rest, s.command)
	}
	if len(s.notices) != 1 || !strings.Contains(s.notices[0], "ROUSE_RUN_IDLE_STOP?") {
		t.Errorf("%q", s.notices)
	}
	// A list on the command line replaces that of the file, and all its values hold.
	r, _, _, err = readRun(t, nil, "--map", "1=a", "--map", "2=b,3=c")
	if err != nil || !slices.Equal(r.Map, []string{"1=a", "2=b", "3=c"}) {
		t.Errorf("%q, %v", r.Map, err)
	}
}

func TestRunFileOfOptions(t *testing.T) {
	for text, want := range map[string]string{
		"idle-stop = \"soon\"":  ":1: idle-stop = \"soon\": not a time span",
		"\nidle-stpo = \"5m\"":  ":2: idle-stpo is not a key of rouse run (did you mean idle-stop?)",
		"command = \"nginx\"":   ":1: command is not an array",
		"command = []":          ":1: command is not an array",
		"explain = true":        ":1: explain is not a key",
		"lazy = \"perhaps\"":    ":1: lazy = \"perhaps\": not one of true, false",
		"[run]\nlazy = true":    ":1: run is not a key of rouse run",
		"stop-signal = \"NO\"":  "not a signal such as TERM, QUIT or 15",
		"reload = \"overlapp\"": "not one of signal, overlap, restart (did you mean overlap?)",
	} {
		path := filepath.Join(t.TempDir(), "run.toml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		code, out, errs := rouse(t, nil, "run", "--config-file", path, "true")
		if code != exitConfig || out != "" || !strings.Contains(errs, want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%q: %d, %s", text, code, errs)
		}
	}
}

// Options that mean nothing are refused: 2 where the command line alone is wrong, else 78.
func TestRunRefusesOptions(t *testing.T) {
	for _, c := range []struct {
		env  string
		args string
		code int
		want string
	}{
		{"", "", exitUsage, "rouse run needs a program"},
		{"", "--", exitUsage, "rouse run needs a program"},
		{"", "--idle-stpo 5m true", exitUsage, "there is no option --idle-stpo (did you mean --idle-stop?): rouse run --help"},
		{"", "-z true", exitUsage, "there is no option -z"},
		{"", "--idle-stop", exitUsage, "--idle-stop needs a value"},
		{"", "--idle-stop=-1s true", exitUsage, "not a time span"},
		{"", "--stop-signal 99 true", exitUsage, "not a signal"},
		{"", "--mode listner true", exitUsage, "not one of auto, listener, translate, proxy (did you mean listener?)"},
		{"", "--map 80 true", exitUsage, "--map"},
		{"", "--listen nowhere true", exitUsage, "--listen"},
		{"", "--as systemd --mode proxy true", exitUsage, "--as is for --mode=translate"},
		{"", "--as argv --map 80=web true", exitUsage, "exclude each other"},
		{"", "--proxy-protocol v2 --mode listener true", exitUsage, "is for --mode=proxy"},
		{"", "--listen tcp:127.0.0.1:0 --fd 0 true", exitUsage, "exclude each other"},
		{"", "--json true", exitUsage, "--json is for --explain"},
		{"", "--config-file none.toml true", exitConfig, "none.toml: there is no such file"},
		{"", "--config-file none true", exitUsage, "ends in .toml"},
		{"ROUSE_RUN_IDLE_STOP=soon", "true", exitConfig, "ROUSE_RUN_IDLE_STOP=soon: not a time span"},
		{"ROUSE_RUN_AS=systemd", "--mode proxy true", exitConfig, "ROUSE_RUN_AS is for --mode=translate"},
		{"ROUSE_RUN_MAP=80", "true", exitConfig, "ROUSE_RUN_MAP"},
	} {
		t.Run(c.env+" "+c.args, func(t *testing.T) {
			var env []string
			if c.env != "" {
				env = []string{c.env}
			}
			code, out, errs := rouse(t, env, append([]string{"run"}, strings.Fields(c.args)...)...)
			if code != c.code || out != "" || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") != 1 {
				t.Errorf("%d, %s, want %d, %s", code, errs, c.code, c.want)
			}
		})
	}
}

func TestSignalNames(t *testing.T) {
	for text, want := range map[string]syscall.Signal{"TERM": syscall.SIGTERM, "sigquit": syscall.SIGQUIT, "15": syscall.SIGTERM, "WINCH": syscall.SIGWINCH, "usr1": syscall.SIGUSR1} {
		var s signalName
		if err := s.Set(text); err != nil || syscall.Signal(s) != want {
			t.Errorf("%s: %v, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "0", "TERMINATE", "-9", "SIG", "1000"} {
		var s signalName
		if err := s.Set(text); err == nil {
			t.Errorf("%q is %v", text, s)
		}
	}
}

// The file of options that rouse-run(1) shows is understood.
func TestRunManualExample(t *testing.T) {
	_, rest, _ := strings.Cut(runPage, ".Ic command\n")
	_, rest, _ = strings.Cut(rest, ".Bd -literal -offset indent\n")
	text, _, found := strings.Cut(rest, ".Ed\n")
	if !found {
		t.Fatal("rouse-run.1.in has no example of a file of options")
	}
	path := filepath.Join(t.TempDir(), "run.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r, s, _, err := readRun(t, nil, "--config-file", path)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.command, []string{"nginx", "-g", "daemon off;"}) || time.Duration(r.IdleStop) != 10*time.Minute || !slices.Equal(r.Map, []string{"8080=web"}) {
		t.Errorf("%q, %+v", s.command, r)
	}
}

// Each socket and each fact is a line, in columns; what is printed cannot act on a terminal.
func TestExplanationForPeople(t *testing.T) {
	var b strings.Builder
	err := writeExplanation(&b, wake.Explanation{
		Command: []string{"nginx", "-g\x1b[2J"}, Path: "/usr/sbin/nginx", Lazy: true, StopSignal: "SIGQUIT", ReloadSignal: "SIGHUP",
		Mode: wake.Listener, Why: "because", Maps: []string{"8080=web"},
		Sockets: []wake.ExplainedSocket{
			{Source: "systemd:web", Name: "web", Number: 3, Kind: activation.Listener, Address: "[::]:80", Dual: true},
			{Source: "udp:127.0.0.1:53", Number: 14, Kind: activation.Packet, Address: "127.0.0.1:53"},
		},
		System:  []wake.Fact{{Name: "kernel", Value: "6.1", Means: "new enough"}},
		Notices: []string{"one thing"},
	})
	want := `program   nginx -g\x1b[2J (/usr/sbin/nginx)
mode      listener (because)
starts    when a client knocks
signals   SIGQUIT stops it, SIGHUP reloads it
map       8080=web
socket    web     systemd:web       listener, descriptor 3  [::]:80 and IPv4
socket    -       udp:127.0.0.1:53  packet, descriptor 14   127.0.0.1:53
system    kernel  6.1               new enough
notice    one thing
`
	if err != nil || b.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, b.String(), want)
	}
	b.Reset()
	err = writeExplanation(&b, wake.Explanation{Command: []string{"x"}, Why: "there is no socket"})
	if want := "program   x (not found)\nmode      none: there is no socket\n"; err != nil || b.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, b.String(), want)
	}
}

// What programs read has arrays where there is nothing, and tells of misspelled variables too.
func TestExplainForPrograms(t *testing.T) {
	code, out, errs := rouse(t, nil, "run", "--explain", "--json", "true")
	if code != 0 || errs != "" || !strings.Contains(out, `"notices": []`) || !strings.Contains(out, `"sockets": []`) {
		t.Errorf("%d, %s%s", code, out, errs)
	}
	code, out, errs = rouse(t, []string{"ROUSE_RUN_IDEL_STOP=1"}, "run", "--explain", "--json", "true")
	if code != 0 || errs != "" || !strings.Contains(out, "ROUSE_RUN_IDLE_STOP?") {
		t.Errorf("%d, %s%s", code, out, errs)
	}
}

// To ask for sleep is to ask for somebody beside the program; as the default of passed sockets it is not.
func TestLazyAsked(t *testing.T) {
	passed := []activation.Held{{Passed: true}}
	for _, c := range []struct {
		args        string
		held        []activation.Held
		lazy, asked bool
	}{{"true", passed, true, false}, {"--lazy true", passed, true, true}, {"--lazy=false true", passed, false, false}, {"true", nil, false, false}, {"--lazy true", nil, true, true}} {
		r, s, command, err := readRun(t, nil, strings.Fields(c.args)...)
		if err != nil {
			t.Fatal(err)
		}
		config, err := r.wakeConfig(s, command, c.held)
		if err != nil || config.Lazy != c.lazy || config.LazyAsked != c.asked {
			t.Errorf("%s: %v, %v, %v", c.args, config.Lazy, config.LazyAsked, err)
		}
	}
}
