package install

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/unit"
)

// oddParts are pieces of values that mean something to systemd, launchd, a shell or a file of variables.
func oddParts() []string {
	return []string{"x\nExecStartPre=+/usr/bin/touch /owned\n#", "x\ry", "x\ty", "x\x00y", "x\x1b[1my", "x\x7fy", "x\xffy", "x\u0085y", `x\`, `x\\`, `x \` + "\n    y", "x ", " x",
		"%n", "100%", "$HOME", "${HOME}", `"x"`, "it's", "#x", ";x", "x;y", "x:y", "-x", "*", "?", "[x]", "x=y", "+x", "!x", "@x", "é"}
}

// oddSites are sites with a value at each place where people's words go.
func oddSites() map[string]func(site *Site, sys *System, value string) {
	path := func(value string) string { return "/srv/" + value }
	return map[string]func(*Site, *System, string){
		"program":           func(s *Site, _ *System, v string) { s.Program = path(v) },
		"program in a home": func(s *Site, _ *System, v string) { s.Program = "/home/me/" + v },
		"command":           func(s *Site, _ *System, v string) { s.Command, s.Words = "run", []string{"--", path(v)} },
		"argument":          func(s *Site, _ *System, v string) { s.Command, s.Words = "run", []string{"--", "/bin/sh", "-c", v} },
		"rules": func(s *Site, _ *System, v string) {
			s.Command, s.Words, s.Reads = "dispatch", []string{"--config", path(v)}, []Access{{"--config", path(v)}}
		},
		"root": func(s *Site, _ *System, v string) { s.Reads = []Access{{"--root", path(v)}} },
		"home": func(s *Site, _ *System, v string) { s.Reads = []Access{{"--root", "/home/" + v}} },
		"certificate": func(s *Site, _ *System, v string) {
			s.Credentials = []Credential{{"tls.crt", path(v)}, {"tls.key", "/x"}}
		},
		"key": func(s *Site, _ *System, v string) {
			s.Credentials = []Credential{{"tls.crt", "/x"}, {"tls.key", path(v + "/k.pem")}}
		},
		"passwords":       func(s *Site, _ *System, v string) { s.Credentials = []Credential{{"htpasswd", path(v)}} },
		"run's secret":    func(s *Site, _ *System, v string) { s.Command, s.Credentials = "run", []Credential{{"token", path(v)}} },
		"socket's name":   func(s *Site, _ *System, v string) { s.Sockets[0].Name = v },
		"socket's path":   func(s *Site, _ *System, v string) { s.Sockets[0].Listen = []string{"/run/" + v} },
		"abstract socket": func(s *Site, _ *System, v string) { s.Sockets[0].Listen = []string{"@" + v} },
		"address":         func(s *Site, _ *System, v string) { s.Sockets[0].Listen = []string{v} },
		"mode":            func(s *Site, _ *System, v string) { s.Sockets[0].Listen, s.Sockets[0].Mode = []string{"/run/x"}, v },
		"option":          func(s *Site, _ *System, v string) { s.Variables = []Variable{{"SERVER_LOG_LEVEL", v}} },
		"option's name":   func(s *Site, _ *System, v string) { s.Variables = []Variable{{v, "x"}} },
		"account":         func(s *Site, _ *System, v string) { s.Account = v },
		"home folder":     func(_ *Site, sys *System, v string) { sys.Home = "/home/" + v },
		"settings folder": func(_ *Site, sys *System, v string) {
			sys.Getenv = func(string) string { return "/home/me/" + v }
		},
	}
}

func oddSite() Site {
	return Site{Name: "odd", Command: "serve", Program: "/usr/bin/rouse", Certificate: &Certificate{}, Sockets: []Socket{{Name: "https", Listen: []string{"8443"}}}}
}

// Without this a file's name could become a setting, such as a command that root runs: whatever people's words have in them, the
// units have the settings that they have with plain words, or there is one line that says what to do.
func TestOddValues(t *testing.T) {
	for place, put := range oddSites() {
		for _, user := range []bool{false, true} {
			plain, plainSystem := oddSite(), linux(user)
			put(&plain, &plainSystem, cmp.Or(map[string]string{"address": "8444", "mode": "0600"}[place], "plain"))
			want, err := Make(plain, plainSystem)
			if err != nil {
				t.Fatal(place, err)
			}
			for _, value := range oddParts() {
				if place == "address" && value[0] == '@' {
					continue // a socket of another kind
				}
				site, sys := oddSite(), linux(user)
				put(&site, &sys, value)
				plan, err := Make(site, sys)
				if err != nil {
					isOneProblem(t, fmt.Sprintf("%s %q", place, value), err)
					continue
				}
				sameSettings(t, fmt.Sprintf("%s %q", place, value), plan, want)
			}
		}
	}
}

func isOneProblem(t *testing.T, what string, err error) {
	t.Helper()
	if _, ok := errors.AsType[Problem](err); !ok || strings.ContainsAny(err.Error(), "\n\r\x00\x1b\xff") {
		t.Errorf("%s: %T %q", what, err, err)
	}
}

// sameSettings holds the settings of units against those of others, by section and name.
func sameSettings(t *testing.T, what string, got, want Plan) {
	t.Helper()
	for _, file := range want.Files {
		if want.Units.unitAt(file.Path) == "" {
			continue
		}
		n := slices.IndexFunc(got.Files, func(f File) bool {
			return f.Path[strings.LastIndexByte(f.Path, '/'):] == file.Path[strings.LastIndexByte(file.Path, '/'):]
		})
		if n < 0 {
			t.Errorf("%s: there is no %s", what, file.Path)
			continue
		}
		for line := range strings.Lines(string(got.Files[n].Text)) {
			if strings.HasSuffix(line, "\\\n") && !strings.HasPrefix(line, "ExecStart=") {
				t.Errorf("%s: %s goes on behind %q", what, file.Path, line)
			}
		}
		if is, was := settingNames(t, got.Files[n].Text), settingNames(t, file.Text); !slices.Equal(is, was) {
			t.Errorf("%s: %s has the settings %q, want %q", what, file.Path, is, was)
		}
	}
}

func settingNames(t *testing.T, text []byte) (all []string) {
	t.Helper()
	options, err := unit.DeserializeOptions(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range options {
		all = append(all, o.Section+"."+o.Name)
		if strings.HasPrefix(o.Name, "Protect") { // homes are seen where there is something in them
			all = append(all, o.Value[:1])
		}
	}
	return all
}

// launchd's property lists hold all that XML can write; the rest is refused by name.
func TestOddValuesOnAMac(t *testing.T) {
	for place, put := range oddSites() {
		for _, value := range oddParts() {
			site, sys := oddSite(), linux(place == "home folder")
			sys.OS = "darwin"
			put(&site, &sys, value)
			plan, err := Make(site, sys)
			if err != nil {
				isOneProblem(t, fmt.Sprintf("%s %q", place, value), err)
				continue
			}
			for _, file := range plan.Files {
				if plan.Units.unitAt(file.Path) == "" {
					continue
				}
				if err := CheckPropertyList(file.Path, file.Text); err != nil {
					t.Errorf("%s %q: %v", place, value, err)
				}
			}
		}
	}
}

// What is refused is told by the name that people know it by, and what is not stands there as it is.
func TestOddPaths(t *testing.T) {
	for value, want := range map[string]string{
		"/srv/x\nExecStartPre=+/bin/touch /owned\n#/c.crt": `the secret tls.crt: "/srv/x\nExecStartPre=+/bin/touch /owned\n#/c.crt" has control characters`,
		"/srv/c.crt ": "the secret tls.crt: \"/srv/c.crt \" begins or ends with a blank",
		`/srv/c.crt\`: "the secret tls.crt: \"/srv/c.crt\\\\\" ends with a backslash", "/srv/\xff": `the secret tls.crt: "/srv/\xff" is not UTF-8`,
		"/srv/a b.crt": `the secret tls.crt: "/srv/a b.crt" has a blank or a backslash`, `/srv/a\b.crt`: `the secret tls.crt: "/srv/a\\b.crt" has a blank or a backslash`,
		`/srv/a"b'c$HOME#;%n.crt`: "",
	} {
		site := oddSite()
		site.Certificate, site.Credentials = nil, []Credential{{"tls.crt", value}, {"tls.key", "/srv/k"}}
		plan, err := Make(site, linux(false))
		if want != "" {
			if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), "rename it") {
				t.Errorf("%q: %v", value, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		areSet(t, textOf(t, plan, "rouse-odd.service"), map[string][]string{"LoadCredential": {"tls.crt:" + specifiers(value), "tls.key:/srv/k"}})
	}
	for want, change := range map[string]func(*Site, *System){
		`--root "/srv/a\nb" has control characters`:         func(s *Site, _ *System) { s.Reads = []Access{{"--root", "/srv/a\nb"}} },
		`the program "/srv/a\nb" has control`:               func(s *Site, _ *System) { s.Program = "/srv/a\nb" },
		`the program "rouse": services need its path`:       func(s *Site, _ *System) { s.Program = "rouse" },
		`the program "/x\ry" has control`:                   func(s *Site, _ *System) { s.Words = []string{"--", "/x\ry"} },
		`--listen "/run/a\nb" has control`:                  func(s *Site, _ *System) { s.Sockets[0].Listen[0] = "/run/a\nb" },
		`a socket cannot be called "a\nListenStream=1"`:     func(s *Site, _ *System) { s.Sockets[0].Name = "a\nListenStream=1" },
		`HOME="/home/a\nb" has control`:                     func(_ *Site, sys *System) { sys.User, sys.Home = true, "/home/a\nb" },
		`HOME="/home/a b" has a blank`:                      func(_ *Site, sys *System) { sys.User, sys.Home = true, "/home/a b" },
		`HOME="" is no path`:                                func(_ *Site, sys *System) { sys.User, sys.Home = true, "" },
		`XDG_CONFIG_HOME="/home/a\nb" has control`:          func(_ *Site, sys *System) { sys.User, sys.Getenv = true, func(string) string { return "/home/a\nb" } },
		`there is no user "a\nb" on this machine`:           func(s *Site, _ *System) { s.Account = "a\nb" },
		`the value of SERVER_ROOT, "a\nSERVER_X=1", has co`: func(s *Site, _ *System) { s.Variables = []Variable{{"SERVER_ROOT", "a\nSERVER_X=1"}} },
	} {
		site, sys := oddSite(), linux(false)
		change(&site, &sys)
		if _, err := Make(site, sys); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
