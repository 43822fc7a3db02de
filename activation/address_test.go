package activation

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

// A user who writes an address as documented gets the socket that it names, whatever source, role and options stand in it.
func TestParseAddress(t *testing.T) {
	long := strings.Repeat("x", 100)
	for _, c := range []struct{ text, role, source, detail, options string }{
		{"systemd:", "", "systemd", "", ""},
		{"systemd:web", "", "systemd", "web", ""},
		{"systemd:web.socket", "", "systemd", "web.socket", ""},
		{"systemd:web[1]", "", "systemd", "web[1]", ""},
		{"https=systemd:web", "https", "systemd", "web", ""},
		{"h3=systemd:quic", "h3", "systemd", "quic", ""},
		{"any thing=fd:3", "any thing", "fd", "3", ""}, // roles are the program's matter
		{"launchd:", "", "launchd", "", ""},
		{"http=launchd:Listeners", "http", "launchd", "Listeners", ""},
		{"fd:0", "", "fd", "0", ""},
		{"fd:2147483647", "", "fd", "2147483647", ""},
		{"inetd:", "", "inetd", "", ""},
		{"https=inetd:", "https", "inetd", "", ""},
		{"tcp:8080", "", "tcp", "8080", ""},
		{"tcp::8080", "", "tcp", ":8080", ""},
		{"tcp:0", "", "tcp", "0", ""},
		{"tcp:127.0.0.1:65535", "", "tcp", "127.0.0.1:65535", ""},
		{"tcp:[::1]:8443", "", "tcp", "[::1]:8443", ""},
		{"tcp:[fe80::1%eth0]:8443", "", "tcp", "[fe80::1%eth0]:8443", ""},
		{"tcp:localhost:8443", "", "tcp", "localhost:8443", ""},
		{"dns=udp:[::1]:53", "dns", "udp", "[::1]:53", ""},
		{"udp:53", "", "udp", "53", ""},
		{"unix:/run/x.sock", "", "unix", "/run/x.sock", ""},
		{"unix:x.sock", "", "unix", "x.sock", ""},
		{"unix:/run/a:b", "", "unix", "/run/a:b", ""},
		{"unix:/run/a=b", "", "unix", "/run/a=b", ""},
		{"unix:/run/a%2Cb%20c%3Fd%25", "", "unix", "/run/a,b c?d%", ""},
		{"unix:/run/a+b", "", "unix", "/run/a+b", ""}, // a plus is a plus in a path
		{"unix:/run/x?mode=0660", "", "unix", "/run/x", "mode=0660"},
		{"unix:/run/x?mode=0o600&owner=www-data&group=33", "", "unix", "/run/x", "group=33&mode=0o600&owner=www-data"},
		{"systemd:web?proxy=v2", "", "systemd", "web", "proxy=v2"},
		{"https=fd:3?proxy=any", "https", "fd", "3", "proxy=any"},
		{"inetd:?proxy=v1", "", "inetd", "", "proxy=v1"},
		{"tcp:[::1]:8443?proxy=v1", "", "tcp", "[::1]:8443", "proxy=v1"},
		{"unix:@name?proxy=v1", "", "unix", "@name", "proxy=v1"},
		{"http=unix:/" + long, "http", "unix", "/" + long, ""},
		{"tcp:[::]:443?interface=eth0&reuse-port=yes&backlog=4096", "", "tcp", "[::]:443", "backlog=4096&interface=eth0&reuse-port=yes"},
		{"udp:53?reuse-port=no", "", "udp", "53", "reuse-port=no"},
		{"handoff:/run/a%23b.sock?mode=0600&from=www-data,33&accept=unix", "", "handoff", "/run/a#b.sock", "accept=unix&from=www-data%2C33&mode=0600"},
		{"web=dispatch:/run/d.sock#blog?takes=connections", "web", "dispatch", "/run/d.sock#blog", "takes=connections"},
		{"dispatch:#blog", "", "dispatch", "#blog", ""},
		{"dispatch:/run/d.sock#3?protocol=socketbox&from=0", "", "dispatch", "/run/d.sock#3", "from=0&protocol=socketbox"},
		{"fd:3?channel&from=33", "", "fd", "3", "channel=&from=33"},
		{"systemd:web?channel&accept=unix&proxy=v2", "", "systemd", "web", "accept=unix&channel=&proxy=v2"},
		{"inetd:?channel", "", "inetd", "", "channel="},
	} {
		a, err := ParseAddress(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if a.Role != c.role || a.Source != c.source || a.Detail != c.detail || a.Options.Encode() != c.options {
			t.Errorf("%s: got role %q, source %q, detail %q, options %q", c.text, a.Role, a.Source, a.Detail, a.Options.Encode())
		}
		if want := c.source + ":" + c.detail; a.String() != want {
			t.Errorf("%s: is written as %s, not %s", c.text, a, want)
		}
	}
}

// A user who writes a wrong address is told which one, what is wrong with it and what may stand there.
func TestParseAddressErrors(t *testing.T) {
	for text, wants := range map[string][]string{
		"":                                  {`""`, "SOURCE:DETAIL", "systemd:https"},
		"8080":                              {`"8080"`, "SOURCE:DETAIL"},
		"sytemd:web":                        {`unknown source "sytemd"`, `"sytemd:web"`, "systemd, launchd, fd, inetd, tcp, udp, unix"},
		"https=http=tcp:80":                 {`unknown source "http=tcp"`},
		":80":                               {`unknown source ""`},
		"TCP:80":                            {`unknown source "TCP"`},
		"http://localhost:80":               {`unknown source "http"`},
		"fd:":                               {"fd:", "fd:N"},
		"fd:x":                              {"fd:x", "fd:N"},
		"fd:-1":                             {"fd:-1", "fd:N"},
		"fd:3.5":                            {"fd:N"},
		"fd:2147483648":                     {"fd:N"},
		"fd:3?mode=0600":                    {`"fd:3?mode=0600"`, `no option "mode"`},
		"inetd:0":                           {"inetd:", "fd:N"},
		"systemd:web[":                      {"NAME[INDEX]", "counting from 0"},
		"systemd:web[]":                     {"NAME[INDEX]"},
		"systemd:web[x]":                    {"NAME[INDEX]"},
		"systemd:web[-1]":                   {"NAME[INDEX]"},
		"systemd:web[1]x":                   {"NAME[INDEX]"},
		"systemd:web?prox=v2":               {`no option "prox"`, "its options are channel, from, accept, proxy"},
		"systemd:web?proxy":                 {"proxy= is no version", "v1, v2, any"},
		"tcp:80?proxy=v3":                   {`"tcp:80?proxy=v3"`, "proxy=v3", "v1, v2, any"},
		"launchd:Listeners?x":               {`no option "x"`},
		"tcp:":                              {"tcp:HOST:PORT", "0 to 65535"},
		"tcp:localhost":                     {"tcp:HOST:PORT"},
		"tcp:localhost:":                    {"tcp:HOST:PORT"},
		"tcp:localhost:http":                {"tcp:HOST:PORT"},
		"tcp:localhost:65536":               {"tcp:localhost:65536", "0 to 65535"},
		"tcp:localhost:-1":                  {"0 to 65535"},
		"tcp:[::1]":                         {"tcp:[IPV6]:PORT"},
		"tcp:::1:80":                        {"tcp:[IPV6]:PORT"},
		"tcp:80?reuse":                      {`no option "reuse"`},
		"udp:localhost":                     {"udp:HOST:PORT", "udp:[IPV6]:PORT", "0 to 65535"},
		"udp:53?proxy=v2":                   {`no option "proxy"`, "its options are interface, namespace, transparent, freebind, reuse-port"},
		"unix:":                             {"names no path", "unix:/run/rouse.sock"},
		"unix:?mode=0600":                   {"names no path"},
		"unix:/run/%zz":                     {"path of address", `"unix:/run/%zz"`},
		"unix:/run/%00":                     {"NUL"},
		"unix:/x?mode=%zz":                  {"options of address"},
		"unix:/x?mode=0600;owner=":          {"options of address"},
		"unix:/x?mod=0600":                  {`no option "mod"`, "its options are mode, owner, group, proxy"},
		"unix:/x?mode=rw":                   {"mode=rw", "octal", "0777"},
		"unix:/x?mode=0888":                 {"mode=0888", "octal"},
		"unix:/x?mode=1777":                 {"mode=1777", "0777"},
		"unix:/" + strings.Repeat("x", 200): {"has 201 bytes", "at most 10"},
		"unix:@name?mode=0600":              {"unix:@name"},
		"tcp:80?interface":                  {"interface= has no value"},
		"tcp:80?freebind=1":                 {"freebind=1", "yes or no"},
		"tcp:80?backlog=0":                  {"backlog=0", "4096"},
		"udp:80?backlog=9":                  {`no option "backlog"`},
		"handoff:":                          {"names no path", "handoff:/run/rouse.sock"},
		"handoff:/x?mode=rw":                {"mode=rw", "octal"},
		"handoff:/x?accept=all":             {"accept=all", "unix"},
		"handoff:/x?from=":                  {"from= has no value"},
		"dispatch:/x":                       {"names no backend", "dispatch:PATH#NAME"},
		"dispatch:/x#":                      {"names no backend"},
		"dispatch:/x#b?takes=all":           {"takes=all", "listener or connections"},
		"dispatch:/x#b?protocol=socketbox":  {"number of a slot", "#3"},
		"dispatch:/x#3?protocol=socketbox&takes=listener": {"no listeners"},
		"dispatch:/x#b?mode=0600":                         {`no option "mode"`},
		"fd:3?channel=yes":                                {"channel has no value"},
		"fd:3?from=0":                                     {"?channel"},
		"launchd:x?channel":                               {`no option "channel"`},
	} {
		a, err := ParseAddress(text)
		if err == nil {
			t.Errorf("%q was taken: %+v", text, a)
			continue
		}
		for _, want := range wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %q does not say %q", text, err, want)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: the error has several lines: %q", text, err)
		}
	}
}

// A user may write the addresses of SERVER_LISTEN with spaces, commas, both, or one per line.
func TestParseAddresses(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                    nil,
		" , ":                                 nil,
		"fd:3":                                {"fd:3"},
		"fd:3,fd:4":                           {"fd:3", "fd:4"},
		"fd:3 fd:4":                           {"fd:3", "fd:4"},
		" fd:3 ,\n\tfd:4,, ":                  {"fd:3", "fd:4"},
		"unix:/a%2Cb?mode=0600&owner=0 tcp:1": {"unix:/a,b", "tcp:1"},
	} {
		all, err := ParseAddresses(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
		}
		var got []string
		for _, a := range all {
			got = append(got, a.String())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if all, err := ParseAddresses("fd:3 nonsense fd:4"); err == nil || all != nil || !strings.Contains(err.Error(), `"nonsense"`) {
		t.Errorf("one bad address among good ones gave %v, %v", all, err)
	}
}

// Whatever stands in SERVER_LISTEN, the program ends with a sentence and not with a crash; and an address that was taken
// means the same when it is written out again, as messages do.
func FuzzParseAddress(f *testing.F) {
	for _, seed := range []string{
		"systemd:", "systemd:web[1]", "https=systemd:web", "launchd:Listeners", "fd:3", "inetd:", "tcp:8080", "tcp:[::1]:8443",
		"unix:/run/x.sock?mode=0660&owner=root", "unix:@name", "unix:/a%2Cb%20c", "=fd:3", "unix:/%00", "systemd:[", "fd:+3", "tcp::", "unix:/x?mode=;",
		"handoff:/x?from=a,b", "dispatch:/x#y", "dispatch:#3?protocol=socketbox", "fd:3?channel", "tcp:80?namespace=x&backlog=1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAddress(text)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		if !slices.Contains(Sources(), a.Source) {
			t.Errorf("source %q", a.Source)
		}
		again := a.String()
		if a.Source == "unix" || a.channel() && !a.Options.Has("channel") {
			again = a.Source + ":" + url.PathEscape(a.Detail)
		}
		if a.Options.Has("protocol") {
			again += "?protocol=socketbox" // which makes the name a number
		}
		b, err := ParseAddress(again)
		if err != nil || b.Source != a.Source || b.Detail != a.Detail {
			t.Errorf("%q is %q, which is %+v, %v", text, again, b, err)
		}
	})
}
