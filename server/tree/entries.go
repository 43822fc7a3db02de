package tree

import (
	"context"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Entry is one file or folder in a folder.
type Entry struct {
	Name      string
	Size      int64 // in bytes; of a folder it says nothing
	Modified  time.Time
	Directory bool
}

// How many names are read from a folder at once.
const batch = 1024

// Entries returns what is in the folder with this name and can be opened, unsorted: hidden names, links that are not
// followed or lead nowhere inside, devices, sockets and FIFOs are left out. The errors are those of Open, that of ctx when
// it ends first, and syscall.ENOTDIR for a file.
func (t *Tree) Entries(ctx context.Context, name string) ([]Entry, error) {
	folder, info, err := t.Open(name)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	if !info.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: syscall.ENOTDIR}
	}
	var entries []Entry
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		names, err := folder.Readdirnames(batch)
		for _, child := range names {
			entry, ok, err := t.entry(folder, name, child)
			if err != nil {
				return nil, err
			}
			if ok {
				entries = append(entries, entry)
			}
		}
		if err == io.EOF {
			return entries, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// entry describes one name in a folder, or says that it is not served. What cannot be looked at for a fault of the disk is an error: a
// list without it would be a wrong one.
func (t *Tree) entry(folder *os.File, parent, child string) (_ Entry, ok bool, _ error) {
	path := child
	if parent != "." {
		path = parent + "/" + child
	}
	if !t.allowed(path) {
		return Entry{}, false, nil
	}
	var stat unix.Stat_t
	if err := unix.Fstatat(int(folder.Fd()), child, &stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return Entry{}, false, serious(path, err) // else it is gone already
	}
	entry := Entry{Name: child, Size: stat.Size, Modified: time.Unix(stat.Mtim.Unix())}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return entry, true, nil
	case unix.S_IFDIR:
		entry.Directory = true
		return entry, true, nil
	case unix.S_IFLNK:
		return t.linkEntry(path, child)
	}
	return Entry{}, false, nil
}

// serious is err with its path, unless it means that the name is not served.
func serious(path string, err error) error {
	if Status(err) < 500 {
		return nil
	}
	return &fs.PathError{Op: "stat", Path: path, Err: err}
}

// linkEntry describes what a link leads to.
func (t *Tree) linkEntry(path, child string) (_ Entry, ok bool, _ error) {
	if !t.options.Follow {
		return Entry{}, false, nil
	}
	file, info, err := t.Open(path)
	if err != nil {
		return Entry{}, false, serious(path, err)
	}
	defer file.Close()
	return Entry{Name: child, Size: info.Size(), Modified: info.ModTime(), Directory: info.IsDir()}, true, nil
}
