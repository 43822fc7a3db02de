package certificate

import (
	"errors"
	"path/filepath"
	"runtime"
	"strings"
)

// StateDir returns the folder where Rouse keeps what is to outlive it; it need not exist. lookup is [os.Getenv] or
// alike. In this order: $STATE_DIRECTORY, set by systemd for StateDirectory= (systemd.exec(5); the first of several);
// $XDG_STATE_HOME/rouse (XDG Base Directory Specification: a relative path there counts as none); on macOS
// ~/Library/Application Support/rouse; else ~/.local/state/rouse.
func StateDir(lookup func(name string) string) (string, error) { return stateDir(runtime.GOOS, lookup) }

func stateDir(system string, lookup func(string) string) (string, error) {
	if dir, _, _ := strings.Cut(lookup("STATE_DIRECTORY"), ":"); filepath.IsAbs(dir) {
		return filepath.Clean(dir), nil
	}
	if dir := lookup("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "rouse"), nil
	}
	home := lookup("HOME")
	switch {
	case !filepath.IsAbs(home):
		return "", errors.New("find the folder for state: neither XDG_STATE_HOME nor HOME is an absolute path; set one of them")
	case system == "darwin":
		return filepath.Join(home, "Library", "Application Support", "rouse"), nil
	}
	return filepath.Join(home, ".local", "state", "rouse"), nil
}
