package install

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Uninstall takes a site away: it closes the units, and removes the files and folders of its record. Files that were edited since
// are kept as FILE.edited. say gets a line for each file; nil: nobody listens. Of a removal that was cut off the record stays, and
// the next one goes on.
func Uninstall(ctx context.Context, name string, sys System, say func(line string)) error {
	if say == nil {
		say = func(string) {}
	}
	if err := rights(sys); err != nil {
		return err
	}
	if checkName(name) != nil {
		return errNone(sys, name)
	}
	unlock, err := lockSites(ctx, sys)
	if err != nil {
		return err
	}
	defer unlock()
	paths := sys.Paths(name)
	record, err := readRecord(sys, name)
	if err != nil {
		return err
	}
	if record == nil {
		return errors.Join(errNone(sys, name), clearEmpty(paths, sys))
	}
	r := removal{sys, paths, record, say}
	release, err := lockPair(ctx, sys.at(paths.Site))
	if err != nil {
		return fmt.Errorf("lock %s: %w", paths.Site, plain(err))
	}
	defer release()
	if err := r.close(ctx); err != nil {
		return err
	}
	return r.removeAll(context.WithoutCancel(ctx)) // half a removal is of use to nobody, and the rest is quick
}

// removal is a site on its way out.
type removal struct {
	sys    System
	paths  Paths
	record *Record
	say    func(string)
}

// clearEmpty removes what a process that was killed can have left without a record: empty folders, and half a record.
func clearEmpty(paths Paths, sys System) error {
	if err := sweep(sys.at(paths.Record)); err != nil {
		return err
	}
	return removeFolders([]string{sys.at(paths.Site), sys.at(paths.Sites)})
}

func (r removal) close(ctx context.Context) error {
	if err := r.sys.Manager.Ready(ctx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s was not removed: %w", r.record.Name, err)
	}
	if err := r.sys.Manager.Close(ctx, r.record.Units); err != nil {
		return fmt.Errorf("%s was not removed: %w", r.record.Name, err)
	}
	return nil
}

func (r removal) removeAll(ctx context.Context) error {
	actions := r.plan()
	begun := r.record.State
	r.record.State = removing
	if err := r.record.write(r.sys); err != nil {
		return fmt.Errorf("write %s: %w", r.paths.Record, plain(err))
	}
	for _, act := range actions {
		if err := act(); err != nil {
			return err
		}
	}
	if err := r.sweep(begun); err != nil {
		return err
	}
	if err := r.sys.Manager.Forget(ctx, r.record.Units); err != nil {
		return fmt.Errorf("the files of %s are removed, but its manager was not told: %w", r.record.Name, err)
	}
	return r.removeRecord()
}

// plan decides about every file before the first one goes: that of the certificate's needs its key.
func (r removal) plan() (actions []func() error) {
	for _, file := range r.record.Files {
		path := r.sys.at(file.Path)
		f, err := look(path)
		switch {
		case err != nil:
			actions = append(actions, func() error { return fmt.Errorf("look at %s: %w", file.Path, plain(err)) })
		case !f.there:
		case r.record.wrote(r.sys, file.Path, f):
			actions = append(actions, func() error {
				if err := remove(path); err != nil {
					return fmt.Errorf("remove %s: %w", file.Path, plain(err))
				}
				r.say("removed " + file.Path)
				return nil
			})
		case r.record.State == installing: // it was in the way of an installation that did not come to it
			r.say("left " + file.Path + ", which rouse did not write")
		default:
			actions = append(actions, func() error { return r.keep(file.Path) })
		}
	}
	return actions
}

// keep gives a file that was edited a name under which it means nothing.
func (r removal) keep(path string) error {
	kept, err := aside(r.sys.at(path), ".edited", false)
	if err != nil {
		return fmt.Errorf("keep a copy of %s: %w", path, plain(err))
	}
	r.say("kept " + path + ", which was edited, as " + r.sys.from(kept))
	return nil
}

// sweep removes what processes that were killed left beside the files: an installation, or a renewal of the certificate, which
// has the new one in FILE.new until it is whole.
func (r removal) sweep(begun string) (err error) {
	for _, file := range r.record.Files {
		if begun != installed {
			err = sweep(r.sys.at(file.Path))
		}
		if file.Renewed {
			err = cmp.Or(err, remove(r.sys.at(file.Path+".new")))
		}
		if err != nil {
			return fmt.Errorf("clean up beside %s: %w", file.Path, plain(err))
		}
	}
	return nil
}

// removeRecord ends the removal, and takes the folders away that are empty now: those that were made for this site or, before it,
// for others, and in any case those of sites, which nobody else has.
func (r removal) removeRecord() error {
	for _, file := range r.record.Files {
		if r.record.Units.unitAt(file.Path) == "" {
			continue
		}
		if _, err := os.Lstat(r.sys.at(file.Path + ".d")); err == nil { // systemctl edit makes them
			r.say("left " + file.Path + ".d, which is yours")
		}
	}
	if err := sweep(r.sys.at(r.paths.Record)); err != nil {
		return fmt.Errorf("clean up beside %s: %w", r.paths.Record, plain(err))
	}
	if err := remove(r.sys.at(r.paths.Record)); err != nil {
		return fmt.Errorf("remove %s: %w", r.paths.Record, plain(err))
	}
	var folders []string
	for _, folder := range slices.Concat(r.record.Folders, []string{r.paths.Site, r.paths.Sites}) {
		folders = append(folders, r.sys.at(folder))
	}
	if err := removeFolders(folders); err != nil {
		return fmt.Errorf("remove the folders of %s: %w", r.record.Name, err)
	}
	entries, err := os.ReadDir(r.sys.at(r.paths.Site))
	if err != nil {
		return nil // it is gone
	}
	var left []string
	for _, entry := range entries {
		left = append(left, entry.Name())
	}
	r.say("left " + r.paths.Site + " with " + strings.Join(left, ", "))
	return nil
}
