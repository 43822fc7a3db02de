package route

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// rules writes a file and reads it.
func rules(t *testing.T, name, text string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := ReadFile(path)
	for i, notice := range c.Notices {
		c.Notices[i] = strings.ReplaceAll(notice, path, name)
	}
	return c, err
}

const whole = `
socket = { path = "/run/site.sock", mode = "0660", owner = 0, group = "0" }
wait = "20s"
fallback = "blog"

[listeners.web]
address = ["tcp:[::]:443", "udp:[::]:443", "systemd:web"]
proxy = "v2"
[listeners.mail]
address = "tcp:0.0.0.0:25"
interface = "lo"
backlog = 100

[sets]
home = ["10.0.0.1", "@office"]
office = ["192.0.2.0/24", "2001:db8::/ffff:ffff::"] # any mask

[backends.blog]
user = ["root", 33]
group = 0
takes = "listener"
wait = "1m30s"
slot = 3
[backends.old]
handoff = "/run/old/{local.7}_{port}.sock"
[backends.inherited]
handoff = "fd:5"
[backends.app]
connect = ["127.0.0.1:8080", "unix:/run/app.sock"]
proxy-protocol = "v1"
[backends.ftp.network]
listen = "any:20000-20999"
connect = ["@office:25", "[2001:db8::1]:80", "2001:db8::/32:81"]

[[routes]]
name = "staff"
listener = ["web", "mail"]
local = "2001:db8::1"
client = ["@home", "any"]
port = [443, "8000-8999"]
client-port = 1024
sni = ["*.Example.org", "example.org", ""]
alpn = "h2"
to = "app"

[[routes]]
client = "@office"
to = "old"

[[routes]]
port = "80"
reject = true
`

func TestTOML(t *testing.T) {
	c, err := rules(t, "rules.toml", whole)
	if err != nil {
		t.Fatal(err)
	}
	if d := c.Desks; len(d) != 1 || d[0].Path != "/run/site.sock" || d[0].Mode != 0o660 || d[0].Owner != 0 || d[0].Group != 0 {
		t.Errorf("desks %+v", d)
	}
	if l := c.Listeners; len(l) != 2 ||
		!reflect.DeepEqual(l[0].Addresses, []string{"tcp:[::]:443?proxy=v2", "udp:[::]:443", "systemd:web?proxy=v2"}) ||
		!reflect.DeepEqual(l[1].Addresses, []string{"tcp:0.0.0.0:25?interface=lo&backlog=100"}) || l[1].At.Line != 9 {
		t.Errorf("listeners %+v", l)
	}
	slot := uint32(3)
	at := func(line int) Position { return Position{c.File, line} }
	office, _, _ := parsePrefix("192.0.2.0/24")
	sea, _, _ := parsePrefix("2001:db8::/32")
	one, _, _ := parsePrefix("2001:db8::1")
	ten, _, _ := parsePrefix("10.0.0.1")
	wantBackends := []Backend{
		{Name: "blog", At: at(18), Way: Registers, Users: []uint32{0, 33}, Groups: []uint32{0}, Slot: &slot, Takes: Listeners, Patience: 90 * time.Second},
		{Name: "old", At: at(24), Way: Datagrams, Takes: Either, Path: "/run/old/{local.7}_{port}.sock", Patience: 20 * time.Second},
		{Name: "inherited", At: at(26), Way: Datagrams, Takes: Either, Carrier: 5, Patience: 20 * time.Second},
		{Name: "app", At: at(28), Way: Relayed, Takes: Either, Connect: []string{"127.0.0.1:8080", "unix:/run/app.sock"}, Header: "v1", Patience: 20 * time.Second},
		{Name: "ftp", At: at(31), Way: Registers, Takes: Either, Patience: 20 * time.Second, Network: &Network{At: at(31),
			Listen:  []Reach{{everywhere(), Ports{20000, 20999}}},
			Connect: []Reach{{office, Ports{25, 25}}, {sea, Ports{25, 25}}, {one, Ports{80, 80}}, {sea, Ports{81, 81}}}}},
	}
	if !reflect.DeepEqual(c.Backends, wantBackends) {
		t.Errorf("backends %+v\ninstead of %+v", c.Backends, wantBackends)
	}
	wantRoutes := []Route{
		{Name: "staff", At: at(35), Listeners: []string{"web", "mail"}, Local: []Prefix{one}, Client: []Prefix{ten, office, sea, everywhere()},
			Ports: []Ports{{443, 443}, {8000, 8999}}, ClientPorts: []Ports{{1024, 1024}},
			Names: []string{"*.example.org", "example.org", ""}, ALPN: []string{"h2"}, Backend: "app"},
		{Name: "route-2", At: at(46), Client: []Prefix{office, sea}, Backend: "old"},
		{Name: "route-3", At: at(50), Ports: []Ports{{80, 80}}, Reject: true},
		{Name: "fallback", At: at(4), Backend: "blog", Fallback: true},
	}
	if !reflect.DeepEqual(c.Routes, wantRoutes) {
		t.Errorf("routes %+v\ninstead of %+v", c.Routes, wantRoutes)
	}
	if want := []string{"rules.toml:26: inherited: no route leads to this backend"}; !reflect.DeepEqual(c.Notices, want) {
		t.Errorf("notices %q", c.Notices)
	}
}

// A file that says nothing rejects all, and has the usual socket.
func TestEmptyTOML(t *testing.T) {
	c, err := rules(t, "rules.toml", "\ufeff")
	if err != nil || len(c.Desks) != 1 || c.Desks[0].Path != usualDesk || c.Desks[0].Mode != 0o666 || len(c.Routes) != 1 || !c.Routes[0].Reject {
		t.Errorf("%+v, %v", c, err)
	}
}

// Prefixes have the family that they are written in, and any mask.
func TestParsePrefix(t *testing.T) {
	for _, c := range []struct {
		text, want string // of the prefix
		family     int
		cut        bool
	}{
		{"any", "any", 0, false},
		{"0.0.0.0/0", "0.0.0.0/0", 4, false},
		{"::/0", "::/0", 6, false},
		{"192.0.2.1", "192.0.2.1", 4, false},
		{"192.0.2.1/24", "192.0.2.0/24", 4, true},
		{"10.1.2.3/255.0.255.0", "10.0.2.0/255.0.255.0", 4, true},
		{"2001:db8::1/ffff:ffff::ffff", "2001:db8::1/ffff:ffff::ffff", 6, false},
		{"2001:db8::/ffff:ffff::", "2001:db8::/32", 6, false},
		{"::ffff:192.0.2.0/120", "192.0.2.0/24", 4, false},
	} {
		p, cut, err := parsePrefix(c.text)
		if err != nil || p.String() != c.want || p.Family != c.family || cut != c.cut || p.check() != nil {
			t.Errorf("%s: %s, family %d, cut %v, %v, %v", c.text, p, p.Family, cut, err, p.check())
		}
	}
}

// Each mistake is one line: where, what, why, and what to do.
func TestWrongTOML(t *testing.T) {
	const blog = "\n[backends.blog]\n"
	for _, c := range []struct{ text, want string }{
		{"fallback = 'x", `1: column 13: not TOML: unterminated literal string`},
		{"wait = '1s'\nwait = '2s'", `2: column 1: not TOML: key wait is already defined`},
		{"fallbak = 'blog'" + blog, `1: fallbak: the file has no such key (did you mean fallback?); there are ack-time, backends, engine, fallback, grace-period, hello-size, hello-time, listeners, log-format, log-level, max-waiting, metrics, pin, routes, sets, socket, wait`},
		{"fallback = 'blok'" + blog, `1: fallback "blok": there is no such backend (did you mean blog?); write [backends.blok], or one that there is`},
		{"wait = '-1s'", `1: wait "-1s": it is no time to wait; write a number and a unit, such as 500ms, 30s or 2m`},
		{"wait = 30", `1: wait 30: it is a number; write a text in quotation marks`},
		{"socket = { pat = '/x' }", `1: pat: socket has no such key (did you mean path?); there are group, mode, owner, path`},
		{"socket = { mode = '9' }", `1: mode "9": it is no mode; write three octal digits, such as "0660"`},
		{"socket = ['/x']", `1: socket: socket is a table, and this is a list; write [socket] and its keys below`},
		{"socket = '/" + strings.Repeat("x", 120) + "'", `1: socket: the path "/xxx`},
		{"[listeners.web]\naddress = 'tcp:::x'", `2: address "tcp:::x": address "tcp:::x": write tcp:HOST:PORT, tcp:[IPV6]:PORT or tcp:PORT, with a port from 0 to 65535`},
		{"[listeners.web]\naddress = 'x=tcp:80'", `2: address "x=tcp:80": the listener has a name of its own; leave x= out`},
		{"[listeners.web]\naddress = 'systemd:web'\nbacklog = 5", `3: backlog 5: it is for addresses tcp:, of which the listener has none; leave it out, or set it where the socket is opened`},
		{"[listeners.web]\naddress = 80", `2: address 80: it is a number; write a text, or a list of them`},
		{"[listeners.'web 1']\naddress = 'tcp:80'", `1: "web 1": a name in [listeners] has letters, digits, dots, - and _; choose another`},
		{"[listeners.web]\nreuse-port = 'yes'", `2: reuse-port "yes": it is a text; write true or false, without quotation marks`},
		{"[sets]\na = ['10.0.0.0/33']", `2: a "10.0.0.0/33": "33" is no mask; write a number from 0 to 32, or a mask such as 255.255.0.0`},
		{"[sets]\na = ['10.0.0/8']", `2: a "10.0.0/8": "10.0.0" is no IP address; write an address, a prefix such as 192.0.2.0/24 or 2001:db8::/32, any, or @SET`},
		{"[sets]\na = ['fe80::1%eth0']", `2: a "fe80::1%eth0": a zone cannot be matched; leave %eth0 out, and give the listener an interface`},
		{"[sets]\na = ['::1/255.0.0.0']", `2: a "::1/255.0.0.0": the mask 255.0.0.0 is of the other family than ::1; write both alike`},
		{"[sets]\na = ['::ffff:192.0.2.0/24']", `2: a "::ffff:192.0.2.0/24": a mask that leaves out some of the first 96 bits makes no IPv4 prefix of ::ffff:192.0.2.0; write 192.0.2.0 and an IPv4 mask`},
		{"[sets]\na = []", `2: a: the list is empty; write something into it, or leave the key out`},
		{"[sets]\na = ['@b']\nb = ['@a']", `3: b "@a": the set contains itself; take it out`},
		{"[sets]\noffice = ['::1']\n[[routes]]\nclient = '@ofice'\nreject = true", `4: client "@ofice": there is no such set (did you mean office?); write [sets] and ofice = ["192.0.2.0/24"]`},
		{"[[routes]]\nclient = []\nreject = true", `2: client: the list is empty; write something into it, or leave the key out`},
		{"[[routes]]\nport = ['80', '90-80']\nreject = true", `2: port "90-80": the range "90-80" goes backwards; write 80-90`},
		{"[[routes]]\nport = 65536\nreject = true", `2: port 65536: "65536" is no port; write a number from 1 to 65535, or a range such as 8000-8999`},
		{"[[routes]]\nport = [\n 80,\n true ]\nreject = true", `4: port true: it is true or false; write a port such as 443, or a range such as "8000-8999"`},
		{"[[routes]]\nlistener = 'web'\nreject = true", `2: listener "web": there is no such listener; write [listeners.web], or one that there is`},
		{"[[routes]]\nto = 'reject'" + blog, `2: to "reject": there is no such backend; write reject = true instead of to`},
		{"[[routes]]\nto = 'blog'\nreject = true" + blog, `2: to "blog": the route rejects as well; leave to or reject out`},
		{"[[routes]]\nport = 80" + blog, `1: route-1: it leads nowhere; write to = "BACKEND", or reject = true`},
		{"[[routes]]\nport = 80\nreject = false", `1: route-1: it leads nowhere; write to = "BACKEND", or reject = true`},
		{"[[routes]]\ntoo = 'blog'" + blog, `2: too: a route has no such key (did you mean to?); there are alpn, client, client-port, listener, local, name, port, reject, sni, to`},
		{"[routes]\nto = 'blog'" + blog, `1: routes: it is a table; write [[routes]], in two brackets, in front of each`},
		{"[[routes]]\nname='a'\nto='blog'\n[[routes]]\nname='a'\nto='blog'" + blog, `4: a: there is a route of this name already, at `},
		{"[[routes]]\nsni = '*'\nreject = true", `2: sni "*": a star alone is no name; leave sni out to match every client`},
		{"[[routes]]\nsni = 'a.*.org'\nreject = true", `2: sni "a.*.org": "a.*.org" has its star in the wrong place; write *.example.org`},
		{"[[routes]]\nsni = 'bücher.example'\nreject = true", `2: sni "bücher.example": clients ask for "bücher.example" in ASCII; write the xn-- form of it`},
		{"[[routes]]\nsni = 'https://x'\nreject = true", `2: sni "https://x": "https://x" is no host name; write one such as example.org or *.example.org`},
		{"[[routes]]\nsni = 'x.'\nreject = true", `2: sni "x.": clients leave out the dot at the end of "x."; leave it out`},
		{"[[routes]]\nalpn = ''\nreject = true", `2: alpn "": "" is no ALPN protocol; write one such as h2 or http/1.1`},
		{"[backends.a]\nuser = 'nobody-of-this-name'", `2: user "nobody-of-this-name": this machine has no such user; add it, or write another or a number`},
		{"[backends.a]\ntakes = 'listeners'", `2: takes "listeners": there is no such choice (did you mean listener?); write either, listener, connections`},
		{"[backends.a]\nslot = -1", `2: slot -1: it has to be a number from 0 to 4294967295; write one, without quotation marks`},
		{"[backends.a]\nslot = 1\n[backends.b]\nslot = 1", `3: b: slot 1 is that of a already, at `},
		{"[backends.a]\nhandoff = '/x'\nuser = 0", `3: user 0: it is for backends that register, and this one has handoff; leave it out`},
		{"[backends.a]\nproxy-protocol = 'v2'", `2: proxy-protocol "v2": it is for backends with connect; leave it out`},
		{"[backends.a]\nconnect = 'x:1'\nproxy-protocol = 'v3'", `3: proxy-protocol "v3": there is no such choice (did you mean v1?); write v1, v2`},
		{"[backends.a]\nconnect = 'x:1'\nhandoff = '/x'", `2: connect "x:1": the backend has handoff already; leave one of them out`},
		{"[backends.a]\nconnect = '8080'", `2: connect "8080": "8080" is no address to connect to; write HOST:PORT, [IPV6]:PORT, or unix:PATH (port 0 is the client's)`},
		{"[backends.a]\nhandoff = 'fd:x'", `2: handoff "fd:x": "x" is no descriptor; write fd:3, or a path`},
		{"[backends.a]\nhandoff = '/run/{local.8}'", `1: a: {local.8} in the path "/run/{local.8}" means nothing; there are {local.0} to {local.7}, and {port}`},
		{"[backends.reject]", `1: reject: a backend cannot be called so, as fallback = "reject" rejects; choose another name`},
		{"[backends.a.network]\nlisten = '::1:25'", `2: listen "::1:25": a port has to follow the addresses; write 192.0.2.0/24:25, [2001:db8::1]:25, any:1024-65535 or @SET:25`},
		{"[backends.a.network]\nlisten = 'any'", `2: listen "any": a port has to follow the addresses; write 192.0.2.0/24:25, [2001:db8::1]:25, any:1024-65535 or @SET:25`},
		{"[backends]\na = 1", `2: a 1: a backend is a table, and this is a number; write [a] and its keys below`},
		{"backends = 1", `1: backends 1: it is a number; write [backends.NAME] and its keys below`},
	} {
		_, err := rules(t, "rules.toml", c.text)
		if err == nil {
			t.Errorf("%s\nis in order", c.text)
			continue
		}
		_, line, _ := strings.Cut(err.Error(), "rules.toml:")
		if !strings.HasPrefix(line, c.want) || strings.Contains(line, "\n") {
			t.Errorf("%s\ngives %s\ninstead of %s", c.text, line, c.want)
		}
	}
}

// All that is wrong is told at once, as far as a screen holds it.
func TestManyProblems(t *testing.T) {
	_, err := rules(t, "rules.toml", "a = 1\n[[routes]]\nb = 1\nclient = ['x', 'y']\nreject = true")
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("%v", err)
	}
	_, err = rules(t, "rules.toml", "[sets]\na = ["+strings.Repeat("'x',\n", 30)+"]")
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 21 || lines[20] != "… and 10 more" || !strings.Contains(lines[19], "toml:21: ") {
		t.Errorf("%v", err)
	}
}

// What can be read but is hardly meant is told, and taken.
func TestNotices(t *testing.T) {
	c, err := rules(t, "rules.toml", `
[backends.blog]
[backends.spare]
[[routes]]
client = "192.0.2.1/24"
port = "1-1000"
to = "blog"
[[routes]]
client = "192.0.2.128/25"
port = [80, "443-500"]
sni = "example.org"
reject = true
[[routes]]
client = "192.0.2.128/25"
port = [80, 1001]
reject = true
[[routes]]
sni = "*.example.org"
to = "blog"
[[routes]]
sni = ["a.b.example.org", "*.a.example.org"]
alpn = "h2"
to = "blog"
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`rules.toml:5: client "192.0.2.1/24": it has bits outside the mask, so 192.0.2.0/24 is taken`,
		`rules.toml:8: route-2: it is never reached: route-1, at rules.toml:4, takes all that it could match`,
		`rules.toml:20: route-5: it is never reached: route-4, at rules.toml:17, takes all that it could match`,
		`rules.toml:3: spare: no route leads to this backend`,
	}
	if !reflect.DeepEqual(c.Notices, want) {
		t.Errorf("%s", strings.Join(c.Notices, "\n"))
	}
}

// The format is told by the name and the first byte.
func TestFormats(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"rules.toml", "{", "not TOML"},
		{"rules", " \n{", "JSON"},
		{"rules", "max-rules:x", "max-rules:x"},
	} {
		if _, err := rules(t, c.name, c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: %v", c.name, c.text, err)
		}
	}
	misnamed := filepath.Join(t.TempDir(), "rules.conf")
	if err := os.WriteFile(misnamed, []byte("# rules\n\n[listeners.web]\naddress = \"tcp:80\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(misnamed); err == nil || err.Error() != misnamed+": it looks like TOML, and such a file of rules has a name that ends in .toml; rename it" {
		t.Error(err)
	}
	if err := os.WriteFile(misnamed, []byte("\n-----BEGIN PRIVATE KEY-----\nsecret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(misnamed); err == nil || !strings.Contains(err.Error(), "it is a PEM file") || strings.Contains(err.Error(), "secret") {
		t.Error(err)
	}
	if _, err := ReadFile(filepath.Join(t.TempDir(), "none")); !os.IsNotExist(err) && !strings.Contains(err.Error(), "no such file") {
		t.Errorf("%v", err)
	}
}

func FuzzReadTOML(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte("[[routes]]\nto = 'x'\n[backends]\nx = {connect = ['a:1']}\n[sets]\na.b = 1"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var p problems
		c := readTOML("f.toml", text, &p)
		if p.err() != nil {
			return
		}
		table, err := Compile(c)
		if err != nil {
			return
		}
		c.doubts()
		x := newDice(uint64(len(text))).tuple()
		if got, want := table.Find(x), naive(table.config, x); got != want {
			t.Fatalf("%s: %+v instead of %+v", x, got, want)
		}
	})
}
