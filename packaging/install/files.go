package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/google/renameio/v2"
)

// found is what lies at a path.
type found struct {
	there   bool
	regular bool // a file, neither folder nor link
	text    []byte
	mode    fs.FileMode
	time    time.Time
	uid     int // -1: of whoever writes it
	gid     int
}

// guardedAs tells whether a file has the mode and the owner that another one is to have.
func (f found) guardedAs(other found) bool {
	uid := other.uid
	if uid < 0 {
		uid = os.Geteuid()
	}
	return f.mode == other.mode && f.uid == uid
}

// look tells what lies at a path. Links are not followed.
func look(path string) (found, error) {
	info, err := os.Lstat(path)
	// A part of the path that is no folder means that nothing lies there, too: whoever wants to write will hear of it.
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return found{}, nil
	}
	if err != nil {
		return found{}, err
	}
	f := found{there: true, mode: info.Mode().Perm(), time: info.ModTime(), uid: -1, gid: -1}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		f.uid, f.gid = int(stat.Uid), int(stat.Gid)
	}
	if f.regular = info.Mode().IsRegular(); f.regular {
		f.text, err = os.ReadFile(path)
	}
	return f, err
}

// replace puts a file at a path, so that every reader, and the disk after a power cut, has it whole or as it was before.
func replace(path string, f found) error {
	folder := filepath.Dir(path)
	// The temporary file lies beside it: a folder for such files may be of another file system.
	pending, err := renameio.NewPendingFile(path, renameio.WithTempDir(folder), renameio.WithStaticPermissions(0o600))
	if err != nil {
		return err
	}
	defer pending.Cleanup()
	if f.uid >= 0 {
		// One's own files cannot be given away, and need not be.
		if err := pending.Chown(f.uid, f.gid); err != nil && os.Geteuid() == 0 {
			return err
		}
	}
	if _, err := pending.Write(f.text); err != nil {
		return err
	}
	if err := pending.Chmod(f.mode); err != nil {
		return err
	}
	if err := pending.CloseAtomicallyReplace(); err != nil {
		return err
	}
	if !f.time.IsZero() {
		if err := os.Chtimes(path, time.Time{}, f.time); err != nil {
			return err
		}
	}
	return syncFolder(folder)
}

// remove takes a file away, and does not mind when it is not there.
func remove(path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// aside renames a file to a name that is free: path.ending, and where that is taken path.ending-2 and so on; or with numbers from
// 1 on. It returns the new path.
func aside(path, ending string, numbered bool) (string, error) {
	free := path + ending
	for n := 1; ; n++ {
		if numbered || n > 1 {
			free = fmt.Sprintf("%s%s-%d", path, ending, n)
		}
		if _, err := os.Lstat(free); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return "", err
		}
	}
	if err := os.Rename(path, free); err != nil {
		return "", err
	}
	return free, syncFolder(filepath.Dir(path))
}

// syncFolder has the disk know what was renamed in a folder (rename(2) alone is not for ever).
func syncFolder(folder string) error {
	f, err := os.Open(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	// Some file systems do not know it for folders, and keep the order by themselves.
	if err := f.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// sweep removes what a process that died left beside a file that it was writing: renameio's temporary files, named after it.
func sweep(path string) error {
	folder, base := filepath.Split(path)
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		number, ours := strings.CutPrefix(entry.Name(), "."+base)
		if !ours || number == "" || strings.Trim(number, "0123456789") != "" || !entry.Type().IsRegular() {
			continue
		}
		if err := os.Remove(filepath.Join(folder, entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
