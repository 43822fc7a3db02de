package install

import (
	"os"
	"slices"
	"testing"
)

// A file with another mode or owner is not as it was installed: a key that everybody can read, a unit that somebody can change.
// It is put right and told, and the service, which reads the same as before, is left alone.
func TestModesArePutRight(t *testing.T) {
	for _, user := range []bool{false, true} {
		w := newWorld(t, user)
		site := w.site(t, "blog")
		w.install(t, site, ApplyOptions{})
		paths, right := w.Paths("blog"), w.tree(t)
		wrong := []string{paths.Key}
		if err := os.Chmod(w.at(paths.Key), 0o644); err != nil {
			t.Fatal(err)
		}
		if os.Geteuid() == 0 { // only root gives files away
			wrong = append(wrong, paths.Unit(".service"))
			if err := os.Chown(w.at(paths.Unit(".service")), 65534, 65534); err != nil {
				t.Fatal(err)
			}
		}
		before, err := os.Stat(w.at(paths.Unit(".service")))
		if err != nil {
			t.Fatal(err)
		}
		w.manager.calls = nil
		again := site
		again.Certificate = makePair(t, selfSigned, "localhost")
		result := w.install(t, again, ApplyOptions{})
		if result.Same || !slices.Equal(result.Written, wrong) || len(result.Backups) > 0 || !slices.Equal(w.manager.calls, []string{"standing", "open"}) {
			t.Errorf("same %v, written %q, kept %q, calls %q", result.Same, result.Written, result.Backups, w.manager.calls)
		}
		sameTree(t, w.tree(t), right)
		after, err := look(w.at(paths.Unit(".service")))
		if err != nil || after.uid != os.Geteuid() || !after.time.Equal(before.ModTime()) {
			t.Errorf("owner %d, of %v, %v", after.uid, after.time, err)
		}
		if result := w.install(t, again, ApplyOptions{}); !result.Same {
			t.Errorf("it is not the same: %q", result.Written)
		}
	}
}

// A dispatcher that becomes a site which sleeps does not start at boot any more.
func TestNoLongerAtBoot(t *testing.T) {
	w := newWorld(t, false)
	site := w.site(t, "front")
	plan, err := Make(site, w.System)
	if err != nil {
		t.Fatal(err)
	}
	plan.Units.Boot = true
	if _, err := Apply(t.Context(), site, plan, w.System, ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, enabled := w.manager.remembered()["boot rouse-front.service"]; !enabled {
		t.Fatal("it does not start at boot")
	}
	w.install(t, site, ApplyOptions{})
	if _, enabled := w.manager.remembered()["boot rouse-front.service"]; enabled {
		t.Error("it starts at boot still")
	}
}
