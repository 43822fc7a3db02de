package route

import (
	"fmt"
	"slices"
	"strings"
)

// Refused is an error of the configuration: a change of the rules, the sockets or the system mends it.
type Refused struct{ Reason string }

func (e Refused) Error() string { return e.Reason }

func refused(format string, a ...any) error { return Refused{fmt.Sprintf(format, a...)} }

// Summary says in a few words what a Config holds: "3 rules for 2 backends".
func (c Config) Summary() string {
	rules := len(c.Routes)
	if slices.ContainsFunc(c.Routes, func(r Route) bool { return r.Fallback }) {
		rules--
	}
	return fmt.Sprintf("%s for %s", counted(rules, "rule"), counted(len(c.Backends), "backend"))
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// Fits tells whether a tuple can occur: its listener is one of the file's, where the file has any.
func (c Config) Fits(x Tuple) error {
	if x.Listener == "" || len(c.Listeners) == 0 || slices.ContainsFunc(c.Listeners, func(l Listener) bool { return l.Name == x.Listener }) {
		return nil
	}
	var names []string
	for _, l := range c.Listeners {
		names = append(names, l.Name)
	}
	return fmt.Errorf("listener=%s is none of %s's: %s", x.Listener, c.File, strings.Join(names, ", "))
}
