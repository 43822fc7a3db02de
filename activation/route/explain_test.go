package route

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func TestParseTuple(t *testing.T) {
	x, err := ParseTuple(" client=192.0.2.1:1234  local=[2001:db8::1]:443 sni=Example.org alpn=h2,http/1.1 listener=web protocol=udp")
	want := Tuple{Listener: "web", Protocol: "udp", Seen: true, Name: "example.org", ALPN: []string{"h2", "http/1.1"}}
	want.Client, _ = parseEndpoint("192.0.2.1:1234")
	want.Local, _ = parseEndpoint("[2001:db8::1]:443")
	if err != nil || !reflect.DeepEqual(x, want) {
		t.Errorf("%+v, %v", x, err)
	}
	for _, text := range []string{"client=192.0.2.1", "client=2001:db8::1", "client=[2001:db8::1]", "client=[::ffff:192.0.2.1]:5", "sni=", "alpn=", ""} {
		x, err := ParseTuple(text)
		again, wrong := ParseTuple(x.String())
		if err != nil || wrong != nil || !reflect.DeepEqual(x, again) {
			t.Errorf("%s: %s, %+v, %v, %v", text, x, again, err, wrong)
		}
	}
	for text, want := range map[string]string{
		"client":              `"client" has no =; write WORD=VALUE, such as client=192.0.2.1 or sni=example.org`,
		"clint=::1":           `unknown word "clint" (did you mean client?); there are client, local, sni, alpn, listener, protocol`,
		"client=x":            `client: "x" is no address; write 192.0.2.1, 192.0.2.1:443, 2001:db8::1 or [2001:db8::1]:443`,
		"local=1.2.3.4:99999": `local: "1.2.3.4:99999" is no address; write 192.0.2.1, 192.0.2.1:443, 2001:db8::1 or [2001:db8::1]:443`,
		"protocol=sctp":       `protocol: "sctp" is neither tcp nor udp`,
		"sni=a sni=b":         `sni stands there twice; leave one out`,
	} {
		if _, err := ParseTuple(text); err == nil || err.Error() != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzParseTuple(f *testing.F) {
	f.Add("client=192.0.2.1:1234 local=[2001:db8::1]:443 sni=example.org alpn=h2 listener=web protocol=udp")
	f.Add("client=fe80::1%eth0 sni=")
	f.Fuzz(func(t *testing.T, text string) {
		x, err := ParseTuple(text)
		if err != nil {
			return
		}
		again, err := ParseTuple(x.String())
		if err != nil || !reflect.DeepEqual(x, again) {
			t.Fatalf("%q is %s, and that is %s, %v", text, x, again, err)
		}
	})
}

const house = `
fallback = "rest"
[listeners.web]
[backends.rest]
connect = "127.0.0.1:80"
proxy-protocol = "v2"
[backends.blog]
takes = "connections"
[backends.mail]
handoff = "/run/mail.sock"
[[routes]]
name = "office"
client = ["192.0.2.0/24", "2001:db8::/32"]
port = 25
to = "mail"
[[routes]]
name = "names"
port = 443
sni = ["example.org", "*.example.org", ""]
alpn = "h2"
to = "blog"
[[routes]]
name = "shut"
port = ["1-79", "81-442"]
reject = true
`

func TestExplain(t *testing.T) {
	c, err := rules(t, "rules.toml", house)
	if err != nil {
		t.Fatal(err)
	}
	table, err := Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	for tuple, want := range map[string]string{
		"client=192.0.2.7 local=198.51.100.1:25": `
connection  client=192.0.2.7 local=198.51.100.1:25 listener=web protocol=tcp
notice      it is supposed to come by the listener web, the only one
route       office (rules.toml:11)
backend     mail: it is passed to the socket /run/mail.sock
kernel      it puts it into the queue of mail
`,
		"local=198.51.100.1:443 listener=web": `
connection  local=198.51.100.1:443 listener=web protocol=tcp
not         office (rules.toml:11): the client's address is not known, and has to be 192.0.2.0/24 or 2001:db8::/32
perhaps     names (rules.toml:16): the client has to ask for example.org, *.example.org or none, and it has to offer h2
not         shut (rules.toml:22): the local port is 443, and has to be 1-79 or 81-442
look        what the client says first decides: describe it with sni= and alpn=; if it is for none of the above:
route       fallback (rules.toml:2)
backend     rest: its bytes are copied to 127.0.0.1:80, behind a PROXY v2 header
kernel      it leaves it to rouse, as names asks for what the client says
`,
		"local=198.51.100.1:443 listener=web sni=a.example.org alpn=h2": `
connection  local=198.51.100.1:443 sni=a.example.org alpn=h2 listener=web protocol=tcp
not         office (rules.toml:11): the client's address is not known, and has to be 192.0.2.0/24 or 2001:db8::/32
route       names (rules.toml:16)
backend     blog: the backend registers, and gets connections
kernel      it leaves it to rouse, as names asks for what the client says
`,
		"local=198.51.100.1:443 listener=web sni= alpn=http/1.1": `
connection  local=198.51.100.1:443 sni= alpn=http/1.1 listener=web protocol=tcp
not         office (rules.toml:11): the client's address is not known, and has to be 192.0.2.0/24 or 2001:db8::/32
not         names (rules.toml:16): what the client offers by ALPN is http/1.1, and has to be h2
not         shut (rules.toml:22): the local port is 443, and has to be 1-79 or 81-442
route       fallback (rules.toml:2)
backend     rest: its bytes are copied to 127.0.0.1:80, behind a PROXY v2 header
kernel      it leaves it to rouse, as names asks for what the client says
`,
		"client=::1 local=198.51.100.1:443 listener=web protocol=udp": `
connection  client=::1 local=198.51.100.1:443 listener=web protocol=udp
not         office (rules.toml:11): the client's address is ::1, and has to be 192.0.2.0/24 or 2001:db8::/32
not         names (rules.toml:16): it asks for what a TLS client says, and over udp nothing is looked at
not         shut (rules.toml:22): the local port is 443, and has to be 1-79 or 81-442
route       fallback (rules.toml:2)
backend     rest: its bytes are copied to 127.0.0.1:80, behind a PROXY v2 header
kernel      it leaves it to rouse, which relays it to rest
`,
		"client=192.0.2.7 local=198.51.100.1:25 listener=web protocol=udp": `
connection  client=192.0.2.7 local=198.51.100.1:25 listener=web protocol=udp
route       office (rules.toml:11)
backend     mail: it is passed to the socket /run/mail.sock
kernel      it leaves it to rouse, as mail takes no udp socket
`,
		"client=192.0.2.7 local=198.51.100.1:22 listener=web": `
connection  client=192.0.2.7 local=198.51.100.1:22 listener=web protocol=tcp
not         office (rules.toml:11): the local port is 22, and has to be 25
not         names (rules.toml:16): the local port is 22, and has to be 443
route       shut (rules.toml:22)
rejected    its client is reset
kernel      it refuses it
`,
	} {
		x, err := ParseTuple(tuple)
		if err != nil {
			t.Fatal(err)
		}
		got := "\n" + strings.ReplaceAll(table.Explain(x).String(), c.File, "rules.toml")
		if got != want {
			t.Errorf("%s:%s\ninstead of%s", tuple, got, want)
		}
	}
}

// What the kernel cannot know is left to the dispatcher.
func TestExplainKernel(t *testing.T) {
	c, err := rules(t, "rules.toml", "fallback = 'a'\n[backends.a]\n[listeners.web]\naddress = 'tcp:80'\n[listeners.far]\naddress = 'tcp:81'\nproxy = 'v2'")
	if err != nil {
		t.Fatal(err)
	}
	table, err := Compile(c)
	if err != nil {
		t.Fatal(err)
	}
	for listener, want := range map[string]string{
		"web": "it puts it into the queue of a", "far": "it leaves it to rouse, as a PROXY header tells who the client is",
	} {
		if got := table.Explain(Tuple{Listener: listener, Protocol: "tcp"}).Kernel; got != want {
			t.Errorf("%s: %s", listener, got)
		}
	}
}

// Of many routes that do not match the first twenty are shown.
func TestExplainMany(t *testing.T) {
	table, err := Compile(many(1000, false))
	if err != nil {
		t.Fatal(err)
	}
	x, _ := ParseTuple("client=192.0.2.1")
	e := table.Explain(x)
	if len(e.Tried) != 20 || e.More != 980 || e.Backend != "b" || !strings.Contains(e.String(), "… and 980 more") {
		t.Errorf("%s", e)
	}
	text, err := json.Marshal(e)
	if err != nil || !strings.Contains(string(text), `"tried":[{"route":"0"`) || !strings.Contains(string(text), `"backend":"b"`) {
		t.Errorf("%s, %v", text, err)
	}
}
