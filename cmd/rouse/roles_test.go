package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/platform"
	"github.com/rouse-server/rouse/server"
)

// loaded reads settings from variables and flags, both separated by blanks.
func loaded(t testing.TB, env, args string) *settings {
	t.Helper()
	set(t, strings.Fields(env)...)
	s, _, _, err := load(console{args: strings.Fields(args)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// credentials makes systemd's folder of credentials with these files.
func credentials(t testing.TB, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
}

// Whether sockets without a role speak TLS is what was said, and else whether there is a certificate: a user never gets clear
// text where a certificate was given.
func TestTLSOn(t *testing.T) {
	for _, c := range []struct {
		env, args  string
		credential string
		want       bool
	}{
		{"", "", "none", false},
		{"", "--tls", "none", true},
		{"SERVER_TLS=true", "", "none", true},
		{"SERVER_HTTP2_TLS=true", "", "none", true},
		{"", "--http2", "none", true},
		{"", "--tls-cert c --tls-key k", "none", true},
		{"", "--http2-tls-cert c --http2-tls-key k", "none", true},
		{"SERVER_TLS_CERT=c SERVER_TLS_KEY=k", "", "none", true},
		{"", "", "a certificate", true},
		{"", "", "\n", false}, // the shipped unit's stand-in
		{"", "", "", false},
		{"", "--tls=false --tls-cert c --tls-key k", "none", false},
		{"", "--tls=false", "a certificate", false},
		{"", "--http2=false --http2-tls-cert c --http2-tls-key k", "none", false}, // static-web-server 2's way to turn it off
		{"", "--http2=false --tls-cert c --tls-key k", "none", true},              // and 3's to turn HTTP/2 off
		{"SERVER_TLS=false", "--tls", "none", true},
	} {
		t.Run(c.env+" "+c.args+" "+c.credential, func(t *testing.T) {
			if c.credential != "none" {
				credentials(t, map[string]string{"tls.crt": c.credential})
			}
			if got := loaded(t, c.env, c.args).tlsOn(); got != c.want {
				t.Errorf("TLS: %t, want %t", got, c.want)
			}
		})
	}
}

// A socket is for what its address says, else for what its name says, else TLS decides; HTTP/3 is refused with that sentence.
func TestRoleOf(t *testing.T) {
	for _, c := range []struct {
		socket activation.Socket
		args   string
		want   string
	}{
		{activation.Socket{}, "", "http"},
		{activation.Socket{}, "--tls", "https"},
		{activation.Socket{Name: "https"}, "", "https"},
		{activation.Socket{Name: "http"}, "--tls", "http"},
		{activation.Socket{Name: "web"}, "", "http"},
		{activation.Socket{Name: "web"}, "--tls", "https"},
		{activation.Socket{Name: "HTTPS"}, "", "http"},
		{activation.Socket{Name: "https.socket"}, "", "http"},
		{activation.Socket{Name: "http", Role: "https"}, "", "https"},
		{activation.Socket{Name: "https", Role: "http"}, "--tls", "http"},
		{activation.Socket{Name: "h3", Role: "https"}, "", "https"},
		{activation.Socket{Name: "connection", Kind: activation.Connection}, "--tls", "https"},
		{activation.Socket{Name: "h3", Source: "systemd:h3", Number: 3}, "", "error systemd:h3 (descriptor 3): " + noHTTP3},
		{activation.Socket{Role: "h3", Source: "fd:3", Number: 3}, "", "error fd:3"},
		{activation.Socket{Name: "web", Kind: activation.Packet, Source: "systemd:web", Number: 4}, "", "error systemd:web (descriptor 4): " + noHTTP3},
		{activation.Socket{Role: "http", Kind: activation.Packet, Source: "fd:3"}, "", "error "},
	} {
		got, err := loaded(t, "", c.args).roleOf(c.socket)
		if err != nil {
			got = "error " + err.Error()
			if f, ok := err.(failure); !ok || f.code != exitConfig {
				t.Errorf("%+v: %v has not the exit code of a wrong configuration", c.socket, err)
			}
		}
		if got != c.want && (err == nil || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%+v with %q: %s, want %s", c.socket, c.args, got, c.want)
		}
	}
}

// Every option about sockets or TLS, in every spelling, ends bare mode: nobody who configured something gets a development
// server. The others only modify it.
func TestSaysNothing(t *testing.T) {
	modify := []string{"root", "index-files", "log-level", "log-format", "grace-period", "drain-timeout", "idle-exit", "tls-handshake-timeout",
		"client-header-timeout", "client-body-timeout", "keepalive-timeout", "send-timeout"}
	isModifier := map[string]bool{}
	for _, name := range modify {
		isModifier[name] = true
	}
	for _, o := range defaults().options() {
		text, _ := sample(t, o)
		t.Run(o.name(), func(t *testing.T) {
			set(t, o.variable+"="+text)
			if s := loaded(t, "", ""); s.saysNothing() != isModifier[o.name()] {
				t.Errorf("%s=%s: bare mode is %t", o.variable, text, s.saysNothing())
			}
			if o.flag == "" {
				return
			}
			set(t, o.variable+"=")
			if s := loaded(t, "", "--"+o.flag+"="+text); s.saysNothing() != isModifier[o.name()] {
				t.Errorf("--%s=%s: bare mode is %t", o.flag, text, s.saysNothing())
			}
		})
	}
	if s := loaded(t, "", ""); !s.saysNothing() {
		t.Error("nothing was said, and something is understood")
	}
}

// TLS options that contradict each other stop the start with a sentence that names them as the user wrote them.
func TestCheckTLS(t *testing.T) {
	for _, c := range []struct {
		env, args string
		code      int
		want      string
	}{
		{"", "", 0, ""},
		{"", "--tls-cert c --tls-key k", 0, ""},
		{"SERVER_TLS_CERT=c", "--tls-key k", 0, ""},
		{"", "--http2 --tls", 0, ""},
		{"", "--http2 --tls-cert c --tls-key k", 0, ""},
		{"", "--http2=false --tls=false", 0, ""},
		{"", "--tls-cert c", exitUsage, "--tls-cert is given without --tls-key"},
		{"", "--tls-key c", exitUsage, "--tls-key is given without --tls-cert"},
		{"", "--http2-tls-cert c", exitUsage, "--http2-tls-cert is given without --http2-tls-key"},
		{"", "--http2-tls-key c", exitUsage, "--http2-tls-key is given without --http2-tls-cert"},
		{"SERVER_TLS_CERT=c", "", exitConfig, "SERVER_TLS_CERT is given without SERVER_TLS_KEY"},
		{"SERVER_HTTP2_TLS_KEY=c", "", exitConfig, "SERVER_HTTP2_TLS_KEY is given without SERVER_HTTP2_TLS_CERT"},
		{"", "--http2 --tls=false", exitUsage, "--http2 needs TLS, and --tls turns it off"},
		{"SERVER_TLS=false", "--http2", exitConfig, "--http2 needs TLS, and SERVER_TLS turns it off"},
		{"", "--http2", exitUsage, "--http2 needs TLS, and there is no certificate"},
		{"SERVER_HTTP2=true", "", exitConfig, "SERVER_HTTP2 needs TLS"},
	} {
		t.Run(c.env+" "+c.args, func(t *testing.T) {
			err := loaded(t, c.env, c.args).checkTLS()
			if c.code == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if f, ok := err.(failure); !ok || f.code != c.code || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%v, want %d, %s", err, c.code, c.want)
			}
		})
	}
	credentials(t, map[string]string{"tls.crt": "a certificate"})
	if err := loaded(t, "", "--http2").checkTLS(); err != nil {
		t.Errorf("--http2 with systemd's certificate: %v", err)
	}
}

// at is a socket of the role, on the address, inherited unless bound.
func at(role string, family platform.Family, local string, number int) served {
	return served{Socket: activation.Socket{Source: "fd:3", Number: number, Kind: activation.Listener, Info: platform.Socket{Family: family, Local: local}}, role: role}
}

// The addresses that are printed can be clicked: default ports left out, brackets where IPv6 needs them.
func TestURL(t *testing.T) {
	for _, c := range []struct {
		socket     served
		want, bare string
	}{
		{at("https", platform.IPv4, "127.0.0.1:8443", 3), "https://127.0.0.1:8443", "https://localhost:8443"},
		{at("http", platform.IPv6, "[::1]:8080", 3), "http://[::1]:8080", "http://localhost:8080"},
		{at("https", platform.IPv6, "[::]:443", 3), "https://localhost", "https://localhost"},
		{at("http", platform.IPv4, "0.0.0.0:80", 3), "http://localhost", "http://localhost"},
		{at("http", platform.IPv4, "0.0.0.0:443", 3), "http://localhost:443", "http://localhost:443"},
		{at("https", platform.IPv6, "[2001:db8::1]:443", 3), "https://[2001:db8::1]", "https://[2001:db8::1]"},
		{at("https", platform.IPv6, "[2001:db8::1]:8443", 3), "https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"},
		{at("https", platform.IPv4, "192.0.2.1:443", 3), "https://192.0.2.1", "https://192.0.2.1"},
		{at("http", platform.Unix, "/run/x.sock", 3), "http on /run/x.sock", "http on /run/x.sock"},
		{at("https", platform.Unix, "", 3), "https on an unnamed unix socket", "https on an unnamed unix socket"},
	} {
		if got := c.socket.url(false); got != c.want {
			t.Errorf("%+v: %s, want %s", c.socket.Info, got, c.want)
		}
		if got := c.socket.url(true); got != c.bare {
			t.Errorf("%+v in bare mode: %s, want %s", c.socket.Info, got, c.bare)
		}
	}
}

// A development certificate is for the machine's own user only: for sockets that Rouse bound itself on loopback.
func TestOwnLoopback(t *testing.T) {
	for _, c := range []struct {
		socket served
		want   bool
	}{
		{at("https", platform.IPv4, "127.0.0.1:8443", -1), true},
		{at("https", platform.IPv6, "[::1]:8443", -1), true},
		{at("https", platform.IPv4, "127.8.9.1:8443", -1), true},
		{at("https", platform.IPv4, "127.0.0.1:8443", 3), false},
		{at("https", platform.IPv6, "[::]:8443", -1), false},
		{at("https", platform.IPv4, "0.0.0.0:8443", -1), false},
		{at("https", platform.IPv4, "192.0.2.1:8443", -1), false},
		{at("https", platform.Unix, "/run/x.sock", -1), false},
	} {
		if got := c.socket.ownLoopback(); got != c.want {
			t.Errorf("%+v, number %d: %t", c.socket.Info, c.socket.Number, got)
		}
		_, err := loaded(t, "SERVER_LOG_LEVEL=info XDG_STATE_HOME="+t.TempDir(), "").certificateFor([]served{c.socket})
		if (err == nil) != c.want {
			t.Errorf("%+v, number %d: certificate: %v", c.socket.Info, c.socket.Number, err)
		}
	}
	if got, err := loaded(t, "", "").certificateFor([]served{at("http", platform.IPv4, "192.0.2.1:80", 3)}); got.store != nil || err != nil {
		t.Errorf("a certificate for clear text: %+v, %v", got, err)
	}
}

// http sockets redirect to the https one that stands beside them, to its port; alone they serve.
func TestAssignRedirect(t *testing.T) {
	sockets := []activation.Socket{
		{Name: "http", Info: platform.Socket{Family: platform.IPv4, Local: "0.0.0.0:80"}},
		{Name: "https", Info: platform.Socket{Family: platform.IPv4, Local: "0.0.0.0:8443"}},
		{Name: "https", Info: platform.Socket{Family: platform.IPv6, Local: "[::]:443"}},
	}
	for args, want := range map[string]string{
		"": "http false, https false, https false", "--https-redirect": "http true, https false, https false",
	} {
		s := loaded(t, "", args)
		all, err := s.assign(sockets)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, one := range all {
			got = append(got, fmt.Sprintf("%s %t", one.role, one.redirect))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%q: %q, want %q", args, got, want)
		}
		given := (&site{settings: s, sockets: all}).serverSockets()
		for i, one := range given {
			if one.TLS != (all[i].role == "https") || (one.Redirect != nil) != all[i].redirect || one.Name != all[i].Socket.String() || one.Bound {
				t.Errorf("%q: the server is given %+v", args, one)
			}
		}
		if r := given[0].Redirect; r != nil && (r.Port != 8443 || r.Host != "" || r.Hosts != nil) {
			t.Errorf("%q: redirects to %+v", args, r)
		}
	}
	if alone, err := loaded(t, "", "--https-redirect").assign(sockets[:1]); err != nil || alone[0].redirect {
		t.Errorf("without an https socket: %+v, %v", alone, err)
	}
	s := loaded(t, "", "--https-redirect --https-redirect-host w.example --https-redirect-from-hosts a.example,b.example")
	all, err := s.assign(sockets)
	if err != nil {
		t.Fatal(err)
	}
	if r := (&site{settings: s, sockets: all}).serverSockets()[0].Redirect; r.Host != "w.example" || r.Hosts.String() != "a.example,b.example" {
		t.Errorf("redirects to %+v", r)
	}
}

// Two flags that say different things about where sockets come from are refused; where a variable is involved the more exact
// one wins, and the user reads which.
func TestCheckSocketOptions(t *testing.T) {
	for _, c := range []struct{ env, args, notice, refused string }{
		{"", "--listen fd:3", "", ""},
		{"", "--host ::1 --port 80", "", ""},
		{"", "--listen fd:3 --fd 3", "", "--listen and --fd"},
		{"", "--listen fd:3 --host ::1", "", "--listen and --host"},
		{"", "--listen fd:3 --port 80", "", "--listen and --port"},
		{"", "--fd 3 --host ::1", "", "--fd and --host"},
		{"", "--fd 3 --port 80", "", "--fd and --port"},
		{"", "--fd 3 --https-redirect", "", "--fd and --https-redirect"},
		{"SERVER_LISTEN=fd:3", "--fd 4", "SERVER_LISTEN is not used: --fd", ""},
		{"SERVER_LISTEN_FD=4", "--listen fd:3", "SERVER_LISTEN_FD is not used: --listen", ""},
		{"SERVER_LISTEN_FD=4 SERVER_LISTEN=fd:3", "", "SERVER_LISTEN_FD is not used: SERVER_LISTEN", ""},
		{"SERVER_HOST=::1", "--listen fd:3", "SERVER_HOST is not used: --listen", ""},
		{"SERVER_LISTEN=fd:3", "--port 80", "--port is not used: SERVER_LISTEN", ""},
	} {
		t.Run(c.env+" "+c.args, func(t *testing.T) {
			notices, err := loaded(t, c.env, c.args).checkSocketOptions()
			if c.refused != "" {
				if f, ok := err.(failure); !ok || f.code != exitUsage || !strings.HasPrefix(err.Error(), c.refused) {
					t.Errorf("%v", err)
				}
				return
			}
			if got := strings.Join(notices, "|"); err != nil || !strings.HasPrefix(got, c.notice) || (got == "") != (c.notice == "") {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

// A port that is taken may be free at the next start; everything else about sockets needs the administrator.
func TestSocketFailure(t *testing.T) {
	for err, code := range map[error]int{
		syscall.EADDRINUSE:                            exitFailed,
		fmt.Errorf("tcp:80: %w", syscall.EADDRINUSE):  exitFailed,
		syscall.EACCES:                                exitConfig,
		fmt.Errorf("fd:3: %w", platform.ErrNotSocket): exitConfig,
		usage("x"): exitUsage,
	} {
		if f, ok := socketFailure(err).(failure); !ok || f.code != code || !strings.Contains(f.Error(), err.Error()) {
			t.Errorf("%v: %+v, want %d", err, f, code)
		}
	}
	for _, err := range []error{nil, activation.ErrGone} {
		if got := socketFailure(err); got != err {
			t.Errorf("%v becomes %v", err, got)
		}
	}
}

// Exiting for idleness is for sockets that somebody holds meanwhile, and on launchd not so soon that the next client waits.
func TestIdleSpan(t *testing.T) {
	listed := activation.Socket{Source: "systemd:web", Number: 3}
	waits := activation.Socket{Source: "inetd:", Number: 0, Wait: true}
	launched := activation.Socket{Source: "launchd:Listeners", Number: 3}
	own := activation.Socket{Source: "tcp:80", Number: -1}
	for _, c := range []struct {
		args    string
		sockets []activation.Socket
		want    string
		said    bool
	}{
		{"", []activation.Socket{listed}, "0s", false},
		{"--idle-exit 5m", []activation.Socket{listed}, "5m0s", false},
		{"--idle-exit 1", []activation.Socket{listed}, "1s", false},
		{"", []activation.Socket{waits}, "1m0s", false},
		{"--idle-exit 5s", []activation.Socket{waits}, "5s", false},
		{"--idle-exit 0", []activation.Socket{waits}, "0s", false},
		{"--idle-exit 1s", []activation.Socket{launched}, "10s", false},
		{"--idle-exit 5m", []activation.Socket{launched}, "5m0s", false},
		{"", []activation.Socket{launched}, "0s", false},
		{"--idle-exit 5m", []activation.Socket{own}, "0s", true},
		{"--idle-exit 5m", []activation.Socket{listed, own}, "0s", true},
	} {
		var said output
		s := &site{settings: loaded(t, "", c.args), log: newLog(&said, "auto", server.LevelTrace)}
		for _, socket := range c.sockets {
			s.sockets = append(s.sockets, served{Socket: socket})
		}
		if got := s.idleSpan().String(); got != c.want || strings.Contains(said.String(), "--idle-exit is not used") != c.said {
			t.Errorf("%q, %v: %s, want %s; said %q", c.args, c.sockets, got, c.want, said.String())
		}
	}
}
