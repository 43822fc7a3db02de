// Package precompress writes the compressed files that stand beside a site's own, page.html.zst, .br and .gz beside page.html,
// so that a server sends them as they are.
package precompress

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/rouse-server/rouse/server/compress"
)

// Options say what is written. None has a default.
type Options struct {
	Codings      []compress.Coding
	Level        int                    // as compress.NewNumberedWriter has it
	MinSize      int64                  // smaller files get no siblings
	Jobs         int                    // files compressed at once
	Remove       bool                   // siblings whose original is gone
	DryRun       bool                   // change nothing, tell what would be done
	Compressible func(name string) bool // tells it by a file's name

	// These are called by several goroutines.
	Note   func(text string) // what was removed or left, or would be written
	Fail   func(err error)   // a file that was not done
	Scaled func(work int64)  // once, before anything is written: how much there is to do
	Done   func(work int64)  // so much of it is done; less than nothing before a file is read again
}

// Totals are what was done.
type Totals struct {
	Files    int                      // that are compressible and not too small
	UpToDate int                      // siblings that were there already
	Useless  int                      // siblings that were not written since they would be no smaller
	Removed  int                      // siblings
	Failed   int                      // files, folders and siblings
	Made     map[compress.Coding]Made // what was written, or would be
}

// Made are the siblings in one coding.
type Made struct {
	Files         int
	Before, After int64 // bytes of the originals, bytes of the siblings
}

// Run writes the siblings that are missing or older than their original, below the folder dir. A sibling is there whole or
// not at all, and has its original's time of modification. Names that begin with a dot and symbolic links are left alone.
//
// The error is that dir cannot be opened, or ctx's when it ended first. What went wrong with single files goes to Fail.
func Run(ctx context.Context, dir string, o Options) (Totals, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Totals{}, err
	}
	defer root.Close()
	w := &work{Options: o, root: root, totals: Totals{Made: map[compress.Coding]Made{}}}
	w.walk(ctx, ".")
	var all int64
	for _, j := range w.jobs {
		all += j.info.Size() * w.cost(j.coding)
	}
	o.Scaled(all)
	if !o.DryRun {
		w.compressAll(ctx)
	}
	return w.totals, ctx.Err()
}

// work is one run.
type work struct {
	Options
	root *os.Root
	jobs []job

	mu     sync.Mutex
	totals Totals
}

// job is one sibling to write.
type job struct {
	name   string // of the original, below the root
	info   os.FileInfo
	coding compress.Coding
}

func (j job) sibling() string { return j.name + compress.Extension(j.coding) }

// cost is about how long a byte takes, compared with other codings of the same level: brotli's last two search all ways.
func (w *work) cost(c compress.Coding) int64 {
	if c == compress.Brotli && w.Level >= 10 {
		return 20
	}
	return 1
}

// count changes the totals.
func (w *work) count(change func(*Totals)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change(&w.totals)
}

func (w *work) fail(name string, err error) {
	w.count(func(t *Totals) { t.Failed++ })
	w.Fail(fmt.Errorf("%s: %w", name, err))
}

// remove removes a sibling, or says that it would.
func (w *work) remove(name, because string) {
	if w.DryRun {
		w.Note("would remove " + name + ": " + because)
	} else if err := w.root.Remove(name); err != nil {
		w.fail(name, bare(err))
		return
	} else {
		w.Note("removed " + name + ": " + because)
	}
	w.count(func(t *Totals) { t.Removed++ })
}
