package install

import (
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestInstall(t *testing.T) {
	for _, user := range []bool{false, true} {
		w := newWorld(t, user)
		empty := w.tree(t)
		result := w.install(t, w.site(t, "blog"), ApplyOptions{})
		if len(result.Written) != 8 || result.Same {
			t.Errorf("result %+v", result)
		}
		paths := w.Paths("blog")
		for path, mode := range map[string]os.FileMode{
			paths.Variables: 0o644, paths.Chain: 0o600, paths.Key: 0o600, paths.Record: 0o644,
			paths.Unit(".service"): 0o644, paths.Unit(".socket"): 0o644, paths.Unit("-http.socket"): 0o644, paths.Unit("-renew.timer"): 0o644,
		} {
			if info, err := os.Stat(w.at(path)); err != nil || info.Mode() != mode {
				t.Errorf("%s: %v, %v", path, info, err)
			}
		}
		record, err := LoadRecord(w.System, "blog")
		if err != nil || record.State != installed || len(record.URLs) != 2 || len(record.Listen) != 3 {
			t.Errorf("record %+v, %v", record, err)
		}
		if open := len(w.manager.loaded()); open != len(record.Units.all()) {
			t.Errorf("%d units are open", open)
		}
		if err := Uninstall(t.Context(), "blog", w.System, nil); err != nil {
			t.Fatal(err)
		}
		w.contract(t)
		sameTree(t, w.tree(t), empty)
		if open := w.manager.loaded(); len(open) != 0 {
			t.Errorf("still open: %v", open)
		}
	}
}

// The same command again changes nothing, also with the new certificate that it brings along, and after a renewal.
func TestInstallAgain(t *testing.T) {
	w := newWorld(t, false)
	site := w.site(t, "blog")
	w.install(t, site, ApplyOptions{})
	again := site
	again.Certificate = makePair(t, selfSigned, "localhost")
	for _, renew := range []bool{false, true} {
		chain := string(site.Certificate.Chain)
		if renew {
			chain = string(renewed(t, site.Certificate, selfSigned, "localhost").Chain)
			w.put(t, w.Paths("blog").Chain, chain)
		}
		before := w.tree(t)
		w.manager.calls = nil
		result := w.install(t, again, ApplyOptions{})
		if !result.Same || len(result.Written) != 0 || string(result.Chain) != chain {
			t.Errorf("result %+v", result)
		}
		if !slices.Equal(w.manager.calls, []string{"standing", "open"}) {
			t.Errorf("calls %q", w.manager.calls)
		}
		sameTree(t, w.tree(t), before)
	}
}

// Other options change the files that they are about, and a running service is told.
func TestInstallOtherOptions(t *testing.T) {
	w := newWorld(t, false)
	site := w.site(t, "blog")
	w.install(t, site, ApplyOptions{})
	paths := w.Paths("blog")

	site.Variables = []Variable{{"SERVER_ROOT", "/srv/other"}}
	w.manager.calls = nil
	result := w.install(t, site, ApplyOptions{})
	if !slices.Equal(result.Written, []string{paths.Variables}) || !slices.Equal(w.manager.calls, []string{"standing", "open", "restart"}) {
		t.Errorf("written %q, calls %q", result.Written, w.manager.calls)
	}

	// Other sockets and another service are opened and ended by Open: nothing is left that would be restarted.
	site.Sockets[1].Listen, site.Egress = []string{"127.0.0.1:8081"}, true
	w.manager.calls = nil
	result = w.install(t, site, ApplyOptions{})
	if slices.Sort(result.Written); !slices.Equal(result.Written, []string{paths.Unit("-http.socket"), paths.Unit(".service")}) || !slices.Equal(w.manager.calls, []string{"standing", "open"}) {
		t.Errorf("written %q, calls %q", result.Written, w.manager.calls)
	}

	site.Certificate = makePair(t, selfSigned, "www.example")
	result = w.install(t, site, ApplyOptions{})
	if !slices.Equal(result.Written, []string{paths.Chain, paths.Key}) || string(result.Chain) != string(site.Certificate.Chain) {
		t.Errorf("written %q for other names", result.Written)
	}

	// Without the http socket and the certificate, their units and files go.
	site.Sockets, site.Certificate = site.Sockets[:1], nil
	result = w.install(t, site, ApplyOptions{})
	gone := []string{paths.Chain, paths.Key, paths.Unit("-http.socket"), paths.Unit("-renew.service"), paths.Unit("-renew.timer")}
	slices.Sort(result.Removed)
	slices.Sort(gone)
	if !slices.Equal(result.Removed, gone) {
		t.Errorf("removed %q, want %q", result.Removed, gone)
	}
	if open := slices.Sorted(maps.Keys(w.manager.loaded())); !slices.Equal(open, []string{"rouse-blog.service", "rouse-blog.socket"}) {
		t.Errorf("open: %q", open)
	}
}

func TestForeignFile(t *testing.T) {
	w := newWorld(t, false)
	paths := w.Paths("blog")
	w.put(t, paths.Unit(".socket"), "mine\n")
	before := w.tree(t)
	site := w.site(t, "blog")
	_, err := w.try(t.Context(), site, ApplyOptions{})
	problem, ok := errors.AsType[Problem](err)
	if !ok || !problem.InTheWay || !strings.Contains(problem.Text, paths.Unit(".socket")+" is there already") {
		t.Errorf("error %v", err)
	}
	sameTree(t, w.tree(t), before)
	if len(w.manager.calls) > 0 {
		t.Errorf("calls %q", w.manager.calls)
	}

	result := w.install(t, site, ApplyOptions{Force: true})
	backup := paths.Unit(".socket") + ".bak-1"
	if !slices.Equal(result.Backups, []string{backup}) || w.read(t, backup) != "mine\n" {
		t.Errorf("backups %q", result.Backups)
	}
	if err := Uninstall(t.Context(), "blog", w.System, nil); err != nil {
		t.Fatal(err)
	}
	after := w.tree(t)
	if after[backup] == "" || after[paths.Unit(".socket")] != "" || len(after) != len(before) {
		t.Errorf("after uninstall: %q", slices.Sorted(maps.Keys(after)))
	}
}

func TestEditedFile(t *testing.T) {
	w := newWorld(t, false)
	site := w.site(t, "blog")
	w.install(t, site, ApplyOptions{})
	paths := w.Paths("blog")
	for n, backup := range []string{paths.Variables + ".bak-1", paths.Variables + ".bak-2"} {
		w.put(t, paths.Variables, "SERVER_ROOT=/mine\n")
		before := w.tree(t)
		_, err := w.try(t.Context(), site, ApplyOptions{})
		if problem, ok := errors.AsType[Problem](err); !ok || !problem.InTheWay || !strings.Contains(problem.Text, "was edited since") {
			t.Errorf("%d: error %v", n, err)
		}
		sameTree(t, w.tree(t), before)
		result := w.install(t, site, ApplyOptions{Force: true})
		if !slices.Equal(result.Backups, []string{backup}) || w.read(t, backup) != "SERVER_ROOT=/mine\n" {
			t.Errorf("%d: backups %q", n, result.Backups)
		}
	}
}

// Neither links nor folders are written through or into, and a certificate of somebody's own is no renewed one.
func TestOddFiles(t *testing.T) {
	for name, occupy := range map[string]func(*testing.T, *world, Paths){
		"link": func(t *testing.T, w *world, paths Paths) { // as systemctl mask makes it
			if err := os.Symlink("/dev/null", w.at(paths.Unit(".service"))); err != nil {
				t.Fatal(err)
			}
		},
		"folder": func(t *testing.T, w *world, paths Paths) { mkdir(t, w.at(paths.Unit(".service"))) },
		"certificate": func(t *testing.T, w *world, paths Paths) {
			pair := makePair(t, "Example CA", "localhost")
			w.put(t, paths.Chain, string(pair.Chain))
			w.put(t, paths.Key, string(pair.Key))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, false)
			site := w.site(t, "blog")
			paths := w.Paths("blog")
			if name == "certificate" {
				w.install(t, site, ApplyOptions{})
			}
			occupy(t, w, paths)
			before := w.tree(t)
			_, err := w.try(t.Context(), site, ApplyOptions{})
			if problem, ok := errors.AsType[Problem](err); !ok || !problem.InTheWay {
				t.Fatalf("error %v", err)
			}
			sameTree(t, w.tree(t), before)
			if result := w.install(t, site, ApplyOptions{Force: true}); len(result.Backups) == 0 {
				t.Error("nothing was kept")
			}
		})
	}
}

// Sites stand side by side, and the last one takes away the folders that the first one made.
func TestSitesSideBySide(t *testing.T) {
	w := newWorld(t, true)
	empty := w.tree(t)
	w.install(t, w.site(t, "one"), ApplyOptions{})
	alone := w.tree(t)
	w.install(t, w.site(t, "two"), ApplyOptions{})
	if err := Uninstall(t.Context(), "two", w.System, nil); err != nil {
		t.Fatal(err)
	}
	sameTree(t, w.tree(t), alone)
	w.install(t, w.site(t, "two"), ApplyOptions{})
	for _, name := range []string{"one", "two"} {
		if err := Uninstall(t.Context(), name, w.System, nil); err != nil {
			t.Fatal(err)
		}
	}
	w.contract(t)
	sameTree(t, w.tree(t), empty)
}

// A site whose unit has the name of another one's is not installed, also by force.
func TestCollidingNames(t *testing.T) {
	w := newWorld(t, false)
	site := w.site(t, "blog")
	site.Sockets[1].Name = "admin"
	w.install(t, site, ApplyOptions{})
	before := w.tree(t)
	_, err := w.try(t.Context(), w.site(t, "blog-admin"), ApplyOptions{Force: true})
	if err == nil || !strings.Contains(err.Error(), "belongs to the site blog") {
		t.Errorf("error %v", err)
	}
	sameTree(t, w.tree(t), before)
}

func TestNotRoot(t *testing.T) {
	w := newWorld(t, false)
	w.UID = 1000
	_, err := w.try(t.Context(), w.site(t, "blog"), ApplyOptions{})
	if problem, ok := errors.AsType[Problem](err); !ok || !problem.Refused {
		t.Errorf("install: %v", err)
	}
	err = Uninstall(t.Context(), "blog", w.System, nil)
	if problem, ok := errors.AsType[Problem](err); !ok || !problem.Refused {
		t.Errorf("uninstall: %v", err)
	}
}
