package install

import (
	"path/filepath"
	"slices"
)

// unitAt is the unit whose file lies there: by its name, or for launchd by its path; empty: none.
func (u Units) unitAt(path string) string {
	for _, name := range u.all() {
		if name == path || name == filepath.Base(path) {
			return name
		}
	}
	return ""
}

// without are the units that other does not have.
func (u Units) without(other Units) Units {
	known := other.all()
	return u.where(func(name string) bool { return !slices.Contains(known, name) })
}

// where are the units for which that holds.
func (u Units) where(holds func(name string) bool) Units {
	left := func(names []string) []string {
		return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !holds(name) })
	}
	rest := Units{Sockets: left(u.Sockets), Timers: left(u.Timers), Others: left(u.Others)}
	if u.Service != "" && holds(u.Service) {
		rest.Service, rest.Boot = u.Service, u.Boot
	}
	return rest
}

// with are the units of both.
func (u Units) with(other Units) Units {
	more := other.without(u)
	both := Units{
		Sockets: slices.Concat(u.Sockets, more.Sockets),
		Service: u.Service,
		Timers:  slices.Concat(u.Timers, more.Timers),
		Others:  slices.Concat(u.Others, more.Others),
		Boot:    u.Boot || other.Boot,
	}
	if both.Service == "" {
		both.Service = other.Service
	} else if more.Service != "" {
		both.Others = append(both.Others, more.Service)
	}
	return both
}
