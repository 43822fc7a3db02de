package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// siteNames lists the sites that have a record, by name.
func siteNames(sys System) ([]string, error) {
	entries, err := os.ReadDir(sys.at(sys.Paths("").Sites))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []string
	for _, entry := range entries {
		if _, err := os.Lstat(sys.at(sys.Paths(entry.Name()).Record)); err == nil {
			all = append(all, entry.Name())
		}
	}
	return all, nil
}

// others are the records of all sites but one. Broken ones are left out: whoever asks for them hears of it.
func others(sys System, name string) []*Record {
	all, _ := siteNames(sys)
	var records []*Record
	for _, other := range all {
		if record, err := readRecord(sys, other); other != name && err == nil && record != nil {
			records = append(records, record)
		}
	}
	return records
}

// errNone is ErrNone, with the sites that there are.
func errNone(sys System, name string) error {
	if other := sys; sys.Home != "" && checkName(name) == nil {
		other.User = !sys.User
		if record, err := readRecord(other, name); err == nil && record != nil {
			with := "without --user"
			if other.User {
				with = "with --user"
			}
			return fmt.Errorf("%w: %s is installed for %s: say it %s", ErrNone, name, whose(other), with)
		}
	}
	all, _ := siteNames(sys)
	if len(all) == 0 {
		return fmt.Errorf("%w: %s: none is installed for %s", ErrNone, name, whose(sys))
	}
	return fmt.Errorf("%w: %s: installed for %s: %s", ErrNone, name, whose(sys), strings.Join(all, ", "))
}

// whose is whom a system's sites are for.
func whose(sys System) string {
	if sys.User {
		return "your account"
	}
	return "the whole machine"
}
