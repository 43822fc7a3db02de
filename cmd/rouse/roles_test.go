package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/platform"
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
		{activation.Socket{Name: "admin"}, "--tls", "admin"},
		{activation.Socket{Name: "https", Role: "admin"}, "", "admin"},
		{activation.Socket{Name: "admin", Role: "https"}, "", "https"},
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
		{at("admin", platform.IPv4, "127.0.0.1:9090", 3), "http://127.0.0.1:9090", "http://localhost:9090"},
		{at("admin", platform.IPv6, "[::1]:80", 3), "http://[::1]", "http://localhost"},
		{at("admin", platform.Unix, "/run/x.sock", 3), "http on /run/x.sock", "http on /run/x.sock"},
		{served{Socket: activation.Socket{Source: "dispatch:/x#blog", Kind: activation.Channel, Info: platform.Socket{Family: platform.Unix}}, role: "https"}, "https on the connections that arrive", "https on the connections that arrive"},
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

// A socket for administration is beside the site: it neither redirects nor speaks TLS, and is not enough to start.
func TestAdminSockets(t *testing.T) {
	s := loaded(t, "", "--https-redirect")
	all, err := s.assign([]activation.Socket{{Name: "admin", Source: "systemd:admin", Number: 3}, {Name: "http", Number: 4}, {Name: "https", Number: 5}})
	if err != nil {
		t.Fatal(err)
	}
	for i, one := range (&site{settings: s, sockets: all}).serverSockets() {
		if one.Admin != (i == 0) || one.TLS != (i == 2) || (one.Redirect != nil) != (i == 1) {
			t.Errorf("%d: %+v", i, one)
		}
	}
	if err := checkSite(all); err != nil {
		t.Error(err)
	}
	if err := checkSite(nil); err != nil {
		t.Error(err)
	}
	err = checkSite(all[:1])
	if f, ok := err.(failure); !ok || f.code != exitConfig || !strings.HasPrefix(err.Error(), "systemd:admin (descriptor 3) is for administration") {
		t.Error(err)
	}
	if got := all[0].would(); got != "answer health, readiness and metrics" {
		t.Error(got)
	}
	if err := checkRole("admn=fd:3", "admn"); err == nil || !strings.Contains(err.Error(), "roles are https, http and admin") || !strings.Contains(err.Error(), "did you mean admin?") {
		t.Error(err)
	}
}
