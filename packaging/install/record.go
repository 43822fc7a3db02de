package install

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Record is what a site's folder says of its installation (installed.json).
type Record struct {
	Name    string   `json:"name"`
	Command string   `json:"command"`
	State   string   `json:"state"` // installing, installed or removing; the first and last one stay when the process dies
	URLs    []string `json:"urls,omitempty"`
	Listen  []string `json:"listen,omitempty"` // TCP addresses, "udp:" and UDP ones, paths
	Log     string   `json:"log,omitempty"`
	Units   Units    `json:"units"`
	// Files are those that were written, but for the record, and Folders those that were made around the folder of sites and that
	// of units.
	Files   []Written `json:"files"`
	Folders []string  `json:"folders,omitempty"`
}

// Written is a file of a record.
type Written struct {
	Path string `json:"path"`
	// SHA256 tells whether it was edited. While installing, Was is that of the file before; one of both holds.
	SHA256 string `json:"sha256"`
	Was    string `json:"was,omitempty"`
	// Renewed says that it changes in the course of time: the certificate and its key.
	Renewed bool `json:"renewed,omitempty"`
}

// The states of a record.
const (
	installing = "installing"
	installed  = "installed"
	removing   = "removing"
)

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// LoadRecord reads the record of a site. Where there is none, the error is [ErrNone], and names the sites that there are.
func LoadRecord(sys System, name string) (Record, error) {
	if err := checkName(name); err != nil {
		return Record{}, errNone(sys, name) // nothing can have been installed under it, and it may be no file's name
	}
	record, err := readRecord(sys, name)
	if err == nil && record == nil {
		err = errNone(sys, name)
	}
	if err != nil {
		return Record{}, err
	}
	return *record, nil
}

// readRecord reads the record of a site; nil: there is none.
func readRecord(sys System, name string) (*Record, error) {
	path := sys.Paths(name).Record
	f, err := look(sys.at(path))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, plain(err))
	}
	if !f.there {
		return nil, nil
	}
	if sys.User && f.uid != os.Geteuid() {
		return nil, Problem{Text: fmt.Sprintf("%s belongs to uid %d, and is not gone by as you are uid %d: say it as that user, or with HOME set to your own home", path, f.uid, os.Geteuid())}
	}
	var r Record
	if err = json.Unmarshal(f.text, &r); err == nil {
		err = r.check(sys, name)
	}
	if err != nil {
		return nil, Problem{Text: fmt.Sprintf("%s is no record of an installation (%v): mend it, or remove it and the files of %s by hand", path, err, name)}
	}
	return &r, nil
}

// check keeps a record that was edited from having anything removed that cannot be the site's.
func (r *Record) check(sys System, name string) error {
	paths := sys.Paths(name)
	if r.Name != name {
		return fmt.Errorf("it is of site %q", r.Name)
	}
	for _, file := range r.Files {
		if folder := filepath.Dir(file.Path); folder != paths.Units && folder != paths.Site || filepath.Clean(file.Path) != file.Path {
			return fmt.Errorf("%s is no place for a file of a site", file.Path)
		}
	}
	for _, unit := range r.Units.all() {
		if r.file(unit) == nil && !isUnitOf(unit, name, sys) {
			return fmt.Errorf("%q is no unit of a site", unit)
		}
	}
	for _, folder := range r.Folders {
		if !within(paths.Units, folder) && !within(paths.Site, folder) {
			return fmt.Errorf("%s is no folder for files of a site", folder)
		}
	}
	return nil
}

// isUnitOf tells whether a name, or for launchd the path of a property list, can be that of a unit of the site.
func isUnitOf(unit, name string, sys System) bool {
	begin := "rouse-" + name
	if sys.OS == "darwin" {
		folder, file := filepath.Split(unit)
		if filepath.Clean(folder) != sys.Paths(name).Units {
			return false
		}
		unit, begin = file, label+name
	}
	rest, ok := strings.CutPrefix(unit, begin)
	return ok && !strings.Contains(rest, "/") && (strings.HasPrefix(rest, ".") || strings.HasPrefix(rest, "-"))
}

// write puts the record in its place.
func (r *Record) write(sys System) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return replace(sys.at(sys.Paths(r.Name).Record), found{text: append(text, '\n'), mode: 0o644, uid: -1})
}

// equal tells whether both records say the same.
func (r *Record) equal(other *Record) bool {
	one, err1 := json.Marshal(r)
	two, err2 := json.Marshal(other)
	return err1 == nil && err2 == nil && string(one) == string(two)
}

// file is what the record says of a path; nil: nothing.
func (r *Record) file(path string) *Written {
	if r == nil {
		return nil
	}
	if i := slices.IndexFunc(r.Files, func(w Written) bool { return w.Path == path }); i >= 0 {
		return &r.Files[i]
	}
	return nil
}

// wrote tells whether the file at a path is as Rouse left it: written by this installation, or by a renewal since.
func (r *Record) wrote(sys System, path string, f found) bool {
	w := r.file(path)
	if w == nil || !f.regular {
		return false
	}
	if sum := digest(f.text); sum == w.SHA256 || sum == w.Was {
		return true
	}
	if !w.Renewed {
		return false
	}
	paths := sys.Paths(r.Name)
	chain, _ := look(sys.at(paths.Chain))
	key, _ := look(sys.at(paths.Key))
	return madeByRouse(chain.text, key.text)
}
