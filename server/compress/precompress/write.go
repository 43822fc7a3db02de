package precompress

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"sync"
	"syscall"

	"github.com/rouse-server/rouse/server/compress"
)

// How often a file is read again that changes while it is read.
const attempts = 3

var errChanged = errors.New("it changes while it is compressed: run this again when nobody writes to it")

// compressAll does the jobs, the longest first, so that none of them is left alone at the end.
func (w *work) compressAll(ctx context.Context) {
	slices.SortStableFunc(w.jobs, func(a, b job) int { return cmp.Compare(b.info.Size(), a.info.Size()) })
	queue := make(chan job)
	var workers sync.WaitGroup
	for range min(max(1, w.Jobs), len(w.jobs)) {
		workers.Go(func() {
			for j := range queue {
				if err := w.attempt(ctx, j); err != nil && ctx.Err() == nil {
					w.fail(j.sibling(), bare(err))
				}
			}
		})
	}
feed:
	for _, j := range w.jobs {
		select {
		case queue <- j:
		case <-ctx.Done():
			break feed
		}
	}
	close(queue)
	workers.Wait()
}

// attempt does one job, again if its file changed meanwhile.
func (w *work) attempt(ctx context.Context, j job) error {
	for range attempts {
		err := w.compress(ctx, j)
		if err != errChanged {
			return err
		}
		if j.info, err = w.root.Lstat(j.name); err != nil {
			return fmt.Errorf("its original is gone: %w", bare(err))
		}
	}
	return errChanged
}

// compress writes a sibling under another name and renames it when it is whole.
func (w *work) compress(ctx context.Context, j job) error {
	from, err := w.root.OpenFile(j.name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO by now would block
	if err != nil {
		return fmt.Errorf("its original cannot be read: %w", bare(err))
	}
	defer from.Close()
	if info, err := from.Stat(); err != nil || !same(info, j.info) {
		return errChanged
	}
	temporary := path.Join(path.Dir(j.name), ".precompress-"+rand.Text())
	to, err := w.root.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	renamed := false
	defer func() {
		to.Close()
		if !renamed {
			w.root.Remove(temporary)
		}
	}()
	size, err := w.encode(ctx, from, to, j)
	if err != nil {
		return err
	}
	if size >= j.info.Size() {
		w.useless(j)
		return nil
	}
	if err := w.finish(to, temporary, j.info); err != nil {
		return err
	}
	// Looked at last of all, so that a sibling is never newer than what it was made from.
	if info, err := w.root.Lstat(j.name); err != nil || !same(info, j.info) {
		w.Done(-j.info.Size() * w.cost(j.coding))
		return errChanged
	}
	if err := w.root.Rename(temporary, j.sibling()); err != nil {
		return err
	}
	renamed = true
	w.count(func(t *Totals) { t.Made[j.coding] = t.Made[j.coding].plus(j.info.Size(), size) })
	return nil
}

// encode compresses from into to and returns how many bytes that made. The original has its size and times still.
func (w *work) encode(ctx context.Context, from, to *os.File, j job) (size int64, err error) {
	source := &reader{ctx: ctx, from: from}
	out := &writer{to: to, source: source, done: func(bytes int64) { w.Done(bytes * w.cost(j.coding)) }}
	encoder, err := compress.NewNumberedWriter(out, j.coding, w.Level)
	if err != nil {
		return 0, err
	}
	// One that failed is dropped: to close it is to compress what it holds, which may take seconds.
	if _, err = io.Copy(encoder, io.LimitReader(source, j.info.Size()+1)); err == nil { // a log may grow for ever
		err = encoder.Close()
	}
	if err != nil {
		return 0, err
	}
	out.tell()
	info, err := from.Stat()
	if err != nil {
		return 0, err
	}
	if !same(info, j.info) || source.bytes != info.Size() {
		out.done(-source.bytes)
		return 0, errChanged
	}
	return out.bytes, nil
}

// finish gives a sibling its original's owner, permissions and time, and brings it to the disk: after a loss of power a
// renamed file that was not synced may be empty, and would count as up to date.
func (w *work) finish(to *os.File, temporary string, original fs.FileInfo) error {
	if stat, ok := original.Sys().(*syscall.Stat_t); ok {
		to.Chown(int(stat.Uid), int(stat.Gid)) // only root may do so, and only then it is needed
	}
	if err := to.Chmod(original.Mode().Perm()); err != nil {
		return err
	}
	if err := w.root.Chtimes(temporary, original.ModTime(), original.ModTime()); err != nil {
		return err
	}
	return to.Sync()
}

// useless notes that a sibling would be no smaller. One that is there is out of date, or no smaller itself.
func (w *work) useless(j job) {
	w.count(func(t *Totals) { t.Useless++ })
	if info, err := w.root.Lstat(j.sibling()); err == nil && info.Mode().IsRegular() {
		w.remove(j.sibling(), "it is out of date or no smaller than its original, and a new one would be no smaller")
	}
}

// same tells whether two states of a name are the same file with the same content.
func same(a, b fs.FileInfo) bool {
	return a.Mode().IsRegular() && os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// reader reads until ctx ends, and counts.
type reader struct {
	ctx   context.Context
	from  io.Reader
	bytes int64
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.from.Read(p)
	r.bytes += int64(n)
	return n, err
}

// writer writes, counts, and tells how much of the source is done: about what was read when something comes out, since
// encoders take in megabytes before they begin.
type writer struct {
	to     io.Writer
	bytes  int64
	source *reader
	told   int64
	done   func(bytes int64)
}

func (w *writer) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	w.bytes += int64(n)
	w.tell()
	return n, err
}

func (w *writer) tell() {
	w.done(w.source.bytes - w.told)
	w.told = w.source.bytes
}
