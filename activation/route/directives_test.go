package route

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

// directivesOf reads directives, and returns what is wrong with them, without the file's name.
func directivesOf(text string) (c Config, wrong string) {
	var p problems
	c = readDirectives("f", []byte(text), &p)
	if err := p.err(); err != nil {
		return c, strings.ReplaceAll("\n"+err.Error(), "\nf:", "\n")[1:]
	}
	return c, ""
}

// goes tells where a connection goes: to a backend, or to nothing where it is rejected.
func goes(t *testing.T, c Config, client, local, listener string) string {
	t.Helper()
	table, err := Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	d := table.Find(Tuple{Listener: listener, Protocol: "tcp", Client: netip.MustParseAddrPort(client), Local: netip.MustParseAddrPort(local)})
	if d.Route == nil {
		return "no route"
	}
	return d.Route.Backend
}

const directivesExample = `# comment
max-rules:3
max-maps:2

rule-set:0 size:2
ip:2001:db8::1 port:80 jump-unix:/run/one
rip:2001:db8:aaaa::/48 jump-unix:/run/office
	ip:9::1/ffff::ffff jump-unix:/run/#//0_/#//7__#//P_-#//0_
ip:::ffff:192.0.2.0/120	jump-map:0
ip:2001:db8:b::/48 rport:1 jump-rule:1
port:443 fail
default jump-fd:5
map-set:0 size:1
match-lip:128 match-lport
ip:::ffff:192.0.2.1 port:25 jump-unix:run/mail
ip:::ffff:192.0.2.1 port:26 jump-rule:1
ip:::ffff:192.0.2.2 port:25 jump-unix:run/mail
default jump-unix:@name
rule-set:1
ip:2001:db8:b:1:: jump-unix:/run/b1
rport:2 jump-unix:/run/never
`

func TestReadDirectives(t *testing.T) {
	c, wrong := directivesOf(directivesExample)
	if wrong != "" {
		t.Fatal(wrong)
	}
	if err := Check(c); err != nil {
		t.Error(err)
	}
	for _, x := range []struct{ client, local, want string }{
		{"[2001:db8::9]:5", "[2001:db8::1]:80", "/run/one"},
		{"[2001:db8::9]:5", "[2001:db8::1]:81", "fd:5"},
		{"[2001:db8:aaaa::9]:5", "[2001:db8::1]:81", "/run/office"},
		{"[2001:db8::9]:5", "[9:9::1]:81", "/run/#//0_/#//7__#//P_-#//0_"},
		{"[2001:db8::9]:5", "[9:9::2]:81", "fd:5"},
		{"198.51.100.1:5", "192.0.2.1:25", "run/mail"},
		{"198.51.100.1:5", "192.0.2.2:25", "run/mail"},
		{"198.51.100.1:5", "192.0.2.3:443", "@name"}, // a map's default, and no way back
		{"198.51.100.1:5", "192.0.2.1:26", ""},
		{"[2001:db8::9]:1", "[2001:db8:b:1::]:99", "/run/b1"},
		{"[2001:db8::9]:1", "[2001:db8:b:2::]:99", ""},
		{"[2001:db8::9]:2", "[2001:db8:b:2::]:99", "fd:5"},
		{"[2001:db8::9]:2", "[2001:db8:c::]:443", ""},
		{"203.0.113.1:2", "198.51.100.1:80", "fd:5"},
	} {
		if got := goes(t, c, x.client, x.local, "any"); got != x.want {
			t.Errorf("%s at %s goes to %q, want %q", x.client, x.local, got, x.want)
		}
	}
	paths := map[string]string{}
	for _, b := range c.Backends {
		if b.Way != Datagrams || b.Patience != usualPatience || b.At.Line == 0 {
			t.Errorf("%+v", b)
		}
		paths[b.Name] = fmt.Sprint(b.Path, b.Carrier)
	}
	for name, want := range map[string]string{
		"/run/one": "/run/one0", "run/mail": "run/mail0", "@name": "./@name0", "fd:5": "5",
		"/run/#//0_/#//7__#//P_-#//0_": "/run/{local.0}/{local.7}_{port}-#//0_0",
	} {
		if paths[name] != want {
			t.Errorf("%s: %q, want %q", name, paths[name], want)
		}
	}
	last := c.Routes[len(c.Routes)-1]
	if !last.Fallback || last.At.String() != "f:12" || last.Name != "rule-set:0 default" {
		t.Errorf("%+v", last)
	}
	if notices := strings.Join(c.Notices, "\n"); !strings.Contains(notices, "f:15: jump-unix:run/mail: the path is looked for in the folder where rouse runs") {
		t.Error(notices)
	}
}

// What cannot be meant is refused, with its line and its word.
func TestReadDirectivesWrong(t *testing.T) {
	const head = "max-rules:2\nmax-maps:2\nrule-set:0\n"
	for _, c := range []struct{ text, want string }{
		{head + "port:80-90 fail", "4: port:80-90: 80-90 is no port: there are no ranges here; write one entry for each port, or write the rules in TOML"},
		{head + "port:70000 fail", "4: port:70000: 70000 is no port; write a number from 1 to 65535"},
		{head + "port: fail", "4: port:: port needs a value behind a colon"},
		{head + "p:80 fail", "4: p:80: no such directive; port is not to be shortened"},
		{head + "frobnicate:1", "4: frobnicate:1: no such directive; there are max-rules, "},
		{head + "ip:192.0.2.1 fail", "4: ip:192.0.2.1: 192.0.2.1 is IPv4, and all is compared as IPv6 here; write ::ffff:192.0.2.1"},
		{head + "ip:fe80::1%eth0 fail", "4: ip:fe80::1%eth0: fe80::1%eth0 is no IPv6 address"},
		{head + "ip:::/129 fail", "4: ip:::/129: /129 is no mask"},
		{head + "ip:::/ffff:x fail", "4: ip:::/ffff:x: ffff:x is no IPv6 address"},
		{head + "ip:::1 ip:::2 fail", "4: ip:::2: the entry has ip: already"},
		{head + "port:1 port:1 fail", "4: port:1: the entry has port: already"},
		{head + "fail fail", "4: fail: fail is said already"},
		{head + "fail:1", "4: fail:1: fail has no value"},
		{head + "jump-rule:1", "4: jump-rule:1: there is no such list; begin it with rule-set:1"},
		{head + "jump-rule:2", "4: jump-rule:2: there is no such list; max-rules:2 says that their numbers go from 0 to 1"},
		{head + "jump-map:x", "4: jump-map:x: x is no number from 0 to 1000000"},
		{head + "jump-unix:" + strings.Repeat("a", 108), "bytes, and a unix socket's at most 107"},
		{head + "jump-unix:/run/{port}", "4: jump-unix:/run/{port}: the path would be taken for a pattern"},
		{head + "match-lip:64", "4: match-lip:64: only maps have it"},
		{head + "size:0", "4: size:0: 0 is no number from 1 to 1000000"},
		{head + "size:1\nsize:2", "5: size:2: the list has a size already"},
		{head + "default fail\nport:1 fail", "5: port:1: no entries may follow default"},
		{head + "default fail\ndefault fail", "5: default: it stands on a line of its own"},
		{head + "default fail fail", "4: fail: fail is said already"},
		{head + "port:1 default", "4: default: it stands on a line of its own"},
		{head + "port:1 rule-set:1", "4: rule-set:1: the line has an entry already"},
		{head + "port:1 port:2\tfail", "4: \"port:2\\tfail\": only spaces separate here"},
		{head + "port:1 fail\r", "4: \"\\r\": the line ends with a carriage return"},
		{head + "port:1 fa\x00il", "4: \"fa\\x00il\": only spaces separate here"},
		{head + " # comment", "4: #: comments begin in the first column"},
		{head + "jump-map:0\nmap-set:0\nip:::1 fail", "5: map-set:0: the map compares nothing"},
		{head + "jump-map:0\nmap-set:0\nmatch-lip:64\nip:::1/64 fail", "7: ip:::1/64: in a map match-lip and match-rip say how much is compared; leave /64 out"},
		{head + "jump-map:0\nmap-set:0 match-lip:64\nip:::1 fail\nip:::2 jump-fd:1", "7: map-set:0: the entry matches what that of map-set:0 line 6 matches"},
		{head + "jump-map:0\nmap-set:0 match-lip:64 match-lip:65", "5: match-lip:65: the map has it already"},
		{head + "jump-map:0\nmap-set:0 match-lip:129", "5: match-lip:129: 129 is no length of a prefix"},
		{head + "map-set:0 match-lip:64", "4: map-set:0: nothing jumps to it; take it out, or write jump-map:0 where it is meant"},
		{head + "rule-set:2", "4: rule-set:2: max-rules:2 says that their numbers go from 0 to 1"},
		{"max-rules:1\nmax-rules:1", "2: max-rules:1: it was 1 before"},
		{"rule-set:0\nport:1 fail", "1: rule-set:0: max-rules has to come first"},
		{"max-rules:1\nport:1 fail", "2: port:1: no list is selected"},
		{"", " rule-set:0: it is missing, and every lookup begins there"},
		{"max-rules:2\nrule-set:1", " rule-set:0: it is missing"},
	} {
		if _, wrong := directivesOf(c.text); !strings.Contains(wrong, c.want) {
			t.Errorf("%q: %q, want %q", c.text, wrong, c.want)
		}
	}
	if _, wrong := directivesOf(head + strings.Repeat("port:x fail\n", 30)); strings.Count(wrong, "\n") != 20 || !strings.HasSuffix(wrong, "… and 10 more") {
		t.Error(wrong)
	}
}

// Lists without a size, or with more entries than theirs, and lists that are gone on with later, hold what they are given.
func TestReadDirectivesGrows(t *testing.T) {
	var b strings.Builder
	b.WriteString("max-rules:1\nrule-set:0 size:1\n")
	for i := range 3000 {
		fmt.Fprintf(&b, "port:%d jump-fd:%d\n", i+1, i)
	}
	b.WriteString("default\njump-fd:9999\nrule-set:0\nport:5000 jump-fd:5000")
	c, wrong := directivesOf(b.String())
	if wrong != "" || len(c.Routes) != 3002 {
		t.Fatalf("%d routes, %s", len(c.Routes), wrong)
	}
	for local, want := range map[string]string{"[::1]:1": "fd:0", "[::1]:3000": "fd:2999", "[::1]:3001": "fd:9999", "[::1]:5000": "fd:5000"} {
		if got := goes(t, c, "[::1]:1", local, ""); got != want {
			t.Errorf("%s: %q, want %q", local, got, want)
		}
	}
}

// Circles, and ways through more than a hundred lists, reject.
func TestReadDirectivesCircles(t *testing.T) {
	c, wrong := directivesOf("max-rules:2\nrule-set:0\nport:1 jump-rule:1\nport:2 jump-rule:0\ndefault jump-fd:1\nrule-set:1\nrip:::1 jump-fd:2\ndefault jump-rule:0")
	if wrong != "" || len(c.Notices) != 2 || !strings.Contains(c.Notices[0], "f:8: rule-set:1 default: jumps back to rule-set:0: connections that get here are rejected") {
		t.Fatalf("%s %q", wrong, c.Notices)
	}
	for client, want := range map[string]string{"[::1]:9 [::2]:1": "fd:2", "[::3]:9 [::2]:1": "", "[::3]:9 [::2]:2": "", "[::3]:9 [::2]:3": "fd:1"} {
		client, local, _ := strings.Cut(client, " ")
		if got := goes(t, c, client, local, ""); got != want {
			t.Errorf("%s at %s: %q, want %q", client, local, got, want)
		}
	}
	for lists, want := range map[int]string{100: "fd:7", 101: ""} {
		var b strings.Builder
		fmt.Fprintf(&b, "max-rules:%d\n", lists)
		for i := range lists - 1 {
			fmt.Fprintf(&b, "rule-set:%d\nport:1 jump-rule:%d\n", i, i+1)
		}
		fmt.Fprintf(&b, "rule-set:%d default jump-fd:7", lists-1)
		c, wrong := directivesOf(b.String())
		if got := goes(t, c, "[::1]:1", "[::1]:1", ""); got != want || wrong != "" {
			t.Errorf("through %d lists: %q, want %q; %s", lists, got, want, wrong)
		}
	}
}

// Lists that multiply each other are an error, not the end of the memory.
func TestUnfoldTooMany(t *testing.T) {
	next := &lookup{name: "last"}
	for i := range 16 {
		var bit [16]byte
		bit[i] = 1
		next = &lookup{name: fmt.Sprint(i), entries: []entry{{when: demand{local: newMask(bit, bit)}, next: next}}, rest: entry{next: next}}
	}
	var p problems
	u := &unfolding{problems: &p, most: mostLookups, room: 1000}
	if u.walk(next, demand{}) || len(u.routes) != 1000 || p.err() == nil || !strings.Contains(p.err().Error(), "the lists unfold into more than 1000 routes") {
		t.Errorf("%d routes, %v", len(u.routes), p.err())
	}
}

// The routes decide as the lists do, which are looked up here as they are.
func TestUnfold(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var backends []Backend
	for i := range 4 {
		backends = append(backends, Backend{Name: fmt.Sprint("backend ", i), Way: Registers, Takes: Either})
	}
	listeners := []Listener{{Name: "listener 0"}, {Name: "listener 1"}}
	for range 300 {
		lists := make([]*lookup, 5)
		for i := range lists {
			lists[i] = &lookup{name: fmt.Sprint("list ", i)}
		}
		line := 0
		some := func(name string) entry {
			line++
			e := entry{at: Position{"f", line}, name: fmt.Sprint(name, " ", line)}
			if n := random.IntN(8); n < len(lists) {
				e.next = lists[n]
			} else if n < 7 {
				e.backend = fmt.Sprint("backend ", random.IntN(4))
			}
			return e
		}
		for _, l := range lists {
			for range random.IntN(5) {
				e := some(l.name)
				e.when = someDemand(random)
				l.entries = append(l.entries, e)
			}
			l.rest = some(l.name)
		}
		var p problems
		routes, _ := unfold(lists[0], mostLookups, &p)
		if p.err() != nil {
			continue // they multiply
		}
		table, err := Compile(Config{Routes: routes, Backends: backends, Listeners: listeners})
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			x := someTuple(random)
			got := ""
			if d := table.Find(x); d.Route != nil {
				got = d.Route.Backend
			}
			if want := lookUp(lists[0], x); got != want {
				t.Fatalf("%v: %q, want %q", x, got, want)
			}
		}
	}
}

func someDemand(random *rand.Rand) (d demand) {
	side := func() mask {
		bits := [16]byte{15: byte(random.IntN(8))}
		return newMask([16]byte{15: byte(random.IntN(8))}, bits)
	}
	d.local, d.client = side(), side()
	d.port = onePort{random.IntN(3) == 0, uint16(random.IntN(3))}
	d.clientPort = onePort{random.IntN(3) == 0, uint16(random.IntN(3))}
	if random.IntN(4) == 0 {
		d.listener = fmt.Sprint("listener ", random.IntN(2))
	}
	return d
}

func someTuple(random *rand.Rand) Tuple {
	side := func() netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte{15: byte(random.IntN(8))}), uint16(random.IntN(3)))
	}
	return Tuple{Listener: fmt.Sprint("listener ", random.IntN(2)), Protocol: "tcp", Client: side(), Local: side()}
}

// lookUp goes from list to list, as socketbox does for one connection.
func lookUp(l *lookup, x Tuple) string {
	exact := func(a netip.AddrPort) (mask, onePort) {
		return newMask(a.Addr().As16(), leading(128)), onePort{true, a.Port()}
	}
	var is demand
	is.local, is.port = exact(x.Local)
	is.client, is.clientPort = exact(x.Client)
	is.listener = x.Listener
	for range mostLookups {
		next := l.rest
		for _, e := range l.entries {
			if _, ok := is.and(e.when); ok {
				next = e
				break
			}
		}
		if next.next == nil {
			return next.backend
		}
		l = next.next
	}
	return ""
}

// Any text is read, or refused with lines that name the file; what is read passes the check.
func FuzzReadDirectives(f *testing.F) {
	f.Add(directivesExample)
	f.Add("max-rules:2\nrule-set:0\nport:1 jump-rule:1\nrule-set:1 default jump-rule:0")
	f.Add("max-rules:1\nrule-set:0 size:1 default\njump-unix:#//0_#//0_")
	f.Add("p:80\r\n\t\x00")
	f.Fuzz(func(t *testing.T, text string) {
		var p problems
		c := readDirectives("f", []byte(text), &p)
		for _, err := range p.list {
			if !strings.HasPrefix(err.Error(), "f:") || strings.ContainsAny(err.Error(), "\n\x00\r") {
				t.Errorf("%q", err)
			}
		}
		if p.err() != nil || len(c.Routes) > 5000 {
			return
		}
		if err := Check(c); err != nil {
			t.Error(err)
		}
		if _, err := Compile(c); err != nil {
			t.Error(err)
		}
	})
}
