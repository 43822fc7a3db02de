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
	was := w.unitsBefore()
	added := w.units().without(was)
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
	if w.asked && len(was.all()) > 0 {
		do(w.sys.Manager.Restore(ctx, was, w.standing, w.seenOtherwise()))
	}
	if err := errors.Join(problems...); err != nil {
		return err // the record stays, and says that something is half done
	}
	if !w.begun {
		return nil
	}
	if w.before.there {
		do(replace(w.sys.at(w.paths.Record), w.before))
	} else {
		do(remove(w.sys.at(w.paths.Record)))
	}
	do(removeFolders(w.made))
	return errors.Join(problems...)
}

// units are those of the installation and of the one before.
func (w *work) units() Units {
	if w.old == nil {
		return w.next.Units
	}
	return w.next.Units.with(w.old.Units)
}

// unitsBefore are those that were there before: of the old installation, or somebody's.
func (w *work) unitsBefore() Units {
	var old []string
	if w.old != nil {
		old = w.old.Units.all()
	}
	return w.units().where(func(unit string) bool { return slices.Contains(old, unit) || slices.Contains(w.there, unit) })
}

// seenOtherwise are the units that the manager may have read as they were to be.
func (w *work) seenOtherwise() []string {
	if !w.opened {
		return nil
	}
	units := slices.Clone(w.changed)
	if w.readsOthers() {
		units = append(units, w.next.Units.Service)
	}
	return units
}
