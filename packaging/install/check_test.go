package install

import (
	"context"
	"errors"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// checked is a site whose plan is good.
func checked(t *testing.T, w *world) Site {
	t.Helper()
	site := w.site(t, "blog")
	site.Sockets = []Socket{{Name: "https", Listen: []string{"/run/https"}}}
	site.Reads = []Access{{"--root", "/srv/www"}}
	w.put(t, "/srv/www/index.html", "")
	w.put(t, "/usr/bin/rouse", "")
	if err := os.Chmod(w.at("/usr/bin/rouse"), 0o755); err != nil {
		t.Fatal(err)
	}
	return site
}

func (w *world) check(t *testing.T, site Site) []error {
	t.Helper()
	plan, err := Make(site, w.System)
	if err != nil {
		t.Fatal(err)
	}
	before := w.tree(t)
	problems := Check(t.Context(), site, plan, w.System)
	sameTree(t, w.tree(t), before)
	for _, err := range problems {
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("not one line: %q", err)
		}
	}
	return problems
}

func TestCheck(t *testing.T) {
	w := newWorld(t, false)
	site := checked(t, w)
	oneProblem(t, w.check(t, site), "")
	w.install(t, site, ApplyOptions{})
	oneProblem(t, w.check(t, site), "")

	// All that is wrong is told.
	w.put(t, w.Paths("blog").Variables, "edited")
	w.put(t, "/run/other", "")
	site.Reads = []Access{{"--root", "/srv/nothing"}, {"--config-file", "/srv/none.toml"}}
	site.Sockets[0].Listen = []string{"/run/other"}
	w.Verify = func(_ context.Context, paths []string) error { return errors.New("bad unit") }
	var all []string
	for _, err := range w.check(t, site) {
		all = append(all, err.Error())
	}
	for _, want := range []string{"rouse.env was edited since", "--root /srv/nothing", "--config-file /srv/none.toml", "/run/other is there already", "bad unit"} {
		if !slices.ContainsFunc(all, func(text string) bool { return strings.Contains(text, want) }) {
			t.Errorf("%q is not told: %q", want, all)
		}
	}
	if len(all) != 5 {
		t.Errorf("told is %q", all)
	}
}

func TestCheckRefused(t *testing.T) {
	w := newWorld(t, false)
	site := checked(t, w)
	w.UID = 1000
	w.manager.silent = errors.New("only root is answered")
	problems := w.check(t, site)
	oneProblem(t, problems, "for the whole machine this needs root: the same with sudo in front, or with --user")
	if p, ok := errors.AsType[Problem](problems[0]); !ok || !p.Refused {
		t.Errorf("%+v", problems)
	}
}

func TestCheckSilentManager(t *testing.T) {
	w := newWorld(t, false)
	site := checked(t, w)
	w.manager.silent = Problem{Text: "systemd does not run on this machine"}
	oneProblem(t, w.check(t, site), "systemd does not run on this machine")
}

func TestCheckFolders(t *testing.T) {
	w := newWorld(t, false)
	site := checked(t, w)
	w.put(t, "/etc/rouse/blog", "a file")
	oneProblem(t, w.check(t, site), "/etc/rouse/blog is to be a folder, and /etc/rouse/blog is none: move it away, or choose another --name")
	if _, err := w.try(t.Context(), site, ApplyOptions{}); err == nil || !strings.Contains(err.Error(), "make the folder /etc/rouse/blog: not a directory; everything is as it was") {
		t.Error(err)
	}
}

// The units that systemd looks at are those of the plan, all in one folder.
func TestVerifiedUnits(t *testing.T) {
	w := newWorld(t, false)
	site := checked(t, w)
	var names []string
	w.Verify = func(_ context.Context, paths []string) error {
		for _, path := range paths {
			if filepath.Dir(path) != filepath.Dir(paths[0]) {
				t.Errorf("%q are not in one folder", paths)
			}
			if text, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(text), "# Written by rouse install (site blog)") {
				t.Errorf("%s: %.60q, %v", path, text, err)
			}
			names = append(names, filepath.Base(path))
		}
		return nil
	}
	oneProblem(t, w.check(t, site), "")
	slices.Sort(names)
	if want := []string{"rouse-blog-renew.service", "rouse-blog-renew.timer", "rouse-blog.service", "rouse-blog.socket"}; !slices.Equal(names, want) {
		t.Errorf("verified are %q", names)
	}
}

// On a Mac the same happens with property lists. A daemon's account reads the key itself, so it is given to it.
func TestMac(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	for _, own := range []bool{true, false} {
		w := newWorld(t, own)
		w.OS, w.Home = "darwin", "/Users/me"
		mkdir(t, w.at("/Users/me/Library"))
		mkdir(t, w.at("/Library/LaunchDaemons"))
		before := w.tree(t)
		site := w.site(t, "blog")
		if !own {
			site.Account = me.Username
		}
		w.install(t, site, ApplyOptions{})
		paths := w.Paths("blog")
		for path, mode := range map[string]os.FileMode{paths.Job: 0o644, paths.RenewJob: 0o644, paths.Chain: 0o600, paths.Key: 0o600} {
			if info, err := os.Stat(w.at(path)); err != nil || info.Mode() != mode {
				t.Errorf("%s: %v, %v", path, info, err)
			}
		}
		if again := w.install(t, site, ApplyOptions{}); !again.Same {
			t.Errorf("%+v", again)
		}
		site.Certificate = nil
		if result := w.install(t, site, ApplyOptions{}); len(result.Removed) != 3 || len(w.manager.loaded()) != 1 {
			t.Errorf("%+v, open %q", result, w.manager.loaded())
		}
		w.remove(t, "blog")
		sameTree(t, w.tree(t), before)
		if !own {
			site = w.site(t, "blog")
			site.Account = "nobody-of-that-name"
			_, err := w.try(t.Context(), site, ApplyOptions{})
			oneProblem(t, []error{err}, "there is no user nobody-of-that-name")
			sameTree(t, w.tree(t), before)
		}
	}
}
