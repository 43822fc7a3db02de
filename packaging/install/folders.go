package install

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// missing lists the folders that would have to be made for path to exist as a folder, the outermost first.
func missing(path string) []string {
	var all []string
	for path != filepath.Dir(path) {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		all = append(all, path)
		path = filepath.Dir(path)
	}
	slices.Reverse(all)
	return all
}

// makeFolders makes a folder with those around it, and returns the ones that were not there, the outermost first.
func makeFolders(path string, mode fs.FileMode) (made []string, err error) {
	for _, folder := range missing(path) {
		err := os.Mkdir(folder, mode)
		if errors.Is(err, fs.ErrExist) {
			continue // another rouse was quicker
		}
		if err != nil {
			return made, err
		}
		made = append(made, folder)
		// The mode as it is meant, whatever the umask.
		if err := os.Chmod(folder, mode); err != nil {
			return made, err
		}
		if err := syncFolder(filepath.Dir(folder)); err != nil {
			return made, err
		}
	}
	if info, err := os.Stat(path); err != nil {
		return made, err
	} else if !info.IsDir() {
		return made, &fs.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
	}
	return made, nil
}

// removeFolders removes those of the folders that are empty, the innermost first.
func removeFolders(folders []string) error {
	folders = slices.Clone(folders)
	slices.SortFunc(folders, func(a, b string) int { return len(b) - len(a) })
	for _, folder := range folders {
		err := unix.Rmdir(folder) // os.Remove would take away a link as well
		// macOS and Linux differ in how they say that something is in there (rmdir(2)).
		full := errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTDIR)
		if err != nil && !full && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err == nil {
			if err := syncFolder(filepath.Dir(folder)); err != nil {
				return err
			}
		}
	}
	return nil
}
