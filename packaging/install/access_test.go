package install

import (
	"errors"
	"os"
	"os/user"
	"strings"
	"testing"
)

// readable is a world with a site's files, and programs.
func readable(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, false)
	for path, text := range map[string]string{
		"/usr/bin/rouse": "", "/usr/sbin/nginx": "", "/srv/www/index.html": "", "/srv/closed/www/index.html": "", "/srv/my site/index.html": "",
		"/home/me/site/index.html": "", "/home/you/site/index.html": "", "/home/me/bin/rouse": "", "/tmp/site/index.html": "", "/tmp/rouse": "", "/srv/secret.pem": "", "/etc/rouse/dispatch.toml": "",
	} {
		w.put(t, path, text)
	}
	for path, mode := range map[string]os.FileMode{
		"/usr/bin/rouse": 0o755, "/usr/sbin/nginx": 0o750, "/srv/closed": 0o750, "/srv/my site": 0o700, "/home/me": 0o700, "/home/me/bin/rouse": 0o755, "/tmp/rouse": 0o755,
		"/srv/secret.pem": 0o600, "/etc/rouse/dispatch.toml": 0o640,
	} {
		if err := os.Chmod(w.at(path), mode); err != nil {
			t.Fatal(err)
		}
	}
	for path, target := range map[string]string{"/srv/link": "../home/me/site", "/srv/loop": "loop", "/srv/inside": "closed/www"} {
		if err := os.Symlink(target, w.at(path)); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func TestReads(t *testing.T) {
	w := readable(t)
	for name, c := range map[string]struct {
		path, want string
	}{
		"open":             {"/srv/www", ""},
		"file":             {"/srv/www/index.html", ""},
		"missing":          {"/srv/nothing", "--root /srv/nothing: there is no such file or folder: make it first"},
		"below a file":     {"/srv/www/index.html/x", "--root /srv/www/index.html/x: not a directory"},
		"loop":             {"/srv/loop", "--root /srv/loop: "},
		"closed parent":    {"/srv/closed/www", "--root /srv/closed/www: the service's user may not read it: chmod o+x /srv/closed"},
		"closed by a link": {"/srv/inside", "--root /srv/inside: the service's user may not read it: chmod o+x /srv/closed"},
		"closed":           {"/srv/my site", "--root /srv/my site: the service's user may not read it: chmod o+rx '/srv/my site'"},
		"closed file":      {"/srv/secret.pem", "--root /srv/secret.pem: the service's user may not read it: chmod o+r /srv/secret.pem"},
		"home":             {"/home/me/site", "--root /home/me/site: the service's user may not read it: chmod o+x /home/me, or "},
		"open home":        {"/home/you/site", ""},
		"link home":        {"/srv/link", "--root /srv/link leads to /home/me/site, and services do not see homes (ProtectHome=): name that path itself"},
		"temporary":        {"/tmp/site", "--root /tmp/site: services have a /tmp and a /var/tmp of their own (PrivateTmp=), and both are emptied from time to time: move it, to /srv/site for example"},
	} {
		t.Run(name, func(t *testing.T) {
			site := Site{Name: "blog", Command: "serve", Program: "/usr/bin/rouse", Reads: []Access{{"--root", c.path}}}
			oneProblem(t, checkReads(site, Plan{}, w.System), c.want)
		})
	}
}

// oneProblem holds problems against the one that is wanted, or none.
func oneProblem(t *testing.T, problems []error, want string) {
	t.Helper()
	if want == "" {
		for _, err := range problems {
			t.Error(err)
		}
		return
	}
	if len(problems) != 1 {
		t.Errorf("problems %q, want %q", problems, want)
		return
	}
	if _, ok := errors.AsType[Problem](problems[0]); !ok || !strings.HasPrefix(problems[0].Error(), want) || strings.Contains(problems[0].Error(), "\n") {
		t.Errorf("%T %q, want %q", problems[0], problems[0], want)
	}
}

func TestPrograms(t *testing.T) {
	w := readable(t)
	for name, c := range map[string]struct {
		site Site
		want string
	}{
		"rouse":         {Site{Program: "/usr/bin/rouse"}, ""},
		"in a home":     {Site{Program: "/home/me/bin/rouse"}, "the program /home/me/bin/rouse: the service's user may not execute it: chmod o+x /home/me, or copy it"},
		"temporary":     {Site{Program: "/tmp/rouse"}, "the program /tmp/rouse: services have a /tmp"},
		"missing":       {Site{Program: "/usr/bin/none"}, "the program /usr/bin/none: there is no such file"},
		"closed":        {Site{Command: "run", Program: "/usr/bin/rouse", Words: []string{"--", "/usr/sbin/nginx", "-g", "daemon off;"}}, "the program /usr/sbin/nginx: the service's user may not execute it: chmod o+x /usr/sbin/nginx"},
		"no executable": {Site{Command: "run", Program: "/usr/bin/rouse", Words: []string{"--", "/srv/secret.pem"}}, "the program /srv/secret.pem: the service's user may not execute it"},
	} {
		t.Run(name, func(t *testing.T) { oneProblem(t, checkReads(c.site, Plan{}, w.System), c.want) })
	}
}

// Secrets are handed over by systemd, which reads everything.
func TestSecrets(t *testing.T) {
	w := readable(t)
	for path, want := range map[string]string{
		"/srv/secret.pem": "", "/srv/none.pem": "the secret tls.key: /srv/none.pem: there is no such file", "/srv/www": "the secret tls.key: /srv/www is a folder: name the file",
	} {
		site := Site{Program: "/usr/bin/rouse", Credentials: []Credential{{"tls.key", path}}}
		oneProblem(t, checkReads(site, Plan{}, w.System), want)
	}
	// What is only going to be written needs not be there.
	site := Site{Program: "/usr/bin/rouse", Credentials: []Credential{{"tls.key", "/etc/rouse/blog/tls.key"}}, Reads: []Access{{"--x", "/etc/rouse/blog/x"}}}
	plan := Plan{Files: []File{{Path: "/etc/rouse/blog/tls.key"}, {Path: "/etc/rouse/blog/x"}}}
	oneProblem(t, checkReads(site, plan, w.System), "")
}

func TestAccounts(t *testing.T) {
	w := readable(t)
	site := Site{Command: "serve", Program: "/usr/bin/rouse", Account: "nobody-of-that-name", Reads: []Access{{"--root", "/srv/secret.pem"}}}
	oneProblem(t, checkReads(site, Plan{}, w.System), "there is no user nobody-of-that-name on this machine")
	w.OS = "darwin"
	site.Account = "nobody-of-that-name"
	oneProblem(t, checkReads(site, Plan{}, w.System), "there is no user nobody-of-that-name on this machine")
	w.OS = "linux"

	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	site.Account = me.Username
	oneProblem(t, checkReads(site, Plan{}, w.System), "") // it is the owner

	// The dispatcher is root without the right to read everything.
	site = Site{Command: "dispatch", Program: "/usr/bin/rouse", Reads: []Access{{"--config", "/etc/rouse/dispatch.toml"}}}
	if os.Getuid() != 0 {
		want := "--config /etc/rouse/dispatch.toml: root without its privileges may not read it: chgrp root /etc/rouse/dispatch.toml && chmod g+r"
		oneProblem(t, checkReads(site, Plan{}, w.System), want)
		return
	}
	oneProblem(t, checkReads(site, Plan{}, w.System), "")
	if err := os.Chown(w.at("/etc/rouse/dispatch.toml"), 65534, 65534); err != nil {
		t.Fatal(err)
	}
	oneProblem(t, checkReads(site, Plan{}, w.System), "--config /etc/rouse/dispatch.toml: root without its privileges may not read it: chgrp root /etc/rouse/dispatch.toml && chmod g+r /etc/rouse/dispatch.toml")
}

// Under one's own manager everything is as one sees it oneself.
func TestOwnReads(t *testing.T) {
	w := readable(t)
	w.User, w.UID = true, os.Getuid()
	for path, want := range map[string]string{"/tmp/site": "", "/home/me/site": "", "/srv/link": "", "/srv/nothing": "--root /srv/nothing: there is no such file"} {
		oneProblem(t, checkReads(Site{Program: "/home/me/bin/rouse", Reads: []Access{{"--root", path}}}, Plan{}, w.System), want)
	}
	if err := os.Chmod(w.at("/srv/secret.pem"), 0); err != nil {
		t.Fatal(err)
	}
	want := "--root /srv/secret.pem: you may not read it (permission denied): see its owner and mode"
	if os.Getuid() == 0 {
		want = ""
	}
	oneProblem(t, checkReads(Site{Program: "/home/me/bin/rouse", Reads: []Access{{"--root", "/srv/secret.pem"}}}, Plan{}, w.System), want)
}
