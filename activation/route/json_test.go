package route

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// jsonOf reads a file of python-socketbox, and returns what is wrong with it, without the file's name.
func jsonOf(text string) (c Config, wrong string) {
	var p problems
	c = readJSON("f", []byte(text), &p)
	if err := p.err(); err != nil {
		return c, strings.ReplaceAll("\n"+err.Error(), "\nf:", "\n")[1:]
	}
	return c, ""
}

const jsonExample = `{
	"socketbox-version": 1,
	"daemon": {"uid": 33, "gid": 34, "groups": [35], "chroot": "/run/empty"},
	"incoming": [
		{"address": "::", "port": 80},
		{"address": "::ffff:127.0.0.150", "port": 2, "transparent": true, "freebind": 1, "reuseport": true, "backlog": 7, "netns": "/run/netns/a b"},
		{"address": "2001:db8::1", "port": 443, "reuseaddr": false},
		{"fd": 7, "listen": true}
	],
	"final_netns": "/run/netns/test_2",
	"paths": [
		{"socket": "/run/socketbox/ctl.sock", "mode": "0770", "uid": 1, "gid": 2},
		{"socket": "/run/socketbox/other.sock"}
	],
	"outgoing": [{"uid": 150000, "path_nr": 0}, {"uid": "150001", "path_nr": "1"}, {"uid": 0, "path_nr": 1}],
	"rules": {
		"_start": {"type": "rule", "rules": [
			{"l_ip": "::1", "port": 80, "incoming_socket": 0, "jump": "r:map"},
			{"r_ip": "2001:db8:aaaa::9", "r_mask": "ffff:ffff:ffff::", "jump": "o:1"},
			{"l_port": "99", "r_port": 5, "jump": "r:masked"}
		]},
		"map": {"type": "map", "rules": [
			{"l_ip": "::1", "l_port": 81, "jump": "o:2"},
			{"l_ip": "::1", "l_port": 80, "jump": "r:_start"},
			{"l_ip": "::1", "l_port": 80, "r_port": 9, "jump": "o:0"}
		]},
		"masked": {"type": "map", "mask": {"r_ip": "::", "r_mask": "::ffff", "incoming_socket": 0}, "rules": [
			{"r_ip": "2001:db8::7", "incoming_socket": 2, "jump": "o:0"},
			{"r_ip": "2001:db8::7", "jump": "o:1"}
		]}
	}
}`

func TestReadJSON(t *testing.T) {
	c, wrong := jsonOf(jsonExample)
	if wrong != "" {
		t.Fatal(wrong)
	}
	if err := Check(c); err != nil {
		t.Error(err)
	}
	for _, x := range []struct{ client, local, listener, want string }{
		{"[::9]:5", "[::1]:80", "incoming-0", "slot-0"},
		{"[::9]:5", "[::1]:81", "incoming-0", "slot-2"},
		{"[::9]:5", "[::1]:82", "incoming-0", ""},
		{"[::9]:5", "[::1]:80", "incoming-1", ""},
		{"[2001:db8:aaaa::1]:5", "[::1]:80", "incoming-1", "slot-1"},
		{"[2001:db8::1:7]:5", "[::1]:99", "incoming-2", "slot-0"},
		{"[2001:db8::1:7]:5", "[::2]:99", "incoming-0", "slot-1"},
		{"[2001:db8::1:8]:5", "[::2]:99", "incoming-0", ""},
		{"[2001:db8::1:7]:6", "[::2]:99", "incoming-0", ""},
	} {
		if got := goes(t, c, x.client, x.local, x.listener); got != x.want {
			t.Errorf("%s at %s by %s goes to %q, want %q", x.client, x.local, x.listener, got, x.want)
		}
	}
	addresses := []string{
		"tcp:[::]:80", "tcp:127.0.0.150:2?backlog=7&freebind=yes&namespace=/run/netns/a+b&reuse-port=yes&transparent=yes",
		"tcp:[2001:db8::1]:443?namespace=/run/netns/a+b", "fd:7", // the namespace is never left again
	}
	for i, l := range c.Listeners {
		if l.Name != fmt.Sprintf("incoming-%d", i) || !slices.Equal(l.Addresses, addresses[i:i+1]) || l.KeepTransparent != (i == 1) || l.At.Line != 5+i {
			t.Errorf("%+v", l)
		}
	}
	if d := c.Desks; len(d) != 2 || d[0] != (Desk{Position{"f", 12}, "/run/socketbox/ctl.sock", 0o770, 1, 2}) || d[1] != (Desk{Position{"f", 13}, "/run/socketbox/other.sock", 0o700, -1, -1}) {
		t.Errorf("%+v", d)
	}
	if b := c.Backends; len(b) != 3 || b[1].Name != "slot-1" || !slices.Equal(b[1].Users, []uint32{150001}) || b[1].Desk != "/run/socketbox/other.sock" || *b[1].Slot != 1 || b[1].Way != Registers || b[1].Patience != usualPatience {
		t.Errorf("%+v", b)
	}
	if d := c.Daemon; d == nil || d.User != 33 || d.Group != 34 || !slices.Equal(d.Groups, []uint32{35}) || d.Chroot != "/run/empty" {
		t.Errorf("%+v", d)
	}
	notices := strings.Join(c.Notices, "\n")
	for _, want := range []string{
		"f:7: incoming[2].reuseaddr: ", "f:10: final_netns: ", "f:18: rules._start.rules[0].port: python-socketbox knows no such key",
		"f:25: rules.map.rules[2]: it matches what map[1] matches, and is taken instead of it",
	} {
		if !strings.Contains(notices, want) {
			t.Errorf("no notice %q in\n%s", want, notices)
		}
	}
}

// What cannot be meant is refused, with its line and the key.
func TestReadJSONWrong(t *testing.T) {
	with := func(rules string) string {
		return "{\"socketbox-version\": 1,\n\"incoming\": [{\"address\": \"::\", \"port\": 80}], \"paths\": [{\"socket\": \"/s\"}], \"outgoing\": [{\"uid\": 0, \"path_nr\": 0}],\n\"rules\": " + rules + "}"
	}
	start := func(rule string) string {
		return with("{\"_start\": {\"type\": \"rule\", \"rules\": [\n" + rule + "]}}")
	}
	for _, c := range []struct{ text, want string }{
		{"{\n\"a\": 1,\n}", "3: }: this is no JSON: invalid character '}' looking for beginning of object key string"},
		{"{", "1: {: this is no JSON: unexpected end of JSON input"},
		{strings.Repeat("[", 30) + strings.Repeat("]", 30), "1: the values are more than 20 deep"},
		{"[]", "1: it is an array, and should be an object"},
		{"{}", "1: socketbox-version: it is missing"},
		{`{"socketbox-version": 2}`, "1: socketbox-version: it is 2, and only 1 is known"},
		{`{"socketbox-version": 1}`, "1: rules: they are missing"},
		{`{"socketbox-version": 1, "socketbox-version": 1}`, "1: socketbox-version: it stands there twice"},
		{with("{}"), "3: rules: _start is missing"},
		{with("[]"), "3: rules: it is an array, and should be an object"},
		{with(`{"_start": {"type": "rules", "rules": []}}`), "3: rules._start.type: rules is neither rule nor map"},
		{with(`{"_start": {"type": "rule"}}`), "3: rules._start: rules is missing"},
		{with(`{"_start": {"type": "map", "mask": {}, "rules": []}}`), "3: rules._start.mask: the map compares nothing"},
		{with(`{"_start": {"type": "rule", "rules": []}, "other": {"type": "rule", "rules": []}}`), "3: other: no rule jumps to it"},
		{start(`{"jump": "r:other"}`), "4: jump: r:other: there is no such list in rules; there are _start"},
		{start(`{"jump": "o:1"}`), "4: rules._start.rules[0].jump: o:1: there is no such slot in outgoing, which has 1"},
		{start(`{"jump": "o:-1"}`), "4: rules._start.rules[0].jump: o:-1: there is no such slot"},
		{start(`{"jump": "x"}`), "4: rules._start.rules[0].jump: x is no target"},
		{start(`{"jump": 1}`), "4: rules._start.rules[0].jump: it is a number, and should be a string"},
		{start(`{}`), "4: rules._start.rules[0]: jump is missing"},
		{start(`{"l_ip": "10.0.0.1", "jump": "o:0"}`), "4: rules._start.rules[0].l_ip: 10.0.0.1 is IPv4, and all is compared as IPv6 here; write ::ffff:10.0.0.1"},
		{start(`{"l_ip": "::1/64", "jump": "o:0"}`), "4: rules._start.rules[0].l_ip: ::1/64 is no IPv6 address"},
		{start(`{"l_port": 65536, "jump": "o:0"}`), "4: rules._start.rules[0].l_port: 65536 is no number from 0 to 65535"},
		{start(`{"l_port": [], "jump": "o:0"}`), "4: rules._start.rules[0].l_port: an array is no number from 0 to 65535"},
		{start(`{"incoming_socket": 1, "jump": "o:0"}`), "4: rules._start.rules[0].incoming_socket: there are 1 in incoming"},
		{`{"socketbox-version": 1, "incoming": [{"address": "0.0.0.0", "port": 1}]}`, "1: incoming[0].address: 0.0.0.0 is IPv4"},
		{`{"socketbox-version": 1, "incoming": [{"port": 1}]}`, "1: incoming[0]: address is missing"},
		{`{"socketbox-version": 1, "incoming": [{"address": "::", "port": 1, "transparent": "yes"}]}`, "1: incoming[0].transparent: it is a string, and should be true or false"},
		{`{"socketbox-version": 1, "outgoing": [{"uid": 0, "path_nr": 0}]}`, "1: outgoing[0].path_nr: there are 0 paths"},
		{`{"socketbox-version": 1, "paths": [{"socket": "/s", "mode": "0999"}]}`, "1: paths[0].mode: 0999 is no mode"},
		{`{"socketbox-version": 1, "paths": [{"socket": "/s\u0000"}]}`, "1: paths[0].socket: there is a zero byte in it"},
		{`{"socketbox-version": 1, "daemon": {"uid": -1}}`, "1: daemon.uid: -1 is no number from 0 to 4294967294"},
	} {
		if _, wrong := jsonOf(c.text); !strings.Contains(wrong, c.want) {
			t.Errorf("%s: %q, want %q", c.text, wrong, c.want)
		}
	}
}

// What the daemon is not told to change stays as it is.
func TestReadJSONDaemon(t *testing.T) {
	const rules = `"rules": {"_start": {"type": "rule", "rules": []}}}`
	for text, want := range map[string]*Identity{
		`{"socketbox-version": 1, ` + rules:                                     nil,
		`{"socketbox-version": 1, "daemon": {}, ` + rules:                       nil,
		`{"socketbox-version": 1, "daemon": {"uid": 5}, ` + rules:               {User: 5, Group: nobody},
		`{"socketbox-version": 1, "daemon": {"groups": [], "gid": 5}, ` + rules: {User: nobody, Group: 5, Groups: []uint32{}},
	} {
		c, wrong := jsonOf(text)
		if wrong != "" || fmt.Sprintf("%#v", c.Daemon) != fmt.Sprintf("%#v", want) && (want == nil || fmt.Sprintf("%#v", *c.Daemon) != fmt.Sprintf("%#v", *want)) {
			t.Errorf("%s: %+v, %s", text, c.Daemon, wrong)
		}
	}
}

// Any text is read, or refused with lines that name the file; what is read passes the check.
func FuzzReadJSON(f *testing.F) {
	f.Add(jsonExample)
	f.Add(`{"socketbox-version": 1, "rules": {"_start": {"type": "rule", "rules": [{"jump": "r:_start"}]}}}`)
	f.Add(`[[{"\ud800": 1e999}]]`)
	f.Fuzz(func(t *testing.T, text string) {
		var p problems
		c := readJSON("f", []byte(text), &p)
		for _, err := range p.list {
			if !strings.HasPrefix(err.Error(), "f:") || strings.ContainsAny(err.Error(), "\n\x00\r") {
				t.Errorf("%q", err)
			}
		}
		if p.err() != nil {
			return
		}
		Check(c) // paths and the like are its concern
		if _, err := Compile(c); err != nil && Check(c) == nil {
			t.Error(err)
		}
	})
}
