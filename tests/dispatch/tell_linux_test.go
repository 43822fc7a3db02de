package dispatch

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const explained = `fallback = "reject"
[listeners.web]
address = "tcp:[::]:443"
[sets]
office = ["192.0.2.0/24"]
[backends.blog]
[backends.app]
connect = "127.0.0.1:8080"
[[routes]]
name = "administration"
client = "@office"
port = "9000-9099"
to = "app"
[[routes]]
name = "names"
sni = "blog.example.org"
to = "blog"
[[routes]]
name = "one"
local = "2001:db8::80"
to = "app"
`

// Without this nobody could tell why a client gets what it gets.
func TestExplain(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "rules.toml")
	if err := os.WriteFile(file, []byte(explained), 0o644); err != nil {
		t.Fatal(err)
	}
	for client, want := range map[string]struct{ route, backend, at string }{
		"client=192.0.2.7 local=[2001:db8::1]:9001 sni=":                              {"administration", "app", ":9"},
		"client=192.0.2.7 local=[2001:db8::80]:443 sni=":                              {"one", "app", ":18"},
		"client=198.51.100.7 local=[2001:db8::80]:443 sni=blog.example.org":           {"names", "blog", ":14"},
		"client=198.51.100.7 local=203.0.113.1:443 sni=www.example.org":               {"fallback", "", ":1"},
		"client=198.51.100.7 local=203.0.113.1:443 listener=web sni=BLOG.example.org": {"names", "blog", ":14"},
	} {
		out, err := rouse(t, "dispatch", "--config", file, "--explain", client, "--json")
		var e struct {
			Route, Backend, At, Way, Kernel string
			Tried                           []struct{ Route, At, Why string }
		}
		if err != nil || json.Unmarshal([]byte(out), &e) != nil {
			t.Fatalf("%s: %v: %s", client, err, out)
		}
		if e.Route != want.route || e.Backend != want.backend || !strings.HasSuffix(e.At, want.at) || e.Way == "" || e.Kernel == "" {
			t.Errorf("%s: %s; want %+v", client, out, want)
		}
		for _, tried := range e.Tried {
			if tried.Why == "" {
				t.Errorf("%s: no reason at %+v", client, tried)
			}
		}
		text, err := rouse(t, "dispatch", "--config", file, "--explain", client)
		if err != nil || !strings.Contains(text, want.route) || !strings.Contains(text, want.backend) {
			t.Errorf("%s: %v: %s", client, err, text)
		}
	}
	for client, want := range map[string]string{
		"clint=192.0.2.7": `"client"|client`, "client=192.0.2.300": "192.0.2.300", "client=192.0.2.7 listener=wep": "wep", "nonsense": "nonsense",
	} {
		if out, err := rouse(t, "dispatch", "--config", file, "--explain", client); exitCode(err) != 2 || !regexp.MustCompile(want).MatchString(out) || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: %v: %s", client, err, out)
		}
	}
}

// Without this mistakes in rules would be found when clients come.
func TestCheck(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "rules.toml")
	check := func(text string) (string, int) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := rouse(t, "dispatch", "--check", "--config", file)
		if err == nil {
			return out, 0
		}
		return out, exitCode(err)
	}
	if out, code := check(explained); code != 0 || !strings.Contains(out, file+" is in order") {
		t.Errorf("%d: %s", code, out)
	}
	for name, c := range map[string]struct{ from, to, want string }{
		"unknown backend":  {`to = "blog"`, `to = "blok"`, `:17: to "blok": .*blog`},
		"unknown set":      {`"@office"`, `"@ofice"`, `:11: client "@ofice": .*office`},
		"unknown key":      {`sni =`, `snni =`, `:16: snni: .*sni`},
		"no address":       {`"2001:db8::80"`, `"2001:db8::8g"`, `:20: local "2001:db8::8g": .+`},
		"wrong way round":  {`"9000-9099"`, `"9099-9000"`, `:12: port "9099-9000": .+`},
		"no such listener": {"sni =", "listener = \"wep\"\nsni =", `:16: listener "wep": .*web`},
		"twice":            {"[backends.app]", "[backends.blog]", `:7: .*blog`},
		"not TOML":         {"[sets]", "[sets", `:4: .+`},
		"way twice":        {`connect =`, "handoff = \"/x\"\nconnect =", `rules.toml:\d+: .+`},
		"reject and to":    {`to = "blog"`, "to = \"blog\"\nreject = true", `rules.toml:1[3-7]: .+`},
	} {
		out, code := check(strings.Replace(explained, c.from, c.to, 1))
		if code != 78 || !regexp.MustCompile(c.want).MatchString(out) || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: %d: %s", name, code, out)
		}
	}
	several := strings.Replace(strings.Replace(explained, `to = "blog"`, `to = "blok"`, 1), "snni", "sni", 1)
	several = strings.Replace(several, `"@office"`, `"@ofice"`, 1)
	if out, code := check(several); code != 78 || strings.Count(out, "\n") != 2 {
		t.Errorf("%d: %s", code, out)
	}
	if out, code := check("[listeners.web]\naddress = \"tcp:[::]:443\"\n[backends.a]\n[[routes]]\nto = \"a\"\n[[routes]]\nclient = \"192.0.2.1\"\nto = \"a\"\n"); code != 0 || !strings.Contains(out, "notice: ") {
		t.Errorf("a rule that nobody reaches: %d: %s", code, out)
	}
}

// Without this nobody would see who waits, and why.
func TestStatusAndMetrics(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		at := fmt.Sprintf("127.0.0.1:%d", freePort())
		s := play(t, engine, "wait = \"200ms\"\nfallback = \"reject\"\n"+toTwo, "--metrics=tcp:"+at)
		b := s.backs("a", backendOptions{takes: connections, credit: 5})
		for range 3 {
			gets(t, "", s.at("127.0.0.2"), "a")
		}
		isRejected(t, "", s.at("127.0.0.3"))
		now := s.status()
		if now.Engine != engine {
			t.Errorf("the engine is %q", now.Engine)
		}
		for _, r := range now.Routes {
			if want := map[string]uint64{"route-1": 3, "route-2": 1, "fallback": 0}[r.Name]; max(r.Connections, r.Kernel) != want {
				t.Errorf("%+v; want %d", r, want)
			}
		}
		a := s.backend("a")
		if a.Connections != 3 || a.Waiting != 0 || len(a.Sessions) != 1 || a.Sessions[0].PID != b.Pid || a.Sessions[0].UID != 0 {
			t.Errorf("%+v", a)
		}
		until(t, "the credit is back", func() bool { return s.backend("a").Sessions[0].Credit == 5 })
		text, err := rouse(t, "dispatch", "--status", "--config", s.rules())
		if err != nil || !strings.Contains(text, "engine "+engine) || !strings.Contains(text, fmt.Sprint(b.Pid)) || !strings.Contains(text, "none is registered") {
			t.Errorf("%v: %s", err, text)
		}
		client := http.Client{Timeout: limit}
		answer, err := client.Get("http://" + at + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		figures, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		inKernel := map[string]int{"kernel": 3}[engine]
		for _, want := range []string{fmt.Sprintf(`rouse_dispatch_rule_kernel_total{rule="1",name="route-1",backend="a"} %d`, inKernel),
			`rouse_dispatch_delivered_total{backend="a"} 3`, `rouse_dispatch_credit{backend="a"} 5`, `rouse_dispatch_processes{backend="b"} 0`,
			`rouse_dispatch_dropped_total{backend="b",reason="[^"]+"} 1`} {
			if !regexp.MustCompile(`(?m)^` + want + `$`).Match(figures) {
				t.Errorf("no %s in\n%s", want, figures)
			}
		}
		b.Stop()
		stopped(t, s.Process)
	})
}

// Without this a reload would cost connections, or a mistake the old rules.
func TestReloadUnderLoad(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		rules := func(to string) string {
			return "fallback = \"" + to + "\"\n[listeners.web]\naddress = \"tcp:0.0.0.0:PORT\"\n[backends.a]\n[backends.b]\n"
		}
		s := play(t, engine, rules("a"))
		a, b := s.backs("a", backendOptions{takes: connections}), s.backs("b", backendOptions{takes: connections})
		l := ones(t, 16, greeted(s.at("127.0.0.1"), "a", "b"))
		for n := range 10 {
			l.more(50)
			to := []string{"b", "a"}[n%2]
			s.reload(rules(to))
			gets(t, "", s.at("127.0.0.1"), to)
		}
		s.write(rules("nobody"))
		s.Signal(1)
		s.Stderr.WaitFor(`the old ones are kept.*rules\.toml:2: fallback .*nobody`, limit)
		l.more(50)
		gets(t, "", s.at("127.0.0.1"), "a")
		// A listener that cannot be opened is a mistake too.
		s.write(rules("b") + "[listeners.more]\naddress = \"tcp:203.0.113.1:1\"\n")
		s.Signal(1)
		s.Stderr.WaitFor(`(?s)(the old ones are kept.*){2}`, limit)
		gets(t, "", s.at("127.0.0.1"), "a")
		// A new listener, and a new backend.
		s.reload(rules("b") + "[listeners.more]\naddress = \"tcp:127.0.0.1:PORT+1\"\n[backends.c]\n[[routes]]\nlistener = \"more\"\nto = \"c\"\n")
		c := s.backs("c", backendOptions{})
		gets(t, "", s.next("127.0.0.1", 1), "c")
		l.more(50)
		s.reload(rules("a"))
		if _, err := ask(s.next("127.0.0.1", 1)); err == nil {
			t.Error("a listener that is gone is served")
		}
		l.more(50)
		l.lostNone()
		for _, p := range []*backend{a, b, c} {
			p.Stop()
		}
		stopped(t, s.Process)
	})
}

// Without this the queue of a listener would be lost when the dispatcher is replaced.
func TestRestartOfTheDispatcher(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "index.html"), []byte("hello"), 0o644); err != nil {
			t.Fatal(err)
		}
		rules := "fallback = \"b\"\n[listeners.web]\naddress = \"fd:3\"\n[backends.a]\n[backends.b]\n[[routes]]\nclient = \"127.0.0.9\"\nto = \"b\"\n[[routes]]\nlocal = \"127.0.0.0/8\"\nto = \"a\"\n"
		options := []string{}
		if engine == "kernel" {
			options = append(options, "--pin="+pinFolder(t))
		}
		s := set(t, engine, rules, options...)
		s.files, s.port = heldListener(t)
		s.start()
		serve := startServe(t, s.desk, "a", folder)
		s.registered("a", 1)
		l := ones(t, 8, page(s.at("127.0.0.1"), "hello"))
		for range 3 {
			l.more(100)
			stopped(t, s.Process)
			if engine == "kernel" {
				l.more(20) // nothing of rouse's dispatcher is there now
			}
			s.start()
			s.registered("a", 1)
		}
		l.more(100)
		if engine == "kernel" {
			s.Signal(9)
			s.Wait(limit)
			l.more(100)
			s.start()
			s.registered("a", 1)
			l.more(100)
		}
		l.lostNone()
		stopped(t, serve)
		stopped(t, s.Process)
	})
}

// Without this the rules of a dispatcher that has ended would reject the clients of the server that has its port next.
func TestEndLeavesThePort(t *testing.T) {
	t.Parallel()
	pin := pinFolder(t)
	s := play(t, "kernel", "[listeners.web]\naddress = \"tcp:0.0.0.0:PORT\"\n[backends.a]\n[[routes]]\nclient = \"192.0.2.1\"\nto = \"a\"\n", "--pin="+pin)
	stopped(t, s.Process)
	if left, _ := filepath.Glob(filepath.Join(pin, "*", "*")); len(left) > 0 {
		t.Error("what nobody has is pinned:", left)
	}
	l, err := net.Listen("tcp4", s.at("0.0.0.0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.DialTimeout("tcp4", s.at("127.0.0.1"), limit)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// Without this a restart of `rouse serve` behind a dispatcher would cost requests.
func TestRestartOfServe(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "index.html"), []byte("hello"), 0o644); err != nil {
			t.Fatal(err)
		}
		s := play(t, engine, toOne)
		serve := startServe(t, s.desk, "a", folder)
		l := ones(t, 8, page(s.at("127.0.0.1"), "hello"))
		for n := range 3 {
			l.more(100)
			if n == 0 {
				next := startServe(t, s.desk, "a", folder)
				s.registered("a", 2)
				stopped(t, serve)
				serve = next
				continue
			}
			stopped(t, serve)
			serve = startServe(t, s.desk, "a", folder)
		}
		l.more(100)
		l.lostNone()
		stopped(t, serve)
		stopped(t, s.Process)
	})
}
