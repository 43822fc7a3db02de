package install

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// ApplyOptions are choices about how to install.
type ApplyOptions struct {
	// Force replaces files that Rouse did not write or that were edited; they are kept as FILE.bak-1, FILE.bak-2 …
	Force bool
}

// Result is what was done.
type Result struct {
	Written []string // files that are new or others than before
	Backups []string // where files in the way are now
	Removed []string // files of an earlier installation of the site that it no longer has
	Same    bool     // nothing had to be changed
	// Chain is the site's certificate, PEM: the plan's, or the one that was there and still fits. Nil: none was made.
	Chain []byte
}

// Apply installs the plan: wholly, or when something fails or ctx ends, not at all. The record comes first, so that of an
// installation whose process was killed the next one knows: it completes it, and [Uninstall] removes it.
func Apply(ctx context.Context, site Site, plan Plan, sys System, o ApplyOptions) (Result, error) {
	if err := rights(sys); err != nil {
		return Result{}, err
	}
	unlock, err := lockSites(ctx, sys)
	if err != nil {
		return Result{}, err
	}
	defer unlock()
	w := &work{sys: sys, paths: sys.Paths(site.Name), options: o, release: func() {}}
	if err := w.look(site, plan); err != nil {
		return Result{}, err
	}
	defer func() { w.release() }()
	if err := w.run(ctx); err != nil {
		if failed := w.putBack(ctx); failed != nil {
			return Result{}, fmt.Errorf("%w; and it could not all be put back (%v): rouse %s removes what is left", err, failed, uninstalling(site.Name, sys))
		}
		return Result{}, fmt.Errorf("%w; everything is as it was", err)
	}
	return w.result, nil
}

// work is an installation on its way.
type work struct {
	*changes
	sys     System
	paths   Paths
	options ApplyOptions
	result  Result

	before   found               // the record
	standing map[string]Standing // of the units that are there

	begun   bool           // the record says so
	made    []string       // folders
	undo    []func() error // of files
	asked   bool           // the manager has been told something
	opened  bool           // it may have read the new units
	release func()         // of the lock against renewals
}

// look finds what there is to do, and whether it may be done.
func (w *work) look(site Site, plan Plan) error {
	changes, problems := findChanges(site, plan, w.sys)
	for _, err := range problems {
		if p, ok := errors.AsType[Problem](err); !ok || !p.InTheWay || !w.options.Force {
			return err
		}
	}
	w.changes = changes
	w.result.Same, w.result.Chain = changes.same(), changes.chain
	var err error
	if w.before, err = look(w.sys.at(w.paths.Record)); err != nil {
		return fmt.Errorf("look at %s: %w", w.paths.Record, plain(err))
	}
	return nil
}

// run goes from step to step.
func (w *work) run(ctx context.Context) error {
	for _, step := range w.steps() {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("the installation was cut off: %w", err)
		}
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) steps() []func(context.Context) error {
	steps := []func(context.Context) error{w.ask}
	if w.same() {
		return append(steps, w.open)
	}
	steps = append(steps, w.begin)
	if w.hasRenewed() {
		steps = append(steps, w.hold)
	}
	dropped, ending := w.dropped()
	if len(ending.all()) > 0 {
		steps = append(steps, func(ctx context.Context) error {
			w.asked = true
			return w.sys.Manager.Close(ctx, ending)
		})
	}
	for _, one := range w.write {
		steps = append(steps, func(context.Context) error { return w.put(one) })
	}
	for _, one := range w.leaving {
		steps = append(steps, func(context.Context) error { return w.takeAway(one) })
	}
	if len(dropped.all()) > 0 {
		steps = append(steps, func(ctx context.Context) error { return w.sys.Manager.Forget(ctx, dropped) })
	}
	steps = append(steps, w.open)
	if w.readsOthers() {
		steps = append(steps, func(ctx context.Context) error { return w.sys.Manager.Restart(ctx, w.next.Units) })
	}
	return append(steps, w.finish)
}

// dropped are the units of the old installation that the new one does not have, and ending those with a service that no longer
// starts at boot.
func (w *work) dropped() (dropped, ending Units) {
	if w.old == nil {
		return Units{}, Units{}
	}
	dropped = w.old.Units.without(w.next.Units)
	ending = dropped
	if w.old.Units.Boot && !w.next.Units.Boot {
		ending.Service, ending.Boot = w.old.Units.Service, true
	}
	return dropped, ending
}

// readsOthers tells whether a service that runs has options or a certificate of before. For another unit or other sockets Open has
// ended it already.
func (w *work) readsOthers() bool {
	if slices.ContainsFunc(w.changed, func(unit string) bool {
		return unit == w.next.Units.Service || slices.Contains(w.next.Units.Sockets, unit)
	}) {
		return false
	}
	return slices.ContainsFunc(w.write, func(one writing) bool { return w.next.Units.unitAt(one.path) == "" && !one.sameText() })
}

// hasRenewed tells whether the certificate is written or taken away.
func (w *work) hasRenewed() bool {
	is := func(path string) bool { return path == w.paths.Chain || path == w.paths.Key }
	return slices.ContainsFunc(w.write, func(one writing) bool { return is(one.path) }) ||
		slices.ContainsFunc(w.leaving, func(one leaving) bool { return is(one.path) })
}
