package install

import (
	"errors"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for _, name := range []string{"site", "front", "blog-2", "www.example.com", "a", "0", "http2", "renewal", "x_y", strings.Repeat("n", 48)} {
		if err := checkName(name); err != nil {
			t.Error(err)
		}
	}
	for name, why := range map[string]string{
		"": "is empty", "Blog": "small letters", "-blog": "small letters", ".blog": "small letters", "a b": "small letters",
		"a/b": "small letters", "..": "small letters", "a\nb": "small letters", "ä": "small letters", "a@b": "small letters", "a%i": "small letters",
		"http": "packages", "dispatch": "packages", "run": "packages", "inetd": "packages", "renew": "packages",
		"blog-http": `the site \"blog\"`, "blog-renew": "unit of the site", "blog.renew": "unit of the site",
		"rouse.env": "a file in /etc/rouse", strings.Repeat("n", 49): "more than 48",
	} {
		err := checkName(name)
		problem, ok := errors.AsType[Problem](err)
		if !ok || !problem.Usage || !strings.Contains(problem.Text, strings.ReplaceAll(why, `\"`, `"`)) || !strings.Contains(problem.Text, "--name blog") || strings.Contains(problem.Text, "\n") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// A name is a part of paths, so one that is none never gets that far.
func TestOddNamesGoNowhere(t *testing.T) {
	w := newWorld(t, false)
	for _, name := range []string{"../../etc", "", "a/b"} {
		if _, err := Make(Site{Name: name, Command: "serve"}, w.System); err == nil {
			t.Errorf("%q is planned", name)
		}
		if _, err := LoadRecord(w.System, name); !errors.Is(err, ErrNone) {
			t.Errorf("%q: record: %v", name, err)
		}
		if err := Uninstall(t.Context(), name, w.System, nil); !errors.Is(err, ErrNone) {
			t.Errorf("%q: uninstall: %v", name, err)
		}
	}
}

func TestPaths(t *testing.T) {
	none := func(string) string { return "" }
	system := System{OS: "linux", Getenv: none}
	own := System{OS: "linux", User: true, Home: "/home/me", Getenv: none}
	moved, relative := own, own
	moved.Getenv = func(string) string { return "/home/me/settings" }
	relative.Getenv = func(string) string { return "settings" }
	agent := System{OS: "darwin", User: true, Home: "/Users/me", Getenv: none}
	daemon := System{OS: "darwin", Getenv: none}
	for _, c := range []struct {
		sys          System
		units, sites string
	}{
		{system, "/etc/systemd/system", "/etc/rouse"},
		{own, "/home/me/.config/systemd/user", "/home/me/.config/rouse"},
		{moved, "/home/me/settings/systemd/user", "/home/me/settings/rouse"},
		{relative, "/home/me/.config/systemd/user", "/home/me/.config/rouse"},
		{agent, "/Users/me/Library/LaunchAgents", "/Users/me/Library/Application Support/rouse"},
		{daemon, "/Library/LaunchDaemons", "/Library/Application Support/rouse"},
	} {
		p := c.sys.Paths("blog")
		if p.Units != c.units || p.Sites != c.sites || p.Record != c.sites+"/blog/installed.json" || p.Unit("-http.socket") != c.units+"/rouse-blog-http.socket" {
			t.Errorf("%+v", p)
		}
		if p.Job != c.units+"/io.github.rouse-server.rouse.blog.plist" {
			t.Errorf("%+v", p)
		}
	}
}

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		path, folder string
		want         bool
	}{{"/home/me", "/home", true}, {"/home", "/home", true}, {"/homes", "/home", false}, {"/", "/home", false}, {"/a", "/", true}} {
		if within(c.path, c.folder) != c.want {
			t.Errorf("%+v", c)
		}
	}
}
