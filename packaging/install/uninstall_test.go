package install

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
)

// What was edited or put there by others stays, and is told.
func TestUninstallKeeps(t *testing.T) {
	w := newWorld(t, false)
	w.install(t, w.site(t, "blog"), ApplyOptions{})
	paths := w.Paths("blog")
	w.put(t, paths.Unit(".service"), "edited\n")
	w.put(t, paths.Variables, "edited too\n")
	w.put(t, paths.Variables+".edited", "from another time\n")
	w.put(t, paths.Unit(".service")+".d/override.conf", "[Service]\n")
	w.put(t, paths.Site+"/notes", "mine\n")
	var said []string
	if err := Uninstall(t.Context(), "blog", w.System, func(line string) { said = append(said, line) }); err != nil {
		t.Fatal(err)
	}
	w.contract(t)
	files := w.tree(t)
	maps.DeleteFunc(files, func(path, about string) bool { return strings.HasPrefix(about, "d") })
	want := []string{
		paths.Site + "/notes", paths.Variables + ".edited", paths.Variables + ".edited-2",
		paths.Unit(".service") + ".d/override.conf", paths.Unit(".service") + ".edited",
	}
	if got := slices.Sorted(maps.Keys(files)); !slices.Equal(got, want) {
		t.Errorf("left are %q, want %q", got, want)
	}
	all := strings.Join(said, "\n")
	for _, line := range []string{
		"kept " + paths.Unit(".service") + ", which was edited, as " + paths.Unit(".service") + ".edited",
		"kept " + paths.Variables + ", which was edited, as " + paths.Variables + ".edited-2",
		"left " + paths.Unit(".service") + ".d, which is yours",
		"removed " + paths.Key,
		"left " + paths.Site + " with notes, rouse.env.edited, rouse.env.edited-2",
	} {
		if !strings.Contains(all, line) {
			t.Errorf("%q was not said: %s", line, all)
		}
	}
	if _, err := LoadRecord(w.System, "blog"); !errors.Is(err, ErrNone) {
		t.Error(err)
	}
}

// A certificate that was renewed is Rouse's, and goes; one of somebody's own stays, and so does its key.
func TestUninstallCertificates(t *testing.T) {
	for organization, goes := range map[string]bool{selfSigned: true, "Example CA": false} {
		w := newWorld(t, false)
		before := w.tree(t)
		site := w.site(t, "blog")
		w.install(t, site, ApplyOptions{})
		paths := w.Paths("blog")
		w.put(t, paths.Chain, string(renewed(t, site.Certificate, organization, "localhost").Chain))
		w.put(t, paths.Chain+".new", "a renewal that was killed")
		if err := Uninstall(t.Context(), "blog", w.System, nil); err != nil {
			t.Fatal(err)
		}
		if goes {
			sameTree(t, w.tree(t), before)
		} else if w.read(t, paths.Chain+".edited") == "" {
			t.Error("the certificate is gone")
		}
	}
}

// When the manager does not close the site, everything stays, and can be removed later.
func TestUninstallFails(t *testing.T) {
	w := newWorld(t, false)
	empty := w.tree(t)
	w.install(t, w.site(t, "blog"), ApplyOptions{})
	before := w.tree(t)
	w.manager.silent = Problem{Text: "no systemd"}
	if err := Uninstall(t.Context(), "blog", w.System, nil); err == nil || err.Error() != "no systemd" {
		t.Error(err)
	}
	w.manager.silent = nil
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Uninstall(ctx, "blog", w.System, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	w.manager.meet = func(call string) error { return errStep }
	if err := Uninstall(t.Context(), "blog", w.System, nil); !errors.Is(err, errStep) || !strings.Contains(err.Error(), "blog was not removed") {
		t.Error(err)
	}
	sameTree(t, w.tree(t), before)
	w.manager.meet = func(call string) error {
		if call == "forget" {
			return errStep
		}
		return nil
	}
	if err := Uninstall(t.Context(), "blog", w.System, nil); !errors.Is(err, errStep) {
		t.Error(err)
	}
	all, err := List(t.Context(), w.System)
	if err != nil || len(all) != 1 || !all[0].Half || !strings.Contains(all[0].State.Trouble, "removal was cut off") {
		t.Errorf("listed as %+v, %v", all, err)
	}
	w.manager.meet = nil
	if err := Uninstall(t.Context(), "blog", w.System, nil); err != nil {
		t.Error(err)
	}
	sameTree(t, w.tree(t), empty)
}
