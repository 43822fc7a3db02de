package install

import (
	"context"
	"errors"
	"fmt"
)

// ApplyOptions are choices about how to install.
type ApplyOptions struct {
	// Force replaces files that Rouse did not write or that were edited; they are kept as FILE.bak-1, FILE.bak-2 …
	Force bool
	// Say gets a line for each thing that was done; nil: nobody listens.
	Say func(line string)
}

// Result is what was done.
type Result struct {
	Written []string // files that are new or others than before
	Kept    []string // files that were in place already
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
	w := &work{sys: sys, paths: sys.Paths(site.Name), options: o}
	if err := w.look(site, plan); err != nil {
		return Result{}, err
	}
	if w.same() {
		w.result.Same = true
		if err := sys.Manager.Open(ctx, plan.Units, nil); err != nil {
			return Result{}, err
		}
		w.say(site.Name + " is installed like this already: nothing was changed")
		return w.result, nil
	}
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

	made   []string       // folders
	undo   []func() error // of files
	asked  bool           // the manager has been told something
	before found          // the record
}

func (w *work) say(line string) {
	if w.options.Say != nil {
		w.options.Say(line)
	}
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
	w.result.Kept, w.result.Chain = changes.kept, changes.chain
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
	steps := []func(context.Context) error{w.begin}
	dropped := w.dropped()
	if len(dropped.all()) > 0 {
		steps = append(steps, func(ctx context.Context) error {
			w.asked = true
			return w.sys.Manager.Close(ctx, dropped)
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
	steps = append(steps, func(ctx context.Context) error {
		w.asked = true
		return w.sys.Manager.Open(ctx, w.next.Units, w.changed)
	})
	if w.live() && len(w.write) > 0 { // one that runs has the options and the certificate of before
		steps = append(steps, func(ctx context.Context) error { return w.sys.Manager.Restart(ctx, w.next.Units) })
	}
	return append(steps, w.finish)
}

// dropped are the units of the old installation that the new one does not have.
func (w *work) dropped() Units {
	if w.old == nil {
		return Units{}
	}
	return w.old.Units.without(w.next.Units)
}
