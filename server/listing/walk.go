package listing

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"

	"github.com/rouse-server/rouse/server/tree"
)

// archive is a format into which folders and files are put, one after the other.
type archive interface {
	folder(name string, info fs.FileInfo) error            // name ends in a slash
	file(name string, info fs.FileInfo) (io.Writer, error) // takes info.Size() bytes
	io.Closer                                              // ends the archive
}

// walk puts a folder and all below it into an archive, in the order of names' bytes.
type walk struct {
	ctx context.Context
	*Listing
	to     archive
	buffer []byte
	above  []os.FileInfo // the folders on the way down
}

// folder puts the folder dir into the archive, where it is called name. A folder that leads back to one above it, through a
// link, is left empty.
func (k *walk) folder(dir, name string) error {
	file, info, err := k.tree.Open(dir)
	if err != nil {
		return k.missed(dir, err)
	}
	file.Close()
	if !info.IsDir() {
		return nil // it was one a moment ago
	}
	if err := k.to.folder(name+"/", info); err != nil {
		return err
	}
	if slices.ContainsFunc(k.above, func(above os.FileInfo) bool { return os.SameFile(above, info) }) {
		return nil
	}
	entries, err := k.entries(k.ctx, dir)
	if err != nil {
		return k.missed(dir, err)
	}
	slices.SortFunc(entries, func(a, b tree.Entry) int { return cmp.Compare(a.Name, b.Name) })
	k.above = append(k.above, info)
	defer func() { k.above = k.above[:len(k.above)-1] }()
	for _, entry := range entries {
		path := entry.Name
		if dir != "." {
			path = dir + "/" + path
		}
		put := k.file
		if entry.Directory {
			put = k.folder
		}
		if err := put(path, name+"/"+entry.Name); err != nil {
			return err
		}
	}
	return nil
}

// file puts the file at path into the archive. One that changes while it is read is an error: a copy would be neither the old
// nor the new one.
func (k *walk) file(path, name string) error {
	file, info, err := k.tree.Open(path)
	if err != nil {
		return k.missed(path, err)
	}
	defer file.Close()
	if info.IsDir() {
		return nil // it was none a moment ago
	}
	out, err := k.to.file(name, info)
	if err != nil {
		return err
	}
	n, err := io.CopyBuffer(struct{ io.Writer }{out}, io.LimitReader(k.reader(file), info.Size()), k.buffer)
	if err != nil {
		return err
	}
	after, err := file.Stat()
	if err != nil {
		return err
	}
	if n != info.Size() || after.Size() != info.Size() || !after.ModTime().Equal(info.ModTime()) {
		return fmt.Errorf("%s has changed while it was read; try again", path)
	}
	return nil
}

// missed decides about what cannot be opened: what no client could get by itself either is left out, all else ends the archive.
func (k *walk) missed(path string, err error) error {
	if len(k.above) == 0 { // the folder itself
		return err
	}
	switch tree.Status(err) {
	case http.StatusNotFound: // it is gone
		return k.ctx.Err()
	case http.StatusForbidden:
		k.options.Log.WarnContext(k.ctx, "archive is without a file or folder that cannot be read", "path", path, "error", err)
		return k.ctx.Err()
	}
	return err
}

// reader ends when nobody waits for the archive any more.
func (k *walk) reader(r io.Reader) io.Reader { return reading{k.ctx, r} }

type reading struct {
	ctx context.Context
	r   io.Reader
}

func (r reading) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}
