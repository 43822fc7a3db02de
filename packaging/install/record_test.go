package install

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A record that was tampered with does not have anything removed that is no site's.
func TestTamperedRecord(t *testing.T) {
	for from, to := range map[string]string{
		`"path": "/etc/systemd/system/rouse-blog.socket"`: `"path": "/etc/passwd"`,
		`"path": "/etc/rouse/blog/tls.key"`:               `"path": "/etc/rouse/blog/../../passwd"`,
		`"name": "blog"`:                                  `"name": "other"`,
		`"service": "rouse-blog.service"`:                 `"service": "rouse-../../blog.service"`,
		`"rouse-blog-renew.timer"`:                        `"rouse-blog-/../../timer"`,
		`"rouse-blog-renew.service"`:                      `"sshd.service"`,
		`"files": [`:                                      `"folders": ["/etc/ssl"], "files": [`,
		`{`:                                               `{{`,
	} {
		w := newWorld(t, false)
		w.install(t, w.site(t, "blog"), ApplyOptions{})
		path := w.Paths("blog").Record
		text := w.read(t, path)
		if !strings.Contains(text, from) {
			t.Fatalf("no %s in %s", from, text)
		}
		w.put(t, path, strings.Replace(text, from, to, 1))
		before := w.tree(t)
		w.manager.calls = nil
		err := Uninstall(t.Context(), "blog", w.System, nil)
		if _, ok := errors.AsType[Problem](err); !ok || !strings.Contains(err.Error(), path+" is no record") {
			t.Errorf("%s: %v", to, err)
		}
		if _, err := w.try(t.Context(), w.site(t, "blog"), ApplyOptions{Force: true}); err == nil {
			t.Errorf("%s: it is installed over", to)
		}
		if len(w.manager.calls) > 0 {
			t.Errorf("%s: calls %q", to, w.manager.calls)
		}
		sameTree(t, w.tree(t), before)
		all, err := List(t.Context(), w.System)
		if err != nil || len(all) != 1 || !all[0].Half || all[0].State.Trouble == "" {
			t.Errorf("%s: listed as %+v, %v", to, all, err)
		}
	}
}

func TestNoSuchSite(t *testing.T) {
	w := newWorld(t, false)
	own := openWorld(filepath.Dir(w.Root), true)
	mkdir(t, w.at("/home/me"))
	own.install(t, own.site(t, "mine"), ApplyOptions{})
	w.install(t, w.site(t, "blog"), ApplyOptions{})
	w.install(t, w.site(t, "shop"), ApplyOptions{})
	for name, words := range map[string]string{"other": "installed for the whole machine: blog, shop", "mine": "mine is installed for your account: say it with --user"} {
		if _, err := LoadRecord(w.System, name); !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Uninstall(t.Context(), "blog", own.System, nil); !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), "without --user") {
		t.Error(err)
	}
	empty := newWorld(t, false)
	if err := Uninstall(t.Context(), "blog", empty.System, nil); !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), "none is installed") {
		t.Error(err)
	}
	if _, err := os.Stat(empty.at("/etc/rouse")); err == nil {
		t.Error("a folder was made to look into it")
	}
}

// What was being written when rouse died is cleared away; what others call by similar names stays.
func TestSweep(t *testing.T) {
	w := newWorld(t, false)
	before := w.tree(t)
	site := w.site(t, "blog")
	w.install(t, site, ApplyOptions{})
	paths := w.Paths("blog")
	w.put(t, paths.Record, strings.Replace(w.read(t, paths.Record), `"state": "installed"`, `"state": "installing"`, 1))
	units, record := filepath.Dir(paths.Unit(".service")), filepath.Dir(paths.Record)
	w.put(t, units+"/.rouse-blog.socket3141592", "half")
	w.put(t, record+"/.tls.key271828", "half")
	w.put(t, record+"/.installed.json1", "half")
	w.put(t, units+"/.rouse-blog.socket.swp", "an editor's")
	if err := Uninstall(t.Context(), "blog", w.System, nil); err != nil {
		t.Fatal(err)
	}
	before[units+"/.rouse-blog.socket.swp"] = "-rw-r--r-- an editor's"
	sameTree(t, w.tree(t), before)
}

// What lies in a user's folders, and is somebody else's, tells nobody what to remove.
func TestRecordOfSomebodyElse(t *testing.T) {
	w := newWorld(t, true)
	w.install(t, w.site(t, "blog"), ApplyOptions{})
	if os.Geteuid() != 0 {
		return // only root gives files away
	}
	if err := os.Chown(w.at(w.Paths("blog").Record), 65534, 65534); err != nil {
		t.Fatal(err)
	}
	before := w.tree(t)
	w.manager.calls = nil
	err := Uninstall(t.Context(), "blog", w.System, nil)
	if _, ok := errors.AsType[Problem](err); !ok || !strings.Contains(err.Error(), "belongs to uid 65534") {
		t.Error(err)
	}
	if len(w.manager.calls) > 0 {
		t.Errorf("calls %q", w.manager.calls)
	}
	sameTree(t, w.tree(t), before)
}

func TestUnitsOfASite(t *testing.T) {
	for unit, want := range map[string]bool{
		"rouse-blog.service": true, "rouse-blog-http.socket": true, "rouse-blog": false, "rouse-blogs.service": false,
		"rouse-blog.service/x": false, "rouse-blog-/../x": false, "/etc/systemd/system/rouse-blog.service": false, "sshd.service": false,
	} {
		if isUnitOf(unit, "blog", System{OS: "linux"}) != want {
			t.Errorf("%s is one of the site: %v", unit, !want)
		}
	}
	for unit, want := range map[string]bool{
		"/Library/LaunchDaemons/io.github.rouse-server.rouse.blog.plist": true, "/Library/LaunchDaemons/io.github.rouse-server.rouse.blog.renew.plist": true,
		"/Library/LaunchDaemons/../x/io.github.rouse-server.rouse.blog.plist": false, "/Library/LaunchDaemons/com.apple.sshd.plist": false,
	} {
		if isUnitOf(unit, "blog", System{OS: "darwin"}) != want {
			t.Errorf("%s is one of the site: %v", unit, !want)
		}
	}
}
