package precompress

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/rouse-server/rouse/server/compress"
)

// The folder of RFC 8615 at the root is served although its name begins with a dot.
const wellKnown = ".well-known"

// walk lists the jobs of a folder and those below it, and removes siblings that no original has any more.
func (w *work) walk(ctx context.Context, dir string) {
	entries, err := w.read(dir)
	if err != nil {
		w.fail(dir, bare(err))
	}
	known := make(map[string]fs.FileMode, len(entries))
	for _, e := range entries {
		known[e.Name()] = e.Type()
	}
	for _, e := range entries {
		name := path.Join(dir, e.Name())
		switch {
		case ctx.Err() != nil:
			return
		case strings.HasPrefix(e.Name(), ".") && name != wellKnown:
		case e.IsDir():
			w.walk(ctx, name)
		case e.Type().IsRegular():
			w.file(name, e.Name(), known)
		}
	}
}

// read returns a folder's entries by name. It goes without io/fs, which refuses names that are not UTF-8.
func (w *work) read(dir string) ([]os.DirEntry, error) {
	folder, err := w.root.Open(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	entries, err := folder.ReadDir(-1)
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return entries, err
}

// file lists what there is to do for one file. known is what stands in its folder.
func (w *work) file(name, base string, known map[string]fs.FileMode) {
	if original, ok := original(base); ok {
		if _, there := known[original]; there {
			return
		}
		if w.Compressible(original) {
			w.orphan(name)
			return
		}
	}
	if !w.Compressible(base) {
		return
	}
	info, err := w.root.Lstat(name)
	if err != nil {
		w.fail(name, bare(err))
		return
	}
	small := info.Size() < w.MinSize
	if !small {
		w.totals.Files++
	}
	for _, c := range w.Codings {
		mode, there := known[base+compress.Extension(c)]
		if there || !small {
			w.plan(job{name, info, c}, there, mode.IsRegular(), small)
		}
	}
}

// plan decides on one sibling, which is there already or not.
func (w *work) plan(j job, there, regular, small bool) {
	if there && !regular {
		w.Note("left " + j.sibling() + ": it is not a regular file")
		return
	}
	if there {
		sibling, err := w.root.Lstat(j.sibling())
		switch {
		case errors.Is(err, fs.ErrNotExist): // it went meanwhile
		case err != nil:
			w.fail(j.sibling(), bare(err))
			return
		case !sibling.ModTime().Before(j.info.ModTime()) && (small || sibling.Size() < j.info.Size()):
			w.totals.UpToDate++
			return
		case small:
			w.remove(j.sibling(), "it is older than its original, which is too small by now")
			return
		}
	}
	w.jobs = append(w.jobs, j)
	if w.DryRun {
		w.Note("would write " + j.sibling() + ", unless it is no smaller")
		w.totals.Made[j.coding] = w.totals.Made[j.coding].plus(j.info.Size(), 0)
	}
}

// orphan deals with what is named like a sibling and has no original. Of the codings that were not asked for, none is touched.
func (w *work) orphan(name string) {
	asked := slices.ContainsFunc(w.Codings, func(c compress.Coding) bool { return strings.HasSuffix(name, compress.Extension(c)) })
	if w.Remove && asked {
		w.remove(name, "its original is gone")
	}
}

// original is the name of the file that one named like a sibling belongs to.
func original(name string) (string, bool) {
	for _, c := range compress.Codings() {
		if extension := compress.Extension(c); extension != "" {
			if base, ok := strings.CutSuffix(name, extension); ok && base != "" {
				return base, true
			}
		}
	}
	return "", false
}

func (m Made) plus(before, after int64) Made {
	return Made{m.Files + 1, m.Before + before, m.After + after}
}

// bare takes from an error what stands in front of every line anyway: what was done, and the path.
func bare(err error) error {
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		return at.Err
	}
	if link, ok := errors.AsType[*os.LinkError](err); ok {
		return link.Err
	}
	return err
}
