package packages

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// snapshot is what each path of the machine looks like: mode and owner, the target of a link, the size and time of a file.
type snapshot map[string]string

// emptyMachine makes the machine one on which nobody serves anything yet, and returns what it looks like then.
func emptyMachine(t *testing.T) snapshot {
	t.Helper()
	run(t, "rm", "-rf", "/var/www")
	// Removed with the last link in them, whoever made them.
	run(t, "find", "/etc/systemd/system", "-type", "d", "-empty", "-delete")
	// man-db looks at all manual pages after each step otherwise, for half a minute.
	run(t, "rm", "-f", "/var/lib/man-db/auto-update")
	return takeSnapshot(t)
}

// takeSnapshot looks at all that packages have a hand in.
func takeSnapshot(t *testing.T) snapshot {
	t.Helper()
	s := snapshot{}
	for _, top := range []string{"/etc", "/usr", "/var", "/srv", "/opt", "/run/rouse"} {
		err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case os.IsNotExist(err):
				return nil
			case err != nil:
				return err
			case entry.IsDir() && ignored(path):
				return filepath.SkipDir
			case ignored(path):
				return nil
			}
			s[path], err = describe(path, entry)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// ignored are files in which the package managers and systemd note what they did.
func ignored(path string) bool {
	return slices.Contains([]string{
		"/var/lib/dpkg/lock", "/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/triggers/Lock", "/var/lib/dpkg/status-old", "/var/lib/dpkg/info",
		"/var/lib/rpm", "/var/log", "/var/tmp", "/var/cache/man", "/var/lib/systemd/timers",
	}, path)
}

func describe(path string, entry fs.DirEntry) (string, error) {
	info, err := entry.Info()
	if err != nil {
		return "", err
	}
	switch {
	case entry.IsDir():
		return info.Mode().String(), nil
	case info.Mode()&fs.ModeSymlink != 0:
		return os.Readlink(path)
	case strings.HasPrefix(path, "/etc/") || strings.HasPrefix(path, "/var/lib/dpkg/"):
		text, err := os.ReadFile(path)
		return fmt.Sprintf("%v %x", info.Mode(), sha256.Sum256(text)), err
	}
	return fmt.Sprintf("%v %d bytes, changed %v", info.Mode(), info.Size(), info.ModTime()), nil
}

// same checks that nothing was left behind, lost or changed since.
func (s snapshot) same(t *testing.T) {
	t.Helper()
	now := takeSnapshot(t)
	paths := map[string]bool{}
	for path := range s {
		paths[path] = true
	}
	for path := range now {
		paths[path] = true
	}
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		before, was := s[path]
		after, is := now[path]
		switch {
		case !was:
			t.Errorf("left behind: %s (%s)", path, after)
		case !is:
			t.Errorf("lost: %s", path)
		case before != after:
			t.Errorf("changed: %s was %s, is %s", path, before, after)
		}
	}
}
