package wake

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/platform"
)

func heldTCP(name, source, local string) activation.Held {
	family := platform.IPv4
	if strings.HasPrefix(local, "[") {
		family = platform.IPv6
	}
	return activation.Held{Name: name, Source: source, Number: 40, Kind: activation.Listener,
		Info: platform.Socket{Family: family, Type: platform.Stream, Protocol: "tcp", State: platform.Listening, Local: local}}
}

func heldUDP(local string) activation.Held {
	h := heldTCP("dns", "systemd:dns", local)
	h.Kind, h.Info.Type, h.Info.Protocol = activation.Packet, platform.Datagram, "udp"
	return h
}

func heldUnix(path string) activation.Held {
	h := heldTCP("", "unix:"+path, path)
	h.Info.Family = platform.Unix
	return h
}

// Two sockets of systemd and one without a name.
func three() []activation.Held {
	return []activation.Held{heldTCP("web", "systemd:web", "127.0.0.1:80"), heldTCP("mail", "systemd:mail", "[::]:25"), heldUnix("/run/x.sock")}
}

func TestLayout(t *testing.T) {
	stale := []string{"PATH=/bin", "LISTEN_PID=1", "LISTEN_FDS=9", "LISTEN_FDNAMES=a", "LISTEN_PIDFDID=7", "NGINX=8;9;", "ANGIE=/opt/angie",
		"EINHORN_FD_COUNT=1", "EINHORN_FD_0=3", "SERVER_STARTER_PORT=80=3", "NOTIFY_SOCKET=/run/n", "WATCHDOG_PID=42"}
	kept := []string{"PATH=/bin", "ANGIE=/opt/angie", "NOTIFY_SOCKET=/run/n", "WATCHDOG_PID=42"}
	tests := []struct {
		name, adapter, path string
		sockets             []activation.Held
		pidfdID             string
		variables           []string
		targets             []int
		blocking            want
	}{
		{"systemd", "systemd", "/bin/x", three(), "", []string{"LISTEN_PID=42", "LISTEN_FDS=3", "LISTEN_FDNAMES=web:mail:unknown"}, []int{3, 4, 5}, asPassed},
		{"systemd with pidfd", "systemd", "/bin/x", three()[:1], "99", []string{"LISTEN_PID=42", "LISTEN_PIDFDID=99", "LISTEN_FDS=1", "LISTEN_FDNAMES=web"}, []int{3}, asPassed},
		{"nginx", "nginx", "/usr/sbin/nginx", three()[:2], "", []string{"NGINX=3;4;"}, []int{3, 4}, mustNotBlock},
		{"angie", "nginx", "/usr/sbin/angie", three()[:1], "", []string{"ANGIE=3;"}, []int{3}, mustNotBlock},
		{"einhorn", "einhorn", "/bin/x", three(), "", []string{"EINHORN_MASTER_PID=41", "EINHORN_FD_COUNT=3", "EINHORN_FD_0=3", "EINHORN_FD_FAMILY_0=AF_INET",
			"EINHORN_FD_1=4", "EINHORN_FD_FAMILY_1=AF_INET6", "EINHORN_FD_2=5", "EINHORN_FD_FAMILY_2=AF_UNIX"}, []int{3, 4, 5}, asPassed},
		{"server-starter", "server-starter", "/bin/x", append(three(), heldUDP("0.0.0.0:443"), heldUDP("[::1]:53")), "",
			[]string{"SERVER_STARTER_PORT=127.0.0.1:80=3;[::]:25=4;/run/x.sock=5;u443=6;u[::1]:53=7", "SERVER_STARTER_GENERATION=1"}, []int{3, 4, 5, 6, 7}, asPassed},
		{"inetd", "inetd", "/bin/x", three()[:1], "", nil, []int{0, 1}, mustBlock},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := Config{Command: []string{"x", "-a"}, Path: test.path, Env: slices.Clone(stale), Sockets: test.sockets}
			l, err := c.layout(test.adapter, identity{42, 41, test.pidfdID})
			if err != nil {
				t.Fatal(err)
			}
			if wanted := append(slices.Clone(kept), test.variables...); !slices.Equal(l.env, wanted) {
				t.Errorf("environment\n%q, want\n%q", l.env, wanted)
			}
			var targets []int
			for _, s := range l.sockets {
				targets = append(targets, s.target)
			}
			if !slices.Equal(targets, test.targets) || l.blocking != test.blocking {
				t.Errorf("targets %v, blocking %v; want %v, %v", targets, l.blocking, test.targets, test.blocking)
			}
			if !slices.Equal(l.argv, c.Command) || !slices.Equal(c.Env, stale) {
				t.Errorf("arguments %q, environment of the caller %q", l.argv, c.Env)
			}
		})
	}
}

func TestPlaceholders(t *testing.T) {
	pair := []activation.Held{heldTCP("web", "systemd:web[0]", "0.0.0.0:80"), heldTCP("web", "systemd:web[1]", "[::]:80"), heldTCP("mail", "systemd:mail", "[::]:25")}
	one := pair[2:]
	unnamed := []activation.Held{heldTCP("", "fd:9", "0.0.0.0:80"), heldUnix("/run/x.sock")}
	tests := []struct {
		sockets      []activation.Held
		in, out      string // or the error
		unnamed      int
		wrongMessage string
	}{
		{sockets: one, in: "--fd {fd} app", out: "--fd 3 app"},
		{sockets: one, in: "fd://{fd:mail} fd@{fd},{fd}", out: "fd://3 fd@3,3"},
		{sockets: one, in: `{"a":1} {fdx} {fd {FD} ${fd} {fd`, out: `{"a":1} {fdx} {fd {FD} $3 {fd`},
		{sockets: pair, in: "{fd:web[0]} {fd:web[1]} fd/{fd:mail}", out: "3 4 fd/5"},
		{sockets: pair, in: "{fd:mail}", out: "5", unnamed: 2},
		{sockets: pair, in: "{fd:systemd:web[1]}", out: "4", unnamed: 2},
		{sockets: unnamed, in: "{fd:unix:/run/x.sock} {fd:fd:9}", out: "4 3"},
		{sockets: pair, in: "{fd}", wrongMessage: "{fd} may be any of 3 sockets: write {fd:web[0]}, {fd:web[1]}, {fd:mail}"},
		{sockets: pair, in: "{fd:web}", wrongMessage: "{fd:web} may be any of 2 sockets: write {fd:web[0]}, {fd:web[1]}, {fd:mail}"},
		{sockets: pair, in: "{fd:web[2]}", wrongMessage: "{fd:web[2]} names no socket: write {fd:web[0]}, {fd:web[1]}, {fd:mail}"},
		{sockets: one, in: "{fd:} {fd:smtp}", wrongMessage: "{fd:smtp} names no socket: write {fd}"},
		{sockets: one, in: "--fd 3", wrongMessage: "no argument says where the descriptor belongs: write {fd} there, such as --fd {fd}"},
		{sockets: unnamed, in: "x", wrongMessage: "no argument says where the descriptor belongs: write {fd:fd:9}, {fd:unix:/run/x.sock} there, such as --fd {fd:fd:9}"},
	}
	for _, test := range tests {
		c := Config{Command: append([]string{"{fd}"}, strings.Split(test.in, " ")...), Path: "/bin/x", Sockets: test.sockets}
		l, err := c.layout("argv", identity{})
		if test.wrongMessage != "" {
			var refusal Refused
			if !errors.As(err, &refusal) || err.Error() != test.wrongMessage {
				t.Errorf("%s: error %v, want %s", test.in, err, test.wrongMessage)
			}
			continue
		}
		if err != nil || strings.Join(l.argv, " ") != "{fd} "+test.out || len(l.unnamed) != test.unnamed || len(l.sockets)+test.unnamed != len(test.sockets) {
			t.Errorf("%s: %q, %v, %d unnamed; want %q", test.in, l.argv, err, len(l.unnamed), test.out)
		}
	}
}

func TestLayoutRefuses(t *testing.T) {
	for _, test := range []struct {
		adapter, message string
		sockets          []activation.Held
	}{
		{"inetd", "inetd's way is for one socket, and there are 3: systemd:web, systemd:mail, unix:/run/x.sock", three()},
		{"systemd", `no way to write the name "a:b": name the socket anew, --listen NAME=launchd:a:b`, []activation.Held{heldTCP("a:b", "launchd:a:b", "127.0.0.1:80")}},
		{"server-starter", "a path with ; or = cannot be told", []activation.Held{heldUnix("/run/a;b")}},
		{"smoke", "--as=smoke: there are systemd, nginx", three()},
	} {
		_, err := Config{Command: []string{"x"}, Sockets: test.sockets}.layout(test.adapter, identity{})
		var refusal Refused
		if !errors.As(err, &refusal) || !strings.Contains(err.Error(), test.message) {
			t.Errorf("%s: %v, want %s", test.adapter, err, test.message)
		}
	}
}
