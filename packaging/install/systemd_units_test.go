package install

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/unit"
)

// linux is a machine with systemd, of which nothing is asked.
func linux(user bool) System {
	return System{OS: "linux", User: user, Home: "/home/me", Getenv: func(string) string { return "" }}
}

// variants are sites of every kind. The program is this test, as systemd-analyze wants one that exists.
func variants(t *testing.T) map[string]Site {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	https := Socket{Name: "https", Listen: []string{"8443"}, ClientFirst: true}
	http := Socket{Name: "http", Listen: []string{"127.0.0.1:8080", "[::1]:8080"}, ClientFirst: true}
	both := Socket{Name: "web", Listen: []string{"0.0.0.0:8090", "[::]:8090"}}
	return map[string]Site{
		"https": {
			Name: "site", Command: "serve", Program: program, Words: []string{"--text-charset"}, Sockets: []Socket{https, http},
			Certificate: &Certificate{}, Reads: []Access{{"--root", "/var/www/html"}},
		},
		"http alone": {Name: "plain", Command: "serve", Program: program, Sockets: []Socket{http}},
		"a site in a home": {
			Name: "home", Command: "serve", Program: program, Sockets: []Socket{https}, Egress: true,
			Credentials: []Credential{{"tls.crt", "/etc/ssl/100%/a b.crt"}, {"tls.key", "/etc/ssl/a.key"}, {"htpasswd", "/etc/rouse/users"}},
			Reads:       []Access{{"--root", "/home/me/my site"}, {"--error-page-404", "/home/me/my site/404.html"}, {"--config-file", "/etc/rouse.toml"}},
		},
		"run": {Name: "shop", Command: "run", Program: program, Words: []string{"--idle-stop=10m", "--", "/usr/bin/env", "say", "50% off"}, Sockets: []Socket{both}},
		"run with a network": {
			Name: "blog", Command: "run", Program: program, Words: []string{"--", "/home/me/bin/blog"}, Sockets: []Socket{both}, Egress: true,
			Credentials: []Credential{{"token", "/etc/blog.token"}},
		},
		"inetd": {Name: "git", Command: "inetd", Program: program, Words: []string{"--", "/bin/cat"}, Sockets: []Socket{{Name: "git", Listen: []string{"9418"}}}},
		"inetd by UDP and a unix socket": {
			Name: "odd", Command: "inetd", Program: program, Words: []string{"--wait", "--", "/bin/cat"},
			Sockets: []Socket{{Name: "time", Listen: []string{"8037"}, Datagram: true}, {Name: "a/b", Listen: []string{"/run/odd.sock"}, Mode: "0660"}, {Name: "more", Listen: []string{"8038"}}},
		},
		"dispatch":              {Name: "front", Command: "dispatch", Program: program, Words: []string{"--config=/etc/rules.toml"}},
		"dispatch with sockets": {Name: "door", Command: "dispatch", Program: program, Words: []string{"--config=/etc/rules.toml"}, Sockets: []Socket{both}},
	}
}

// forEachVariant plans every site, for the machine and for a user.
func forEachVariant(t *testing.T, do func(t *testing.T, site Site, user bool, plan Plan)) {
	t.Helper()
	for name, site := range variants(t) {
		for _, user := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, user=%t", name, user), func(t *testing.T) {
				plan, err := systemdPlan(site, linux(user))
				if err != nil {
					t.Fatal(err)
				}
				do(t, site, user, plan)
			})
		}
	}
}

// textOf is the text of one of a plan's units.
func textOf(t *testing.T, plan Plan, name string) string {
	t.Helper()
	for _, file := range plan.Files {
		if filepath.Base(file.Path) == name {
			return string(file.Text)
		}
	}
	t.Fatalf("there is no %s among %v", name, plan.Units)
	return ""
}

// unitSettings are the values of a unit's settings, by name. No setting is in two sections of ours.
func unitSettings(t *testing.T, text string) map[string][]string {
	t.Helper()
	options, err := unit.DeserializeOptions(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string][]string{}
	for _, o := range options {
		settings[o.Name] = append(settings[o.Name], o.Value)
	}
	return settings
}

// areSet checks settings of a unit; nil: it must not be there.
func areSet(t *testing.T, text string, want map[string][]string) {
	t.Helper()
	settings := unitSettings(t, text)
	for name, values := range want {
		if got := settings[name]; !slices.Equal(got, values) {
			t.Errorf("%s=%q, want %q", name, got, values)
		}
	}
}

// Units are of the site alone, in its own words, and nothing of the shipped ones' names and places is left in them.
func TestUnitsAreTheSites(t *testing.T) {
	foreign := regexp.MustCompile(`%i|@NAME|rouse-(run|inetd)\b|rouse-http|\brouse\.(service|socket)|/etc/rouse/(rouse\.env|tls\.|run/|inetd/|dispatch\.toml)|rouse-dispatch\.service`)
	forEachVariant(t, func(t *testing.T, site Site, user bool, plan Plan) {
		if got := slices.Concat([]string{plan.Units.Service}, plan.Units.Sockets, plan.Units.Others, plan.Units.Timers); len(got) != len(plan.Files) {
			t.Errorf("%d files for %q", len(plan.Files), got)
		}
		for _, file := range plan.Files {
			text := string(file.Text)
			if first, _, _ := strings.Cut(text, "\n"); first != heading(site.Name, linux(user)) {
				t.Errorf("%s begins with %q", file.Path, first)
			}
			if filepath.Dir(file.Path) != linux(user).Paths(site.Name).Units || file.Mode != 0o644 {
				t.Errorf("%s has the mode %o", file.Path, file.Mode)
			}
			for line := range strings.Lines(text) {
				if found := foreign.FindString(line); found != "" && (site.Command != "dispatch" || found != "rouse-dispatch") {
					t.Errorf("%s: %q in %q", file.Path, found, line)
				}
			}
		}
	})
}

// What a user's manager cannot do would fail the service, or promise what is not so.
func TestUsersUnitsAskForNothingOfRoots(t *testing.T) {
	forEachVariant(t, func(t *testing.T, site Site, user bool, plan Plan) {
		text := textOf(t, plan, plan.Units.Service)
		needing := []string{
			"DynamicUser", "PrivateUsers", "PrivateNetwork", "IPAddressDeny", "CapabilityBoundingSet", "AmbientCapabilities", "ProtectSystem", "ProtectHome",
			"PrivateTmp", "PrivateDevices", "DevicePolicy", "PrivateMounts", "BindReadOnlyPaths", "ReadWritePaths", "StateDirectory", "WorkingDirectory",
		}
		for _, name := range needing {
			if got, ok := unitSettings(t, text)[name]; ok && user {
				t.Errorf("%s=%q", name, got)
			}
		}
		areSet(t, text, map[string][]string{
			"NoNewPrivileges": {"yes"}, "RestrictNamespaces": {"yes"}, "SystemCallArchitectures": {"native"}, "SystemCallErrorNumber": {"EPERM"},
			"StartLimitIntervalSec": {"0"}, "Restart": {"on-failure"}, "RestartSec": {"1s"},
		})
	})
}

// systemd itself says nothing of any of them, also not of settings that it does not know.
func TestSystemdVerifiesUnits(t *testing.T) {
	forEachVariant(t, func(t *testing.T, site Site, user bool, plan Plan) {
		if err := verifyUnits(t.Context(), writeUnits(t, plan), user); err != nil {
			needsAnalyze(t, err)
			t.Error(err)
		}
	})
}

// The threshold is the exposure times ten. What calls out shows more, and a user's own service is his.
func TestExposure(t *testing.T) {
	thresholds := map[string]string{
		"https": "2", "http alone": "2", "run": "5", "inetd": "2", "inetd by UDP and a unix socket": "2", "a site in a home": "12", "run with a network": "12", "dispatch": "22",
	}
	for name, threshold := range thresholds {
		plan, err := systemdPlan(variants(t)[name], linux(false))
		if err != nil {
			t.Fatal(err)
		}
		path := writeUnits(t, plan)[0]
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		output, err := exec.CommandContext(ctx, "systemd-analyze", "security", "--no-pager", "--offline=yes", "--threshold="+threshold, path).CombinedOutput()
		cancel()
		if err != nil {
			needsAnalyze(t, err)
			t.Errorf("%s: above %s tenths: %v\n%s", name, threshold, err, output)
		}
	}
}

func needsAnalyze(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("systemd-analyze is not installed")
	}
}

// writeUnits writes a plan's units into a folder; the service is the first.
func writeUnits(t *testing.T, plan Plan) []string {
	t.Helper()
	dir := t.TempDir()
	var paths []string
	for _, file := range plan.Files {
		path := filepath.Join(dir, filepath.Base(file.Path))
		if err := os.WriteFile(path, file.Text, 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	return paths
}
