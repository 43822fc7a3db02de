package main

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/packaging/install"
	"github.com/rouse-server/rouse/server/certificate"
)

// planned is the site that arguments of rouse install make.
func planned(t *testing.T, args ...string) (install.Site, error) {
	t.Helper()
	i, s := installOptions()
	command, rest, err := i.split(s, args)
	if err == nil {
		err = i.check()
	}
	if err != nil {
		return install.Site{}, err
	}
	return i.site(command, rest, time.Now())
}

func mustPlan(t *testing.T, args ...string) install.Site {
	t.Helper()
	site, err := planned(t, args...)
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return site
}

func TestInstallSockets(t *testing.T) {
	dir := folder(t)
	type sockets []install.Socket
	both := func(port string) []string { return []string{"127.0.0.1:" + port, "[::1]:" + port} }
	for _, test := range []struct {
		args string
		want sockets
	}{
		{"DIR", sockets{
			{Name: "https", Listen: both("8443"), ClientFirst: true, URL: "https://localhost:8443/"},
			{Name: "http", Listen: both("8080"), ClientFirst: true, URL: "http://localhost:8080/"}}},
		{"--tls=false DIR", sockets{{Name: "http", Listen: both("8080"), ClientFirst: true, URL: "http://localhost:8080/"}}},
		{"--host-name example.org --listen http=80 --listen 443 DIR", sockets{
			{Name: "https", Listen: []string{"443"}, ClientFirst: true, URL: "https://example.org/"},
			{Name: "http", Listen: []string{"80"}, ClientFirst: true, URL: "http://example.org/"}}},
		{"--listen=[::1]:4443,192.0.2.1:4443 --host-name x DIR", sockets{
			{Name: "https", Listen: []string{"[::1]:4443", "192.0.2.1:4443"}, ClientFirst: true, URL: "https://localhost:4443/"}}},
		{"--port 4443 DIR", sockets{{Name: "https", Listen: []string{"4443"}, ClientFirst: true, URL: "https://" + hostName(t) + ":4443/"}}},
		{"--listen http=/run/x.sock?mode=660 DIR", sockets{{Name: "http", Listen: []string{"/run/x.sock"}, Mode: "660", ClientFirst: true}}},
		{"run --listen 80 -- /bin/sh", sockets{{Name: "sh", Listen: []string{"0.0.0.0:80", "[::]:80"}}}},
		{"run -- /bin/sh", sockets{{Name: "sh", Listen: both("8080")}}},
		{"run --name web --listen web=81 --listen udp:53 --listen dns=udp:127.0.0.1:53 -- /bin/sh", nil},
		{"inetd --listen 22,dns=udp:53 -- /bin/sh", sockets{{Name: "sh", Listen: []string{"22"}}, {Name: "dns", Listen: []string{"53"}, Datagram: true}}},
	} {
		site, err := planned(t, strings.Fields(strings.ReplaceAll(test.args, "DIR", dir))...)
		if test.want == nil {
			if err == nil {
				t.Errorf("%s: %+v", test.args, site.Sockets)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(site.Sockets, []install.Socket(test.want)) {
			t.Errorf("%s: %v\n got %+v\nwant %+v", test.args, err, site.Sockets, test.want)
		}
	}
}

func hostName(t *testing.T) string {
	t.Helper()
	return (&installing{}).hostNames()[0]
}

// Options become variables, with absolute paths, as services start elsewhere; secrets become credentials.
func TestInstallVariables(t *testing.T) {
	t.Chdir(folder(t))
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	site := mustPlan(t, "--root", ".", "--idle-exit", "1m", "--compression", "-g", "debug", "--name=blog")
	for _, want := range []install.Variable{{Name: "SERVER_ROOT", Value: here}, {Name: "SERVER_IDLE_EXIT", Value: "1m"}, {Name: "SERVER_COMPRESSION", Value: "true"},
		{Name: "SERVER_LOG_LEVEL", Value: "debug"}, {Name: "SERVER_HTTPS_REDIRECT", Value: "true"}} {
		if !slices.Contains(site.Variables, want) {
			t.Errorf("%+v is not among %+v", want, site.Variables)
		}
	}
	if site.Name != "blog" || site.Certificate == nil || !slices.Contains(site.Reads, install.Access{Option: "--root", Path: here}) {
		t.Errorf("%+v", site)
	}
	site = mustPlan(t, "run", "--idle-stop", "10m", "--", "sh", "-c", "--user")
	if sh := site.Words[1]; !filepath.IsAbs(sh) || !slices.Equal(site.Words, []string{"--", sh, "-c", "--user"}) || site.Name != "sh" {
		t.Errorf("%q %s", site.Words, site.Name)
	}
	if !slices.Equal(site.Variables, []install.Variable{{Name: "ROUSE_RUN_IDLE_STOP", Value: "10m"}}) {
		t.Errorf("%+v", site.Variables)
	}
	if site := mustPlan(t, "inetd", "--user=nobody", "--max-instances=3", "--", "sh"); site.Account != "nobody" || len(site.Variables) != 1 {
		t.Errorf("%q %+v", site.Account, site.Variables)
	}
}

// A certificate of one's own is handed over by systemd, so that only root has to be able to read it.
func TestInstallCredentials(t *testing.T) {
	dir := folder(t)
	chain, secret, _, err := certificate.MakeSelfSigned([]string{"localhost"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	crt, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	if err := errors.Join(os.WriteFile(crt, chain, 0o600), os.WriteFile(key, secret, 0o600)); err != nil {
		t.Fatal(err)
	}
	site := mustPlan(t, "--tls-cert", crt, "--tls-key", key, dir)
	if site.Certificate != nil {
		t.Error("a certificate is made although one was given")
	}
	if runtime.GOOS == "linux" && !slices.Equal(site.Credentials, []install.Credential{{ID: "tls.crt", Path: crt}, {ID: "tls.key", Path: key}}) {
		t.Errorf("%+v", site.Credentials)
	}
}

// Every mistake is told in one line, which says what to do.
func TestInstallMistakes(t *testing.T) {
	dir := folder(t)
	for args, want := range map[string]string{
		"--user":                                  "rouse install --user ~/site",
		"--offline --egress DIR":                  "exclude each other",
		"--print --dry-run DIR":                   "exclude each other",
		"--user --account www DIR":                "leave --user or --account out",
		"--listen nonsense DIR":                   "write a port",
		"--listen example.org:443 DIR":            "write the address",
		"--listen 0 DIR":                          "a port of its own",
		"--listen fd:3 DIR":                       "the service manager opens the socket",
		"--listen 443,443 DIR":                    "twice",
		"--listen web=443 DIR":                    "roles are https, http and admin",
		"--listen https=udp:443 DIR":              "HTTP/3",
		"--listen https=443 --tls=false DIR":      "leave one out",
		"--listen tcp:1.2.3.4:80?freebind=no DIR": "none that rouse install writes",
		"--fd 3 DIR":                              "say --listen",
		"--check-config DIR":                      "--dry-run",
		"--no-such-option DIR":                    "no option",
		"--listen 443 --port 80 DIR":              "exclude each other",
		"DIR/nothing":                             "nothing",
		"rune":                                    "did you mean run?",
		"sh":                                      "rouse install run -- sh",
		"--idle-stop 5m DIR":                      "an option of rouse run",
		"run --root DIR -- sh":                    "an option of rouse serve",
		"run -- DIR/index.html":                   "cannot be executed",
		"--listen 99999 DIR":                      "1 to 65535",
		"--listen ::1:443 DIR":                    "[IPV6]:PORT",
		"--access-log /var/log/x.log DIR":         "below /var/log/rouse-site alone",
		"DIR DIR":                                 "one folder",
		"--tls=false --host-name x DIR":           "leave it out",
		"--tls-cert DIR/none --tls-key x DIR":     "none",
		"--host-name ex_ample! DIR":               "ex_ample!",
		"run":                                     "behind --",
		"run sh":                                  "behind --",
		"run nginx -- sh":                         "put -- in front",
		"run -- no-such-program-anywhere":         "install it first",
		"run --fd 3 -- sh":                        "leave it out",
		"run --explain -- sh":                     "leave it out",
		"run --idle-stop nonsense -- sh":          "idle-stop",
		"run --host-name x -- sh":                 "certificate",
		"inetd --services DIR/x -- sh":            "leave it out",
		"inetd --user=x --account=y -- sh":        "leave one out",
		"dispatch --config DIR/none.toml":         "there is no such file",
		"dispatch --config DIR/none.toml sh":      "takes no program",
	} {
		_, err := planned(t, strings.Fields(strings.ReplaceAll(args, "DIR", dir))...)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want an error with %q", args, err, want)
		}
	}
}
