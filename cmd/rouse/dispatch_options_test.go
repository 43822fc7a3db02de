package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/activation/route"
)

const someRules = `fallback = "blog"
[listeners.web]
address = "tcp:127.0.0.1:0"
[backends.blog]
[backends.app]
connect = "127.0.0.1:8080"
[[routes]]
name = "office"
client = "192.0.2.0/24"
to = "app"
`

func writeRules(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "dispatch.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Options that mean nothing are refused: 2 where the command line alone is wrong, else 78.
func TestDispatchRefusesOptions(t *testing.T) {
	rules, wrong := writeRules(t, someRules), writeRules(t, "engine = \"kernal\"\n"+someRules)
	for _, c := range []struct {
		env, args string
		code      int
		want      string
	}{
		{"", "--config none.toml", exitConfig, "--config none.toml: there is no such file"},
		{"ROUSE_DISPATCH_CONFIG=none.toml", "", exitConfig, "ROUSE_DISPATCH_CONFIG none.toml: there is no such file"},
		{"", "--engien kernel", exitUsage, "there is no option --engien (did you mean --engine?): rouse dispatch --help"},
		{"", "--engine kernal", exitUsage, "not one of auto, kernel, hand-over (did you mean kernel?)"},
		{"", "--check --status", exitUsage, "exclude each other"},
		{"", "--json", exitUsage, "--json is for --explain and --status"},
		{"", "--listen web=tcp:1 --fd 0", exitUsage, "exclude each other"},
		{"", "site", exitUsage, `takes no "site"`},
		{"", "--config RULES --explain client", exitUsage, "--explain: "},
		{"", "--config RULES --explain listener=none", exitUsage, "listener=none is none of"},
		{"", "--config RULES --listen nowhere", exitUsage, "--listen"},
		{"", "--status --socket /nowhere/dispatch.sock", exitFailed, "no dispatcher answers there"},
		{"", "--config WRONG --check", exitConfig, "dispatch.toml:1: engine = kernal: not one of auto, kernel, hand-over (did you mean kernel?)"},
		{"ROUSE_DISPATCH_ENGINE=x", "--check", exitConfig, "ROUSE_DISPATCH_ENGINE=x"},
		{"", "--config RULES --check --metrics 9180", exitUsage, `--metrics: "9180" is not an address`},
		{"ROUSE_DISPATCH_METRICS=9180", "--config RULES --check", exitConfig, `ROUSE_DISPATCH_METRICS: "9180" is not an address`},
		{"", "--config RULES --check --pin here", exitUsage, "--pin here: write auto, no, or the path of a folder"},
		{"", "--config RULES --check --max-waiting 0", exitUsage, "--max-waiting 0: "},
		{"ROUSE_DISPATCH_HELLO_TIME=0", "--config RULES --check", exitConfig, "ROUSE_DISPATCH_HELLO_TIME 0: "},
		{"", "--config / --check", exitConfig, "/: it is a folder: name a file"},
	} {
		t.Run(c.env+" "+c.args, func(t *testing.T) {
			var env []string
			if c.env != "" {
				env = []string{c.env}
			}
			code, out, errs := rouse(t, env, append([]string{"dispatch"}, strings.Fields(strings.NewReplacer("RULES", rules, "WRONG", wrong).Replace(c.args))...)...)
			if code != c.code || out != "" || !strings.Contains(errs, c.want) || strings.Count(errs, "\n") != 1 {
				t.Errorf("%d, %s, want %d, %s", code, errs, c.code, c.want)
			}
		})
	}
}

func TestDispatchCheckAndExplain(t *testing.T) {
	rules := writeRules(t, someRules)
	code, out, errs := rouse(t, nil, "dispatch", "--config", rules, "--check")
	if code != 0 || errs != "" || !strings.HasSuffix(out, "is in order: 1 rule for 2 backends\n") {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
	code, out, errs = rouse(t, nil, "dispatch", "--config", rules, "--explain", "client=192.0.2.9 local=127.0.0.1:443")
	if code != 0 || errs != "" || !strings.Contains(out, "office") || !strings.Contains(out, "app") {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
	code, out, errs = rouse(t, nil, "dispatch", "--config", rules, "--explain", "client=198.51.100.1 local=127.0.0.1:443", "--json")
	if code != 0 || errs != "" || !strings.Contains(out, `"blog"`) {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
}

// All options of the file that are wrong are told, each with its line.
func TestDispatchCheckFindsOptions(t *testing.T) {
	rules := writeRules(t, "ack-time = \"soon\"\nengine = \"kernal\"\n"+someRules)
	code, out, errs := rouse(t, nil, "dispatch", "--config", rules, "--check")
	lines := strings.Split(errs, "\n")
	if code != exitConfig || out != "" || len(lines) != 3 || !strings.Contains(lines[0], "dispatch.toml:1: ack-time = soon") || !strings.Contains(lines[1], "dispatch.toml:2: engine = kernal") {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
}

// --socket is the dispatcher's own socket where the rules name none, and is not passed over in silence where they do.
func TestDispatchSocket(t *testing.T) {
	for text, want := range map[string]string{someRules: "/tmp/here", "socket = \"/tmp/there\"\n" + someRules: "/tmp/there"} {
		d, s := dispatchOptions()
		if _, err := s.read([]string{"--config", writeRules(t, text), "--socket", "/tmp/here"}); err != nil {
			t.Fatal(err)
		}
		rules, err := d.readRules(s)
		if err != nil || len(rules.Desks) != 1 || rules.Desks[0].Path != want {
			t.Errorf("%v, %v, want %s", rules.Desks, err, want)
		}
		if told := strings.Contains(strings.Join(rules.Notices, "\n"), "--socket /tmp/here is not used"); told != (want == "/tmp/there") {
			t.Error(rules.Notices)
		}
	}
}

// A mistake in the rules is one line with its place.
func TestDispatchCheckFindsMistakes(t *testing.T) {
	rules := writeRules(t, strings.Replace(someRules, `to = "app"`, `to = "apq"`, 1))
	code, out, errs := rouse(t, nil, "dispatch", "--config", rules, "--check")
	if code != exitConfig || out != "" || !strings.Contains(errs, "dispatch.toml:10:") || !strings.Contains(errs, "app") || strings.Count(errs, "\n") != 1 {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
}

func TestStatusForPeople(t *testing.T) {
	now := time.Now()
	var b strings.Builder
	err := writeStatus(&b, route.Status{
		Engine: "hand-over", Why: "asked for", Since: now.Add(-time.Minute), Reloads: 2,
		Listeners: []route.ListenerStatus{{Name: "web", Address: "[::]:443", Open: true, Accepted: 12, Waiting: 3, Errors: 1, Error: "too many open files"}},
		Routes:    []route.RouteStatus{{Name: "office", At: "d.toml:4", Backend: "app", Connections: 5}, {At: "d.toml:9"}},
		Backends: []route.BackendStatus{
			{Name: "app", Way: route.Relayed, Connections: 5},
			{Name: "blog", Way: route.Registers, Connections: 7, Waiting: 2, Oldest: 1.25, Drops: map[string]uint64{"waited in vain": 4},
				Sessions: []route.SessionStatus{{PID: 7, UID: 33, Credit: 128}, {PID: 8, UID: 33, Stalled: true, Unaccepted: 3, Oldest: 12}}},
			{Name: "shop", Way: route.Registers},
		},
	}, now)
	want := `engine hand-over (asked for), running for 1m0s, reloaded 2 times

LISTENER  ADDRESS   BACKEND  ACCEPTED  WAITING  ERRORS  
web       [::]:443  -        12        3        1       last error: too many open files

RULE    AT        BACKEND  CONNECTIONS  IN THE KERNEL
office  d.toml:4  app      5            0
2       d.toml:9  reject   0            0

BACKEND  WAY        CONNECTIONS  WAITING    DROPPED           PROCESSES
app      connect    5            0          -                 -
blog     registers  7            2 (1.2 s)  4 waited in vain  7 of user 33, credit 128; 8 of user 33, stalled, 3 unaccepted for 12 s
shop     registers  0            0          -                 none is registered
`
	if err != nil || b.String() != want {
		t.Errorf("%v\n%s\nwant\n%s", err, b.String(), want)
	}
}

func TestMetricsOfStatus(t *testing.T) {
	text := metricsOf(route.Status{
		Listeners: []route.ListenerStatus{{Name: "web", Address: "[::]:443", Accepted: 12, Waiting: -1}},
		Backends:  []route.BackendStatus{{Name: `b"l`, Connections: 7, Drops: map[string]uint64{"waited in vain": 4}, Sessions: []route.SessionStatus{{Credit: 2}, {Credit: 3}}}},
	})
	for _, want := range []string{
		"# TYPE rouse_dispatch_accepted_total counter\nrouse_dispatch_accepted_total{listener=\"web\",address=\"[::]:443\"} 12\n",
		`rouse_dispatch_delivered_total{backend="b\"l"} 7`, `rouse_dispatch_credit{backend="b\"l"} 5`,
		`rouse_dispatch_dropped_total{backend="b\"l",reason="waited in vain"} 4`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing from\n%s", want, text)
		}
	}
	if strings.Contains(text, "queued") {
		t.Errorf("a queue that nobody can see is told of:\n%s", text)
	}
}
