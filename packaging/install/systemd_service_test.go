package install

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// planOf plans one of the variants.
func planOf(t *testing.T, name string, user bool) (Site, Plan) {
	t.Helper()
	site := variants(t)[name]
	plan, err := systemdPlan(site, linux(user))
	if err != nil {
		t.Fatal(err)
	}
	return site, plan
}

func TestServe(t *testing.T) {
	site, plan := planOf(t, "https", false)
	want := Units{
		Service: "rouse-site.service", Sockets: []string{"rouse-site.socket", "rouse-site-http.socket"},
		Timers: []string{"rouse-site-renew.timer"}, Others: []string{"rouse-site-renew.service"},
	}
	if got := plan.Units; got.Service != want.Service || !slices.Equal(got.all(), want.all()) || got.Boot {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if plan.Log != "journalctl -u rouse-site.service" || plan.Undo != "sudo rouse uninstall site" || len(plan.Notices) != 0 {
		t.Errorf("log %q, undo %q, notices %q", plan.Log, plan.Undo, plan.Notices)
	}
	areSet(t, textOf(t, plan, "rouse-site.service"), map[string][]string{
		"ExecStart": {site.Program + " serve --text-charset"}, "EnvironmentFile": {"/etc/rouse/site/rouse.env"},
		"Environment": {"SERVER_LISTEN=systemd:", "SERVER_IDLE_EXIT=5m", "FDSTORE=32"}, "FileDescriptorStoreMax": {"32"},
		"LoadCredential": {"tls.crt:/etc/rouse/site/tls.crt", "tls.key:/etc/rouse/site/tls.key"},
		"SetCredential":  {`tls.crt:\n`, `tls.key:\n`},
		"PrivateNetwork": {"yes"}, "IPAddressDeny": {"any"}, "RestrictAddressFamilies": {"AF_UNIX"}, "ProtectHome": {"yes"},
		"Also": {"rouse-site.socket rouse-site-http.socket"}, "WantedBy": nil,
	})
	areSet(t, textOf(t, plan, "rouse-site-renew.service"), map[string][]string{
		"ExecStart": {site.Program + " renew site"}, "Type": {"oneshot"}, "ReadWritePaths": {"/etc/rouse/site"}, "ProtectSystem": {"strict"},
		"PrivateNetwork": {"yes"}, "CapabilityBoundingSet": {""}, "RestrictAddressFamilies": {"AF_UNIX"},
	})
	areSet(t, textOf(t, plan, "rouse-site-renew.timer"), map[string][]string{
		"OnCalendar": {"weekly"}, "Persistent": {"yes"}, "RandomizedDelaySec": {"12h"}, "WantedBy": {"timers.target"},
	})
}

func TestServeForAUser(t *testing.T) {
	site, plan := planOf(t, "https", true)
	if plan.Log != "journalctl --user -u rouse-site.service" || plan.Undo != "rouse uninstall --user site" {
		t.Errorf("log %q, undo %q", plan.Log, plan.Undo)
	}
	if !strings.Contains(strings.Join(plan.Notices, "\n"), "loginctl enable-linger") {
		t.Errorf("notices %q", plan.Notices)
	}
	areSet(t, textOf(t, plan, "rouse-site.service"), map[string][]string{
		"EnvironmentFile": {"/home/me/.config/rouse/site/rouse.env"}, "RestrictAddressFamilies": {"AF_UNIX"},
		"LoadCredential": {"tls.crt:/home/me/.config/rouse/site/tls.crt", "tls.key:/home/me/.config/rouse/site/tls.key"},
	})
	areSet(t, textOf(t, plan, "rouse-site-renew.service"), map[string][]string{
		"ExecStart": {site.Program + " renew site --user"}, "ReadWritePaths": nil, "PrivateNetwork": nil, "NoNewPrivileges": {"yes"},
	})
}

// Without a certificate, systemd hands over none, and Rouse does not speak TLS.
func TestServeWithoutCertificate(t *testing.T) {
	_, plan := planOf(t, "http alone", false)
	text := textOf(t, plan, "rouse-plain.service")
	areSet(t, text, map[string][]string{"LoadCredential": nil, "SetCredential": nil})
	if strings.Contains(text, "certificate chain") || len(plan.Units.Timers)+len(plan.Units.Others) > 0 {
		t.Errorf("%+v\n%s", plan.Units, text)
	}
}

func TestServeFromAHome(t *testing.T) {
	_, plan := planOf(t, "a site in a home", false)
	areSet(t, textOf(t, plan, "rouse-home.service"), map[string][]string{
		"ProtectHome": {"read-only"}, "BindReadOnlyPaths": nil,
		"LoadCredential": {"tls.crt:/etc/ssl/100%%/a b.crt", "tls.key:/etc/ssl/a.key", "htpasswd:/etc/rouse/users"},
		"SetCredential":  {`tls.crt:\n`, `tls.key:\n`},
		"PrivateNetwork": nil, "IPAddressDeny": nil, "RestrictAddressFamilies": {"AF_UNIX AF_INET AF_INET6"},
	})
	if !strings.Contains(strings.Join(plan.Notices, "\n"), "/home/me/my site") {
		t.Errorf("notices %q", plan.Notices)
	}
	if _, plan := planOf(t, "a site in a home", true); strings.Contains(textOf(t, plan, "rouse-home.service"), "ProtectHome") {
		t.Error("a user's service sees the home as it is")
	}
}

// The program of the site and Rouse itself are needed too, and so for the renewal.
func TestProgramsFromAHome(t *testing.T) {
	site := variants(t)["https"]
	site.Program = "/home/me/go/bin/rouse"
	plan, err := systemdPlan(site, linux(false))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"rouse-site.service", "rouse-site-renew.service"} {
		areSet(t, textOf(t, plan, name), map[string][]string{"ProtectHome": {"read-only"}, "BindReadOnlyPaths": nil})
	}
	_, plan = planOf(t, "run with a network", false)
	areSet(t, textOf(t, plan, "rouse-blog.service"), map[string][]string{"ProtectHome": {"read-only"}, "BindReadOnlyPaths": nil})
}

func TestRun(t *testing.T) {
	site, plan := planOf(t, "run", false)
	areSet(t, textOf(t, plan, "rouse-shop.service"), map[string][]string{
		"ExecStart": {site.Program + ` run --idle-stop=10m -- /usr/bin/env say "50%% off"`}, "EnvironmentFile": {"/etc/rouse/shop/rouse.env"},
		"Environment": {"ROUSE_RUN_LAZY=true", "FDSTORE=32"}, "FileDescriptorStoreMax": {"32"}, "KillMode": {"mixed"}, "PrivateNetwork": {"yes"}, "IPAddressDeny": {"any"},
		"RestrictAddressFamilies": {"AF_UNIX AF_INET AF_INET6"}, "StateDirectory": {"rouse-shop"}, "WorkingDirectory": {"%S/rouse-shop"}, "Also": {"rouse-shop.socket"},
	})
	_, plan = planOf(t, "run with a network", false)
	areSet(t, textOf(t, plan, "rouse-blog.service"), map[string][]string{
		"PrivateNetwork": nil, "IPAddressDeny": nil, "RestrictAddressFamilies": {"AF_UNIX AF_INET AF_INET6"}, "LoadCredential": {"token:/etc/blog.token"},
	})
}

func TestInetd(t *testing.T) {
	site, plan := planOf(t, "inetd", false)
	areSet(t, textOf(t, plan, "rouse-git.service"), map[string][]string{
		"ExecStart": {site.Program + " inetd -- /bin/cat"}, "EnvironmentFile": {"/etc/rouse/git/rouse.env"}, "StateDirectory": {"rouse-git"},
		"RestrictAddressFamilies": {"AF_UNIX"}, "Also": {"rouse-git.socket"},
	})
}

func TestDispatch(t *testing.T) {
	site, plan := planOf(t, "dispatch", false)
	if !plan.Units.Boot || len(plan.Units.Sockets) > 0 || !slices.Equal(plan.Units.atBoot(), []string{"rouse-front.service"}) {
		t.Errorf("got %+v", plan.Units)
	}
	areSet(t, textOf(t, plan, "rouse-front.service"), map[string][]string{
		"ExecStart": {site.Program + " dispatch --config=/etc/rules.toml"}, "EnvironmentFile": {"/etc/rouse/front/rouse.env"},
		"CapabilityBoundingSet": {"CAP_BPF CAP_NET_ADMIN CAP_NET_BIND_SERVICE"}, "WantedBy": {"multi-user.target"}, "Environment": {"FDSTORE=128"}, "FileDescriptorStoreMax": {"128"},
	})
	_, plan = planOf(t, "dispatch", true)
	areSet(t, textOf(t, plan, "rouse-front.service"), map[string][]string{
		"WantedBy": {"default.target"}, "RuntimeDirectory": {"rouse"}, "Environment": {"ROUSE_DISPATCH_SOCKET=%t/rouse/dispatch.sock", "FDSTORE=128"},
	})
}

func TestOnlyTheDispatcherStartsWithoutSockets(t *testing.T) {
	_, err := systemdPlan(Site{Name: "site", Command: "serve", Program: "/usr/bin/rouse"}, linux(false))
	if problem, ok := errors.AsType[Problem](err); !ok || !problem.Usage {
		t.Errorf("got %v", err)
	}
}

func TestSockets(t *testing.T) {
	_, plan := planOf(t, "https", false)
	areSet(t, textOf(t, plan, "rouse-site.socket"), map[string][]string{
		"ListenStream": {"8443"}, "FileDescriptorName": {"https"}, "Service": {"rouse-site.service"}, "BindIPv6Only": {"both"}, "FreeBind": {"yes"},
		"DeferAcceptSec": {"5s"}, "NoDelay": {"yes"}, "WantedBy": {"sockets.target"}, "SocketMode": nil,
	})
	areSet(t, textOf(t, plan, "rouse-site-http.socket"), map[string][]string{
		"ListenStream": {"127.0.0.1:8080", "[::1]:8080"}, "FileDescriptorName": {"http"}, "Service": {"rouse-site.service"},
	})
	_, plan = planOf(t, "run", false)
	areSet(t, textOf(t, plan, "rouse-shop.socket"), map[string][]string{
		"ListenStream": {"0.0.0.0:8090", "[::]:8090"}, "BindIPv6Only": {"ipv6-only"}, "DeferAcceptSec": nil, "KeepAlive": {"yes"},
	})
	_, plan = planOf(t, "inetd by UDP and a unix socket", false)
	if want := []string{"rouse-odd.socket", "rouse-odd-2.socket", "rouse-odd-more.socket"}; !slices.Equal(plan.Units.Sockets, want) {
		t.Errorf("got %q, want %q", plan.Units.Sockets, want)
	}
	areSet(t, textOf(t, plan, "rouse-odd.socket"), map[string][]string{"ListenDatagram": {"8037"}, "ListenStream": nil, "NoDelay": nil, "BindIPv6Only": {"both"}})
	areSet(t, textOf(t, plan, "rouse-odd-2.socket"), map[string][]string{
		"ListenStream": {"/run/odd.sock"}, "SocketMode": {"0660"}, "RemoveOnStop": {"yes"}, "FreeBind": nil, "FileDescriptorName": {"a/b"},
	})
}
