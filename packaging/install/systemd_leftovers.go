package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// forgetFiles removes what systemd itself made for units that are no more. What a program wrote in its folders stays, but for
// its cache.
func (s systemd) forgetFiles(u Units) error {
	for _, unit := range u.all() {
		if strings.Contains(unit, "/") {
			return fmt.Errorf("%q is no name of a unit: what systemd has of it is left", unit)
		}
	}
	var failures []error
	remove := func(remove func(string) error, path string) {
		if err := remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) && !errors.Is(err, syscall.EEXIST) {
			failures = append(failures, err)
		}
	}
	// The time when a timer was last due: systemd.timer(5), Persistent=.
	for _, timer := range u.Timers {
		remove(os.Remove, filepath.Join(s.stamps(), "stamp-"+timer))
	}
	if len(u.Timers) > 0 {
		remove(os.Remove, s.stamps())
	}
	if u.Boot { // the dispatcher's, which outlives its stop
		remove(os.Remove, filepath.Join(filepath.Dir(s.folder), "rouse"))
	}
	name := strings.TrimSuffix(u.Service, ".service")
	if s.user || !strings.HasPrefix(name, "rouse-") {
		return oneLine(failures...)
	}
	// A service's own folders: systemd.exec(5), StateDirectory=. With DynamicUser= they are links to private ones.
	remove(os.RemoveAll, filepath.Join("/var/cache/private", name))
	for _, folder := range []string{"/var/lib", "/var/cache", "/var/log"} {
		remove(os.Remove, filepath.Join(folder, "private", name))
		if _, err := os.Stat(filepath.Join(folder, name)); errors.Is(err, fs.ErrNotExist) { // nowhere, also as a link to nowhere
			remove(os.Remove, filepath.Join(folder, name))
		}
	}
	return oneLine(failures...)
}

// stamps is the folder where systemd notes when timers were last due.
func (s systemd) stamps() string {
	if !s.user {
		return "/var/lib/systemd/timers"
	}
	data := os.Getenv("XDG_DATA_HOME")
	if !filepath.IsAbs(data) {
		data = filepath.Join(os.Getenv("HOME"), ".local", "share")
	}
	return filepath.Join(data, "systemd", "timers")
}
