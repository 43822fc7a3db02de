package install

import (
	"context"
	"errors"
	"slices"
	"time"
)

// putBackLimit is how long the manager has to take back what it did, also when nobody waits any more.
const putBackLimit = 30 * time.Second

// putBack makes everything as it was, in the reverse order, also when ctx has ended.
func (w *work) putBack(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), putBackLimit)
	defer cancel()
	var problems []error
	do := func(err error) { problems = append(problems, err) }
	added := w.next.Units
	if w.live() {
		added = added.without(w.old.Units)
	}
	toAdded := w.asked && len(added.all()) > 0
	if toAdded {
		do(w.sys.Manager.Close(ctx, added))
	}
	for _, undo := range slices.Backward(w.undo) {
		do(undo())
	}
	if toAdded {
		do(w.sys.Manager.Forget(ctx, added))
	}
	if w.asked && w.live() {
		again := slices.DeleteFunc(slices.Concat(w.changed, w.dropped().all()), func(name string) bool { return slices.Contains(added.all(), name) })
		do(w.sys.Manager.Open(ctx, w.old.Units, again))
	}
	if err := errors.Join(problems...); err != nil {
		return err // the record stays, and says that something is half done
	}
	if w.before.there {
		do(replace(w.sys.at(w.paths.Record), w.before))
	} else {
		do(remove(w.sys.at(w.paths.Record)))
	}
	do(removeFolders(w.made))
	return errors.Join(problems...)
}
