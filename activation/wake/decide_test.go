package wake

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/platform"
	"github.com/rouse-server/rouse/platform/seccomp"
)

// knocking is a configuration with one passed socket, for a program of this name.
func knocking(t *testing.T, name string) Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	h := heldTCP("web", "systemd:web", "127.0.0.1:80")
	h.Passed = true
	return Config{Command: []string{name}, Path: path, Sockets: []activation.Held{h}, Lazy: true}
}

func TestDecide(t *testing.T) {
	tests := []struct {
		name    string
		program string
		change  func(*Config)
		mode    Mode
		adapter string
		why     string
	}{
		{"asks", "gunicorn", func(*Config) {}, Translate, "systemd", "as systemd: gunicorn asks for its sockets itself"},
		{"asks, but idle", "gunicorn", func(c *Config) { c.IdleStop = time.Minute }, "", "", ""},
		{"asks, but is to be lazy", "gunicorn", func(c *Config) { c.LazyAsked = true }, "", "", ""},
		{"nginx does not ask", "nginx", func(*Config) {}, "", "", ""},
		{"unknown", "x", func(*Config) {}, "", "", ""},
		{"forced", "x", func(c *Config) { c.Mode = Translate }, Translate, "systemd", "as systemd, the usual scheme"},
		{"forced, known", "nginx", func(c *Config) { c.Mode = Translate }, Translate, "nginx", "as nginx, which nginx knows"},
		{"named", "nginx", func(c *Config) { c.As = "argv" }, Translate, "argv", "as argv, which --as says"},
		{"header", "gunicorn", func(c *Config) { c.ProxyWith = "v2" }, Proxy, "", "--proxy-protocol asks for it"},
		{"proxy", "gunicorn", func(c *Config) { c.Mode = Proxy }, Proxy, "", "as --mode says"},
	}
	for _, test := range tests {
		c := knocking(t, test.program)
		test.change(&c)
		d, err := c.decide()
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if test.mode == "" { // as the kernel allows
			if d.adapter != "" || d.mode != Proxy && d.mode != Listener || d.mode == Proxy && !strings.HasPrefix(d.why, "no listener mode: ") {
				t.Errorf("%s: %+v", test.name, d)
			}
			continue
		}
		if d != (decision{test.mode, test.adapter, test.why}) {
			t.Errorf("%s: %+v", test.name, d)
		}
	}
}

func TestDecideByKernel(t *testing.T) {
	_, err := seccomp.Probe(seccomp.Auto)
	d, _ := knocking(t, "x").decide()
	if possible := err == nil && noReading() == ""; possible != (d.mode == Listener) {
		t.Errorf("seccomp says %v, and the decision is %+v", err, d)
	}
}

func TestDecideRefuses(t *testing.T) {
	tests := []struct {
		change  func(*Config)
		message string
	}{
		{func(c *Config) { c.Sockets = nil }, "there is no socket to give to x: start rouse by a socket unit"},
		{func(c *Config) { c.Sockets = []activation.Held{heldUDP("0.0.0.0:53")}; c.IdleStop = time.Second }, "it needs a stream socket"},
		{func(c *Config) { c.Mode, c.IdleStop, c.Maps = Translate, time.Second, []Map{{}} }, "nobody is left for --idle-stop, --map: leave that out"},
		{func(c *Config) { c.As, c.LazyAsked = "nginx", true }, "nobody is left for --lazy"},
		{func(c *Config) { c.As = "smoke" }, "--as=smoke: there are systemd"},
	}
	if runtime.GOOS != "linux" {
		tests = append(tests, struct {
			change  func(*Config)
			message string
		}{func(c *Config) { c.Mode = Listener }, "--mode=listener cannot be had: it needs Linux"})
	}
	for _, test := range tests {
		c := knocking(t, "x")
		test.change(&c)
		_, err := c.decide()
		var refusal Refused
		if !errors.As(err, &refusal) || !strings.Contains(err.Error(), test.message) {
			t.Errorf("%v, want %s", err, test.message)
		}
	}
}

// A 32-bit program's calls pass a filter for 64-bit ones.
func TestDecideForeign(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("listener mode is Linux's")
	}
	c := knocking(t, "x")
	head := append([]byte("\x7fELF\x01\x01\x01"), make([]byte, 45)...)
	head[16], head[18] = 2, 3 // ET_EXEC, EM_386
	if err := os.WriteFile(c.Path, head, 0o755); err != nil {
		t.Fatal(err)
	}
	d, err := c.decide()
	if err != nil || d.mode != Proxy || !strings.Contains(d.why, "32-bit") {
		t.Errorf("%+v, %v", d, err)
	}
	c.Mode = Listener
	if _, err := c.decide(); err == nil || !strings.Contains(err.Error(), "--mode=listener cannot be had") {
		t.Error(err)
	}
}

func TestExplain(t *testing.T) {
	c := knocking(t, "nginx")
	c.Command = append(c.Command, "-q")
	e := Explain(c)
	if e.Program != "nginx" || e.StopSignal != "SIGQUIT" || e.ReloadSignal != "SIGHUP" || e.Mode == "" || e.Why == "" {
		t.Errorf("%+v", e)
	}
	if len(e.Sockets) != 1 || e.Sockets[0] != (ExplainedSocket{"systemd:web", "web", 40, activation.Listener, "127.0.0.1:80", false}) {
		t.Errorf("%+v", e.Sockets)
	}
	if len(e.System) == 0 {
		t.Error("nothing of the system")
	}
	for _, fact := range e.System {
		if fact.Name == "" || fact.Value == "" || fact.Means == "" {
			t.Errorf("%+v", fact)
		}
	}
	text, err := json.Marshal(Explain(Config{Command: []string{"/nowhere/x"}}))
	for _, part := range []string{`"sockets":[]`, `"maps":[]`, `"why":"there is no socket to give to x`, `"notices":["/nowhere/x is not there`} {
		if err != nil || !strings.Contains(string(text), part) {
			t.Errorf("%s (%v), want %s", text, err, part)
		}
	}
}

func TestExplainNotices(t *testing.T) {
	dual, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer dual.Close()
	f, err := dual.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := platform.Describe(int(f.Fd()))
	if err != nil || info.Family != platform.IPv6 {
		t.Skip("no IPv6 here: ", err)
	}
	both := activation.Held{Name: "web", Source: "systemd:web", Number: int(f.Fd()), Kind: activation.Listener, Info: info, Passed: true}
	c := knocking(t, "x")
	c.Sockets = append([]activation.Held{both}, c.Sockets...)
	c.Sockets = append(c.Sockets, heldUnix("/run/x.sock"))
	notices := strings.Join(c.notices(decision{mode: Listener}, Program{}, newSockets(c.Sockets)), "\n")
	for _, part := range []string{"or --family=any", "there are 2 tcp ports and no map", "is a unix socket"} {
		if !strings.Contains(notices, part) {
			t.Errorf("%s\nwant %s", notices, part)
		}
	}
	c.AnyFamily, c.Sockets = true, c.Sockets[:1]
	if notices := c.notices(decision{mode: Listener}, Program{}, newSockets(c.Sockets)); len(notices) != 0 {
		t.Error(notices)
	}
}

// What Run would refuse is told as it would tell it, and no mode: nothing would be started.
func TestExplainRefusal(t *testing.T) {
	for want, change := range map[string]func(*Config){
		"no argument says where the descriptor belongs": func(c *Config) { c.As = "argv" },
		"there is no socket mail":                       func(c *Config) { c.Maps = []Map{{Text: "25=mail", Bind: "25", Socket: "mail"}} },
		"UDP socket":                                    func(c *Config) { c.Mode, c.Sockets = Proxy, []activation.Held{heldUDP("127.0.0.1:53")} },
	} {
		c := knocking(t, "x")
		change(&c)
		if e := Explain(c); e.Mode != "" || e.Adapter != "" || !strings.Contains(e.Why, want) || strings.Contains(strings.Join(e.Notices, "\n"), want) {
			t.Errorf("%+v, want %s", e, want)
		}
	}
}
