package install

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"
)

// changes are what an installation does to the files, found by looking.
type changes struct {
	old     *Record // what is installed; nil: nothing
	next    Record  // what will be
	write   []writing
	leaving []leaving
	there   []string // units at whose place something lies
	changed []string // units whose files are others than before
	chain   []byte   // the certificate that will be in place
}

// writing is a file that is written.
type writing struct {
	path   string // of the system
	before found
	after  found
	aside  bool // what lies there is somebody's, and kept as a copy
}

// sameText tells whether only its mode or owner is another one.
func (w writing) sameText() bool {
	return w.before.regular && string(w.before.text) == string(w.after.text)
}

// leaving is a file of the old installation that the new one does not have.
type leaving struct {
	path   string
	before found
	edited bool
}

// live tells whether the site is installed, not half so.
func (c *changes) live() bool { return c.old != nil && c.old.State == installed }

// same tells whether there is nothing to do.
func (c *changes) same() bool {
	return c.live() && len(c.write) == 0 && len(c.leaving) == 0 && c.next.equal(c.old)
}

// findChanges compares the plan with what lies there. Problems are files in the way.
func findChanges(site Site, plan Plan, sys System) (*changes, []error) {
	old, err := readRecord(sys, site.Name)
	if err != nil {
		return nil, []error{err}
	}
	c := &changes{old: old, next: Record{Name: site.Name, Command: site.Command, State: installed, Log: plan.Log, Units: plan.Units}}
	for _, socket := range site.Sockets {
		if socket.URL != "" {
			c.next.URLs = append(c.next.URLs, socket.URL)
		}
		c.next.Listen = append(c.next.Listen, socket.addresses()...)
	}
	pair := c.keptPair(site, sys)
	var problems []error
	for _, file := range plan.Files {
		if err := c.add(file, pair, site, sys); err != nil {
			problems = append(problems, err)
		}
	}
	problems = append(problems, c.findLeaving(plan, sys)...)
	c.findFolders(sys)
	return c, problems
}

// keptPair tells whether the site's certificate, perhaps renewed since, stays: it is Rouse's, and for the same names.
func (c *changes) keptPair(site Site, sys System) bool {
	if site.Certificate == nil {
		return false
	}
	c.chain = site.Certificate.Chain
	paths := sys.Paths(site.Name)
	if c.old.file(paths.Chain) == nil || c.old.file(paths.Key) == nil {
		return false
	}
	chain, err1 := look(sys.at(paths.Chain))
	key, err2 := look(sys.at(paths.Key))
	keep := err1 == nil && err2 == nil && madeByRouse(chain.text, key.text) && servesFor(chain.text, c.chain, time.Now())
	if keep {
		c.chain = chain.text
	}
	return keep
}

// add compares a file of the plan with what lies there.
func (c *changes) add(file File, pairKept bool, site Site, sys System) error {
	before, err := look(sys.at(file.Path))
	if err != nil {
		return fmt.Errorf("look at %s: %w", file.Path, plain(err))
	}
	ours := c.old.wrote(sys, file.Path, before)
	after := found{there: true, regular: true, text: file.Text, mode: fs.FileMode(file.Mode), uid: -1, gid: -1}
	keep := before.regular && string(before.text) == string(file.Text)
	if file.Renewed && pairKept {
		keep, after.text = true, before.text
	}
	w := Written{Path: file.Path, SHA256: digest(after.text), Renewed: file.Renewed}
	if was := c.old.file(file.Path); keep && was != nil && c.live() {
		w.SHA256 = was.SHA256 // a renewed certificate is no change
	}
	c.next.Files = append(c.next.Files, w)
	unit := c.next.Units.unitAt(file.Path)
	if unit != "" && before.there {
		c.there = append(c.there, unit)
	}
	if unit != "" && (!keep || !c.live()) { // after an installation that was cut off, nobody knows what the manager has seen
		c.changed = append(c.changed, unit)
	}
	if file.Secret {
		if after.uid, after.gid, err = secretOwner(site, sys); err != nil {
			return err
		}
	}
	if keep {
		if !before.guardedAs(after) {
			after.time = before.time // it is no other file for the manager
			c.write = append(c.write, writing{file.Path, before, after, false})
		}
		return nil
	}
	c.write = append(c.write, writing{file.Path, before, after, before.there && !ours})
	if before.there && !ours {
		return c.inTheWay(file.Path, before, sys)
	}
	return nil
}

// inTheWay is what is told of a file that Rouse did not write.
func (c *changes) inTheWay(path string, before found, sys System) error {
	for _, other := range others(sys, c.next.Name) {
		if other.file(path) != nil {
			return Problem{Text: fmt.Sprintf("%s belongs to the site %s: choose another --name", path, other.Name)}
		}
	}
	what := "is there already, and rouse did not write it"
	switch {
	case c.old.file(path) != nil && before.regular:
		what = "was edited since it was installed"
	case !before.regular:
		what = "is there already, and is no file that rouse wrote"
	}
	return Problem{InTheWay: true, Text: fmt.Sprintf("%s %s: --force replaces it and keeps it as %s.bak-1 (-2 …)", path, what, filepath.Base(path))}
}

// findLeaving gathers the files of the old installation that the new one does not have.
func (c *changes) findLeaving(plan Plan, sys System) (problems []error) {
	if c.old == nil {
		return nil
	}
	for _, w := range c.old.Files {
		if slices.ContainsFunc(plan.Files, func(f File) bool { return f.Path == w.Path }) {
			continue
		}
		before, err := look(sys.at(w.Path))
		if err != nil {
			problems = append(problems, fmt.Errorf("look at %s: %w", w.Path, plain(err)))
		}
		if before.there {
			c.leaving = append(c.leaving, leaving{w.Path, before, !c.old.wrote(sys, w.Path, before)})
		}
	}
	return problems
}

// findFolders lists the folders that are made, here or for other sites before, so that the last site takes them away. That of
// sites is left out: it goes when it is empty.
func (c *changes) findFolders(sys System) {
	paths := sys.Paths(c.next.Name)
	for _, folder := range slices.Concat(missing(sys.at(paths.Units)), missing(sys.at(paths.Site))) {
		c.next.Folders = append(c.next.Folders, sys.from(folder))
	}
	if c.old != nil {
		c.next.Folders = append(c.next.Folders, c.old.Folders...)
	}
	for _, other := range others(sys, c.next.Name) {
		for _, folder := range other.Folders {
			if within(paths.Units, folder) || within(paths.Site, folder) {
				c.next.Folders = append(c.next.Folders, folder)
			}
		}
	}
	c.next.Folders = slices.DeleteFunc(c.next.Folders, func(folder string) bool { return within(folder, paths.Sites) })
	slices.Sort(c.next.Folders)
	c.next.Folders = slices.Compact(c.next.Folders)
}

// secretOwner is who secrets are given to: launchd has no credentials, so the account of a daemon reads them itself.
func secretOwner(site Site, sys System) (uid, gid int, err error) {
	if sys.OS != "darwin" || sys.User {
		return -1, -1, nil
	}
	a, err := serviceAccount(site, sys)
	if err != nil {
		return -1, -1, err
	}
	return a.uid, -1, nil
}

// plain leaves the path out of an error: ours says it already, and that of a temporary file tells nobody anything.
func plain(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
