package install

import (
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"howett.net/plist"
)

func mac(user bool) System {
	return System{OS: "darwin", User: user, UID: 501, Home: "/Users/me", Getenv: func(string) string { return "" }}
}

// blog is a site of serve with everything that most have.
func blog() Site {
	return Site{
		Name: "blog", Command: "serve", Program: "/opt/homebrew/bin/rouse", HostNames: []string{"localhost"},
		Variables: []Variable{{"SERVER_ROOT", "/Users/Shared/blog"}, {"SERVER_LOG_LEVEL", "warn"}},
		Sockets: []Socket{
			{Name: "https", Listen: []string{"127.0.0.1:443", "[::1]:443"}, URL: "https://localhost/"},
			{Name: "http", Listen: []string{"80"}},
		},
		Certificate: &Certificate{Chain: []byte("chain"), Key: []byte("key")},
	}
}

// planned returns the jobs of a site by the names of their files, and the plan.
func planned(t *testing.T, site Site, sys System) (map[string]job, Plan) {
	t.Helper()
	plan, err := launchdPlan(site, sys)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]job{}
	for _, file := range plan.Files {
		if err := CheckPropertyList(file.Path, file.Text); err != nil {
			t.Error(err)
		}
		var j job
		if _, err := plist.Unmarshal(file.Text, &j); err != nil {
			t.Fatal(err)
		}
		all[file.Path] = j
	}
	return all, plan
}

func TestLaunchdPlanOfASite(t *testing.T) {
	const (
		agent  = "/Users/me/Library/LaunchAgents/io.github.rouse-server.rouse.blog.plist"
		daemon = "/Library/LaunchDaemons/io.github.rouse-server.rouse.blog.plist"
	)
	for _, c := range []struct {
		user                            bool
		file, data, log, undo, userName string
	}{
		{true, agent, "/Users/me/Library/Application Support/rouse/blog", "/Users/me/Library/Logs/io.github.rouse-server.rouse.blog.log", "rouse uninstall --user blog", ""},
		{false, daemon, "/Library/Application Support/rouse/blog", "/var/log/io.github.rouse-server.rouse.blog.log", "sudo rouse uninstall blog", "_www"},
	} {
		jobs, plan := planned(t, blog(), mac(c.user))
		renew := strings.TrimSuffix(c.file, ".plist") + ".renew.plist"
		if files := slices.Sorted(maps.Keys(jobs)); !slices.Equal(files, []string{c.file, renew}) {
			t.Fatalf("files %q", files)
		}
		if want := (Units{Service: c.file, Timers: []string{renew}}); !reflect.DeepEqual(plan.Units, want) {
			t.Errorf("units %+v, want %+v", plan.Units, want)
		}
		if plan.Log != "tail -f "+c.log || plan.Undo != c.undo {
			t.Errorf("log %q, undo %q", plan.Log, plan.Undo)
		}
		want := job{
			Label: "io.github.rouse-server.rouse.blog", ProgramArguments: []string{"/opt/homebrew/bin/rouse", "serve"}, UserName: c.userName,
			EnvironmentVariables: map[string]string{
				"SERVER_ROOT": "/Users/Shared/blog", "SERVER_LOG_LEVEL": "warn", "SERVER_IDLE_EXIT": "5m", "SERVER_HTTPS_REDIRECT": "true",
				"SERVER_TLS_CERT": path.Join(c.data, "tls.crt"), "SERVER_TLS_KEY": path.Join(c.data, "tls.key"),
			},
			Sockets: map[string][]jobSocket{
				"https": {{SockNodeName: "127.0.0.1", SockServiceName: "443"}, {SockNodeName: "::1", SockServiceName: "443"}},
				"http":  {{SockServiceName: "80"}},
			},
			ProcessType: "Interactive", ExitTimeOut: 20, StandardErrorPath: c.log,
		}
		if !reflect.DeepEqual(jobs[c.file], want) {
			t.Errorf("job\n%+v, want\n%+v", jobs[c.file], want)
		}
		again := jobs[renew]
		words := []string{"/opt/homebrew/bin/rouse", "renew", "blog"}
		if c.user {
			words = append(words, "--user")
		}
		if !slices.Equal(again.ProgramArguments, words) || again.StartCalendarInterval == nil || again.UserName != "" || again.Sockets != nil {
			t.Errorf("renewal %+v", again)
		}
	}
}

// A site without https needs neither certificate nor renewal, and redirects nowhere.
func TestLaunchdPlanWithoutTLS(t *testing.T) {
	site := blog()
	site.Certificate, site.Sockets = nil, site.Sockets[1:]
	jobs, plan := planned(t, site, mac(true))
	if len(jobs) != 1 || plan.Units.Timers != nil {
		t.Errorf("%d files, units %+v", len(jobs), plan.Units)
	}
	for name := range jobs[plan.Units.Service].EnvironmentVariables {
		if strings.HasPrefix(name, "SERVER_TLS") || name == "SERVER_HTTPS_REDIRECT" {
			t.Errorf("%s is set", name)
		}
	}
}

// launchd has no credentials: their files are options.
func TestLaunchdPlanSpellsCredentialsAsOptions(t *testing.T) {
	site := blog()
	site.Certificate = nil
	site.Credentials = []Credential{{"tls.crt", "/k/a.crt"}, {"tls.key", "/k/a.key"}, {"htpasswd", "/k/users"}}
	jobs, plan := planned(t, site, mac(false))
	variables := jobs[plan.Units.Service].EnvironmentVariables
	for name, want := range map[string]string{
		"SERVER_TLS_CERT": "/k/a.crt", "SERVER_TLS_KEY": "/k/a.key", "SERVER_BASIC_AUTH_FILE": "/k/users", "SERVER_HTTPS_REDIRECT": "true",
	} {
		if variables[name] != want {
			t.Errorf("%s=%q, want %q", name, variables[name], want)
		}
	}
}

func TestLaunchdPlanOfOtherCommands(t *testing.T) {
	site := Site{Name: "nginx", Command: "run", Program: "/usr/local/bin/rouse", Account: "me", Words: []string{"--", "/usr/local/bin/nginx", "-g", "daemon off;", ""},
		Variables: []Variable{{"ROUSE_RUN_IDLE_STOP", "10m"}, {"ROUSE_RUN_LISTEN", "dispatch:/run/x.sock#nginx,launchd:"}},
		Sockets:   []Socket{{Name: "nginx", Listen: []string{"0.0.0.0:80", "[::]:80"}}, {Name: "http", Listen: []string{"/run/x.sock"}, Mode: "0660"}}}
	jobs, plan := planned(t, site, mac(false))
	j := jobs[plan.Units.Service]
	if want := append([]string{site.Program, "run"}, site.Words...); !slices.Equal(j.ProgramArguments, want) || j.UserName != "me" {
		t.Errorf("%q as %s", j.ProgramArguments, j.UserName)
	}
	// Only the usual names are found by themselves.
	if want := map[string]string{"ROUSE_RUN_IDLE_STOP": "10m", "ROUSE_RUN_LISTEN": "launchd:nginx,launchd:http,dispatch:/run/x.sock#nginx"}; !maps.Equal(j.EnvironmentVariables, want) {
		t.Errorf("variables %q", j.EnvironmentVariables)
	}
	if want := (jobSocket{SockPathName: "/run/x.sock", SockPathMode: 432}); j.Sockets["http"][0] != want {
		t.Errorf("socket %+v", j.Sockets["http"])
	}
	if want := []jobSocket{{SockNodeName: "0.0.0.0", SockServiceName: "80"}, {SockNodeName: "::", SockServiceName: "80"}}; !slices.Equal(j.Sockets["nginx"], want) {
		t.Errorf("sockets %+v", j.Sockets["nginx"])
	}

	// A dispatcher binds by itself, so it is there from the start, and comes back when it failed.
	site = Site{Name: "front", Command: "dispatch", Program: "/usr/local/bin/rouse", Words: []string{"--config", "/etc/rouse/front.toml"}}
	jobs, plan = planned(t, site, mac(false))
	j = jobs[plan.Units.Service]
	if !plan.Units.Boot || !j.RunAtLoad || j.KeepAlive == nil || j.KeepAlive.SuccessfulExit || j.Sockets != nil || j.EnvironmentVariables != nil {
		t.Errorf("units %+v, job %+v", plan.Units, j)
	}
	site.Sockets = []Socket{{Name: "dns", Listen: []string{"53"}, Datagram: true}}
	jobs, plan = planned(t, site, mac(false))
	if j = jobs[plan.Units.Service]; plan.Units.Boot || j.RunAtLoad || j.KeepAlive != nil || j.Sockets["dns"][0].SockType != "dgram" {
		t.Errorf("units %+v, job %+v", plan.Units, j)
	}
}

// What XML or launchd cannot take is said before anything is written.
func TestLaunchdPlanRefuses(t *testing.T) {
	for want, change := range map[string]func(*Site){
		"leave control characters out": func(s *Site) { s.Variables[0].Value = "a\x01b" },
		"at most 103":                  func(s *Site) { s.Sockets[0].Listen = []string{"/" + strings.Repeat("x", 200)} },
		"not octal":                    func(s *Site) { s.Sockets[0].Listen, s.Sockets[0].Mode = []string{"/run/x"}, "rw" },
		"not an address":               func(s *Site) { s.Sockets[0].Listen = []string{"::1:443"} },
		"from 1 to 65535":              func(s *Site) { s.Sockets[0].Listen = []string{"70000"} },
		"not an absolute path":         func(s *Site) { s.Program = "rouse" },
	} {
		site := blog()
		change(&site)
		plan, err := launchdPlan(site, mac(false))
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || plan.Files != nil {
			t.Errorf("%v, want one line with %q", err, want)
		}
	}
	// Whatever XML can hold comes back as it was.
	site := blog()
	for _, value := range []string{"<&>\"'", " a  b ", "a\tb\nc\r\n", "é 漢 \U0001F30D", "$HOME %h ~", ""} {
		site.Variables[1].Value = value
		jobs, plan := planned(t, site, mac(false))
		if got := jobs[plan.Units.Service].EnvironmentVariables["SERVER_LOG_LEVEL"]; got != value {
			t.Errorf("%q came back as %q", value, got)
		}
	}
}

func TestLaunchdNotices(t *testing.T) {
	site := blog()
	site.Reads = []Access{{"--root", "/Users/me/Documents/blog"}, {"--tls-cert", "/Users/you/Desktop"}, {"--tls-key", "/Users/me/Sites/Documents/k"}}
	notices := strings.Join(launchdNotices(site, mac(true)), "\n")
	for _, want := range []string{"--root /Users/me/Documents/blog: macOS keeps services out of ~/Documents", "--tls-cert /Users/you/Desktop", "Full Disk Access", "no effect", "while you are logged in"} {
		if !strings.Contains(notices, want) {
			t.Errorf("%q lacks %q", notices, want)
		}
	}
	if strings.Contains(notices, "Sites") {
		t.Errorf("a folder that is no protected one: %s", notices)
	}
	site.Reads, site.Egress = nil, true
	if notices := launchdNotices(site, mac(false)); notices != nil {
		t.Errorf("%q", notices)
	}
}
