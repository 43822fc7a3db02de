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
