package install

import (
	"slices"
	"testing"
)

// What --dry-run says is what is done then, and it does nothing itself.
func TestPreview(t *testing.T) {
	w := newWorld(t, false)
	first := w.site(t, "blog")
	other := w.site(t, "blog")
	other.Sockets = other.Sockets[:1]
	other.Variables = append(slices.Clone(other.Variables), Variable{"SERVER_LOG_LEVEL", "debug"})
	for _, step := range []struct {
		site Site
		edit bool
	}{{first, false}, {first, false}, {other, false}, {first, true}} {
		if step.edit {
			w.put(t, w.Paths("blog").Variables, "SERVER_ROOT=/elsewhere\n")
		}
		plan, err := Make(step.site, w.System)
		if err != nil {
			t.Fatal(err)
		}
		before := w.tree(t)
		said, err := Preview(step.site, plan, w.System, true)
		if err != nil {
			t.Fatal(err)
		}
		sameTree(t, w.tree(t), before)
		if _, err := Preview(step.site, plan, w.System, false); (err != nil) != step.edit {
			t.Errorf("without force: %v", err)
		}
		done := w.install(t, step.site, ApplyOptions{Force: true})
		if !slices.Equal(said.Written, done.Written) || !slices.Equal(said.Removed, done.Removed) || len(said.Backups) != len(done.Backups) || said.Same != done.Same {
			t.Errorf("said %+v\ndone %+v", said, done)
		}
	}
}
