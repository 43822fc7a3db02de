package install

import (
	"io/fs"
	"path/filepath"
	"strings"
)

// label is what launchd's names of Rouse's jobs begin with.
const label = "io.github.rouse-server.rouse."

// Paths are the places of a site: those of systemd.unit(5) and file-hierarchy(7), or of launchd.plist(5). All are absolute, and
// without [System.Root].
type Paths struct {
	Units string // the folder of units or property lists, for all sites
	Sites string // the folder of all sites' folders
	Site  string // the folder of this one, with the files that follow

	Variables string // its options, one variable a line (systemd alone: launchd has them in the property list)
	Chain     string // its certificate chain
	Key       string // the key of that
	Record    string // what was installed

	Job, RenewJob string // the property lists (launchd alone)

	prefix string // of units: Units and "rouse-NAME"
}

// Unit is the path of the site's unit with that ending: ".service", ".socket", "-http.socket".
func (p Paths) Unit(ending string) string { return p.prefix + ending }

// Paths returns the places of the site of that name.
func (s System) Paths(name string) Paths {
	var p Paths
	switch {
	case s.OS == "darwin" && s.User:
		p.Units = filepath.Join(s.Home, "Library", "LaunchAgents")
		p.Sites = filepath.Join(s.Home, "Library", "Application Support", "rouse")
	case s.OS == "darwin":
		p.Units = "/Library/LaunchDaemons"
		p.Sites = "/Library/Application Support/rouse"
	case s.User:
		config := s.Getenv("XDG_CONFIG_HOME")
		if !filepath.IsAbs(config) { // as the XDG Base Directory Specification and systemd have it
			config = filepath.Join(s.Home, ".config")
		}
		p.Units = filepath.Join(config, "systemd", "user")
		p.Sites = filepath.Join(config, "rouse")
	default:
		p.Units = "/etc/systemd/system"
		p.Sites = "/etc/rouse"
	}
	p.Site = filepath.Join(p.Sites, name)
	p.Variables = filepath.Join(p.Site, "rouse.env")
	p.Chain = filepath.Join(p.Site, "tls.crt")
	p.Key = filepath.Join(p.Site, "tls.key")
	p.Record = filepath.Join(p.Site, "installed.json")
	p.Job = filepath.Join(p.Units, label+name+".plist")
	p.RenewJob = filepath.Join(p.Units, label+name+".renew.plist")
	p.prefix = filepath.Join(p.Units, "rouse-"+name)
	return p
}

// at is where a path of the system lies for this process.
func (s System) at(path string) string {
	if s.Root == "" {
		return path
	}
	return filepath.Join(s.Root, path)
}

// from is the path of the system that lies there for this process.
func (s System) from(path string) string {
	if s.Root == "" {
		return path
	}
	return "/" + strings.TrimPrefix(strings.TrimPrefix(path, filepath.Clean(s.Root)), "/")
}

// folderMode is the mode of folders that are made: a user's own settings are nobody else's to read (XDG Base Directory
// Specification).
func (s System) folderMode() fs.FileMode {
	if s.User && s.OS != "darwin" {
		return 0o700
	}
	return 0o755
}

// within tells whether path is folder, or lies in it.
func within(path, folder string) bool {
	rest, ok := strings.CutPrefix(path, strings.TrimSuffix(folder, "/"))
	return ok && (rest == "" || rest[0] == '/')
}
