package install

import (
	"context"
	"fmt"
	"os"
	"slices"
)

// ask learns how the units stand, to put them back like that.
func (w *work) ask(ctx context.Context) (err error) {
	if units := w.unitsBefore(); len(units.all()) > 0 {
		w.standing, err = w.sys.Manager.Standing(ctx, units)
	}
	return err
}

// hold keeps renewals away from the certificate.
func (w *work) hold(ctx context.Context) error {
	release, err := lockPair(ctx, w.sys.at(w.paths.Site))
	if err != nil {
		return fmt.Errorf("lock %s: %w", w.paths.Site, plain(err))
	}
	w.release = release
	return nil
}

// open has the manager take the units.
func (w *work) open(ctx context.Context) error {
	w.release()
	w.asked, w.opened = true, true
	return w.sys.Manager.Open(ctx, w.next.Units, w.changed)
}

// begin writes the record of an installation that has begun: from here on, every file that may be written stands in it.
func (w *work) begin(context.Context) error {
	w.begun = true
	made, err := makeFolders(w.sys.at(w.paths.Site), w.sys.folderMode())
	w.made = append(w.made, made...)
	if err != nil {
		return fmt.Errorf("make the folder %s: %w", w.paths.Site, plain(err))
	}
	if err := w.sweep(); err != nil {
		return err
	}
	begun := w.next
	begun.State = installing
	begun.Files = slices.Clone(w.next.Files)
	for i, file := range begun.Files {
		if n := slices.IndexFunc(w.write, func(one writing) bool { return one.path == file.Path }); n >= 0 && w.write[n].before.there && !w.write[n].aside {
			begun.Files[i].Was = digest(w.write[n].before.text)
		}
	}
	if w.old != nil {
		begun.Units = w.next.Units.with(w.old.Units)
		for _, one := range w.leaving {
			begun.Files = append(begun.Files, *w.old.file(one.path))
		}
	}
	if err := begun.write(w.sys); err != nil {
		return fmt.Errorf("write %s: %w", w.paths.Record, plain(err))
	}
	made, err = makeFolders(w.sys.at(w.paths.Units), w.sys.folderMode())
	w.made = append(w.made, made...)
	if err != nil {
		return fmt.Errorf("make the folder %s: %w", w.paths.Units, plain(err))
	}
	return nil
}

// sweep removes temporary files of an installation that was cut off.
func (w *work) sweep() error {
	if w.live() {
		return nil
	}
	paths := []string{w.paths.Record}
	if w.old != nil {
		for _, file := range slices.Concat(w.old.Files, w.next.Files) {
			paths = append(paths, file.Path)
		}
	}
	for _, path := range paths {
		if err := sweep(w.sys.at(path)); err != nil {
			return fmt.Errorf("clean up beside %s: %w", path, plain(err))
		}
	}
	return nil
}

// put writes one file.
func (w *work) put(one writing) error {
	path := w.sys.at(one.path)
	if one.aside {
		kept, err := aside(path, ".bak", true)
		if err != nil {
			return fmt.Errorf("keep a copy of %s: %w", one.path, plain(err))
		}
		w.undo = append(w.undo, func() error { return os.Rename(kept, path) })
		w.result.Backups = append(w.result.Backups, w.sys.from(kept))
	}
	w.undo = append(w.undo, func() error {
		if one.before.there && !one.aside {
			return replace(path, one.before)
		}
		return remove(path)
	})
	if err := replace(path, one.after); err != nil {
		return fmt.Errorf("write %s: %w", one.path, plain(err))
	}
	w.result.Written = append(w.result.Written, one.path)
	return nil
}

// takeAway removes one file of the old installation, or keeps it under another name where it was edited.
func (w *work) takeAway(one leaving) error {
	path := w.sys.at(one.path)
	if one.edited {
		kept, err := aside(path, ".edited", false)
		if err != nil {
			return fmt.Errorf("keep a copy of %s: %w", one.path, plain(err))
		}
		w.undo = append(w.undo, func() error { return os.Rename(kept, path) })
		w.result.Backups = append(w.result.Backups, w.sys.from(kept))
		return nil
	}
	w.undo = append(w.undo, func() error { return replace(path, one.before) })
	if err := remove(path); err != nil {
		return fmt.Errorf("remove %s: %w", one.path, plain(err))
	}
	w.result.Removed = append(w.result.Removed, one.path)
	return nil
}

// finish says that all is in place.
func (w *work) finish(context.Context) error {
	if err := w.next.write(w.sys); err != nil {
		return fmt.Errorf("write %s: %w", w.paths.Record, plain(err))
	}
	return nil
}
