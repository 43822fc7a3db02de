package install

import (
	"context"
	"errors"
	"os"
	"testing"
)

// Units where the user's systemd does not look would be there for nothing: it has the settings of its own start.
func TestUnitPath(t *testing.T) {
	its := []string{"/home/me/.config/systemd/user.control", "/run/user/1/systemd/user.control", "/run/user/1/systemd/transient", "/home/me/.config/systemd/user", "/run/user/1/systemd/user", "/etc/systemd/user"}
	for name, c := range map[string]struct {
		config, home, want string
		folders            []string
		err                error
	}{
		"the same":       {home: "/home/me", folders: its},
		"said":           {home: "/home/me", config: "/home/me/./.config/", folders: its},
		"by a link":      {home: "/home/link", folders: its},
		"other settings": {home: "/home/me", config: "/home/me/else", folders: its, want: "your own systemd does not look for units in /home/me/else/systemd/user, as HOME or XDG_CONFIG_HOME is another one here: the same with XDG_CONFIG_HOME=/home/me/.config in front"},
		"another home":   {home: "/home/you", folders: its, want: "your own systemd does not look for units in /home/you/.config/systemd/user"},
		"who knows":      {home: "/home/you", folders: []string{"/etc/systemd/user"}, want: "your own systemd does not look for units in /home/you/.config/systemd/user, as HOME or XDG_CONFIG_HOME is another one here: set HOME and"},
		"silent":         {home: "/home/me", err: Problem{Text: "it does not answer"}, want: "it does not answer"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, true)
			mkdir(t, w.at("/home/me/.config/systemd/user"))
			if err := os.Symlink("me", w.at("/home/link")); err != nil {
				t.Fatal(err)
			}
			w.Home, w.Getenv = c.home, func(string) string { return c.config }
			w.UnitPath = func(context.Context) ([]string, error) { return c.folders, c.err }
			isProblem(t, checkUnitPath(t.Context(), w.Paths("blog"), w.System), c.want)
		})
	}
	w := newWorld(t, false)
	isProblem(t, checkUnitPath(t.Context(), w.Paths("blog"), w.System), "")
	w.UnitPath = func(context.Context) ([]string, error) { return []string{"/usr/lib/systemd/system"}, nil }
	isProblem(t, checkUnitPath(t.Context(), w.Paths("blog"), w.System), "systemd does not look for units in /etc/systemd/system")
	site := checked(t, w)
	oneProblem(t, w.check(t, site), "systemd does not look for units in")
}

// sudo keeps HOME on a Mac, and elsewhere where it is told to: root's files in somebody's home are for nobody.
func TestRootForOneself(t *testing.T) {
	w := newWorld(t, true)
	w.UID = 0
	site := w.site(t, "blog")
	plan, err := Make(site, w.System)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		w.put(t, "/usr/bin/rouse", "")
		for _, err := range Check(t.Context(), site, plan, w.System) {
			t.Error(err)
		}
		if err := os.Chown(w.at("/home/me"), 4242, 4242); err != nil {
			t.Fatal(err)
		}
	}
	problems := Check(t.Context(), site, plan, w.System)
	if len(problems) != 1 {
		t.Fatal(problems)
	}
	if p, ok := errors.AsType[Problem](problems[0]); !ok || !p.Usage {
		t.Errorf("%+v", problems)
	}
	_, err = Apply(t.Context(), site, plan, w.System, ApplyOptions{})
	oneProblem(t, []error{err}, "--user is for the account of ")
	oneProblem(t, []error{Uninstall(t.Context(), "blog", w.System, nil)}, "--user is for the account of ")
}
