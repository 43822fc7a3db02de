// Package tree opens the files below a folder, its root, and nothing else: whatever a name or a symbolic link says, and
// whoever renames what meanwhile.
package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
)

// Options are the rules of a tree. The zero value is the strictest: no hidden names, no links.
type Options struct {
	Hidden bool // also names that begin with a dot; /.well-known is never hidden (RFC 8615)
	Follow bool // follow symbolic links that lead to something inside the root
	Reopen bool // look the root's path up anew each time, so that a link there can be swapped
}

// ErrLink is the error for a name with a symbolic link in it where links are not followed.
var ErrLink error = errors.New("it is or contains a symbolic link, and these are not followed")

// Tree is the files below a root. It may be used by many goroutines at a time.
type Tree struct {
	path    string
	options Options
	root    atomic.Pointer[root]
	swap    sync.Mutex // held while another root takes the place of this one
	kernel  kernel
}

// root is the folder that the tree's path meant when it was opened.
type root struct {
	file      *os.File
	raw       syscall.RawConn // of file: keeps its descriptor open while it is used
	device    uint64
	inode     uint64
	canonical string // the path without links, when links are followed
}

// Open opens the folder at path as the root of a tree. The error says what is wrong with it.
func Open(path string, o Options) (*Tree, error) {
	t := &Tree{path: path, options: o}
	r, err := t.openRoot()
	if err != nil {
		return nil, err
	}
	t.root.Store(r)
	t.kernel = probe(r, o)
	return t, nil
}

// Close closes the root. Opening a file is an error from then on; files that are open stay so.
func (t *Tree) Close() error { return t.root.Load().file.Close() }

func (t *Tree) openRoot() (*root, error) {
	file, err := os.OpenFile(t.path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	r := &root{file: file}
	if err := r.describe(t.path, t.options.Follow); err != nil {
		file.Close()
		return nil, fmt.Errorf("open %s: %w", t.path, err)
	}
	return r, nil
}

func (r *root) describe(path string, follow bool) error {
	info, err := r.file.Stat()
	if err != nil {
		return err
	}
	stat := info.Sys().(*syscall.Stat_t) // package os puts it there on every Unix
	r.device, r.inode = uint64(stat.Dev), stat.Ino
	if r.raw, err = r.file.SyscallConn(); err != nil || !follow {
		return err
	}
	if path, err = filepath.Abs(path); err == nil {
		r.canonical, err = filepath.EvalSymlinks(path)
	}
	return err
}

// current is the root to look in. With Reopen that is the folder which the path means now; while it means none, as between
// the two steps of `ln -sf`, it is the last one.
func (t *Tree) current() *root {
	r := t.root.Load()
	if !t.options.Reopen || t.unchanged(r) {
		return r
	}
	t.swap.Lock()
	defer t.swap.Unlock()
	if r = t.root.Load(); t.unchanged(r) {
		return r
	}
	next, err := t.openRoot()
	if err != nil {
		return r
	}
	t.root.Store(next)
	r.file.Close() // the descriptor goes when its last user has done with it
	return next
}

func (t *Tree) unchanged(r *root) bool {
	var stat syscall.Stat_t
	return syscall.Stat(t.path, &stat) != nil || uint64(stat.Dev) == r.device && stat.Ino == r.inode
}

// Open opens the regular file or folder with this name, for reading: names separated by slashes, without "." and "..", or
// "." for the root. The information is of what was opened, not of what has the name by now.
//
// The error is ErrLink for a link that is not followed. For all that is not served it is fs.ErrNotExist: missing and hidden
// names, devices, sockets and FIFOs, links that are broken or lead out of the root. Status knows the others.
func (t *Tree) Open(name string) (*os.File, os.FileInfo, error) {
	if !t.allowed(name) {
		return nil, nil, missing(name)
	}
	file, err := t.openFile(name)
	if err != nil {
		return nil, nil, t.explain(name, err)
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		err = missing(name)
	}
	if err != nil {
		file.Close()
		return nil, nil, err
	}
	return file, info, nil
}

// Stat tells the state of what has a name that Open has opened before. Links in it are not refused: who knows the state that
// Open found, and finds the same, knows that it is the same file.
func (t *Tree) Stat(name string, stat *syscall.Stat_t) error {
	err := os.ErrClosed
	told := t.current().raw.Control(func(root uintptr) { err = statAt(int(root), name, stat) })
	if told != nil {
		return told
	}
	return err
}

func (t *Tree) openFile(name string) (*os.File, error) {
	r := t.current()
	file, err := t.openBelow(r, name)
	if errors.Is(err, os.ErrClosed) && t.root.Load() != r { // the root was swapped just then
		file, err = t.openBelow(t.current(), name)
	}
	return file, err
}

// openBelow opens a name below r. The kernel follows links that stay inside all the way. Others, such as absolute ones, are
// resolved by their text; what they lead to is then opened as if there were no links, so that nothing can be put in its place.
func (t *Tree) openBelow(r *root, name string) (*os.File, error) {
	file, err := t.kernel.open(r, name)
	if !errors.Is(err, ErrLink) || !t.options.Follow {
		return file, err
	}
	resolved, err := filepath.EvalSymlinks(filepath.Join(r.canonical, name))
	if err != nil {
		return nil, err
	}
	inside, err := filepath.Rel(r.canonical, resolved)
	if err != nil || !filepath.IsLocal(inside) {
		return nil, missing(name)
	}
	if file, err = r.walk(inside); errors.Is(err, ErrLink) { // it was changed since
		err = missing(name)
	}
	return file, err
}

// explain makes fs.ErrNotExist of all errors that mean that a name is not there.
func (t *Tree) explain(name string, err error) error {
	if !errors.Is(err, ErrLink) && Status(err) == 404 {
		return missing(name)
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return err
	}
	return &fs.PathError{Op: "open", Path: name, Err: err}
}

func missing(name string) error { return &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist} }
