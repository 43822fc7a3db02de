package inetd

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Limit is a limit of a process's resources (setrlimit(2)).
type Limit struct {
	Name       string // in lower case, as in systemd.exec(5) without the word in front: nofile, as, cpu …
	Soft, Hard uint64 // bytes, seconds or numbers; Infinity is none
}

// Infinity is RLIM_INFINITY.
const Infinity = math.MaxUint64

// ParseLimit reads NAME=SOFT:HARD or NAME=BOTH, where a limit is a number, with K, M, G or T behind it 1024 times as much and so
// on, or the word unlimited.
func ParseLimit(text string) (Limit, error) {
	name, values, ok := strings.Cut(text, "=")
	name = strings.ToLower(name)
	if !ok || values == "" {
		return Limit{}, fmt.Errorf("limit %q has no value: write NAME=NUMBER or NAME=SOFT:HARD, such as nofile=256", text)
	}
	soft, hard, two := strings.Cut(values, ":")
	if !two {
		hard = soft
	}
	l := Limit{Name: name}
	for _, v := range []struct {
		text string
		to   *uint64
	}{{soft, &l.Soft}, {hard, &l.Hard}} {
		n, err := quantity(v.text)
		if err != nil {
			return Limit{}, fmt.Errorf("limit %q: %w", text, err)
		}
		*v.to = n
	}
	return l, checkLimits([]Limit{l})
}

// quantity reads a number with its unit.
func quantity(text string) (uint64, error) {
	if text == "unlimited" || text == "infinity" {
		return Infinity, nil
	}
	digits := strings.TrimRight(text, "KMGT")
	shift := 0
	if unit := text[len(digits):]; unit != "" {
		shift = 10 * (1 + strings.Index("KMGT", unit))
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || shift < 0 || len(text)-len(digits) > 1 || n > (Infinity-1)>>shift {
		return 0, fmt.Errorf("%q is no number: write one such as 256 or 512M, or unlimited", text)
	}
	return n << shift, nil
}

// checkLimits refuses what setrlimit(2) would.
func checkLimits(limits []Limit) error {
	for _, l := range limits {
		known := resources()
		switch _, ok := known[l.Name]; {
		case len(known) == 0:
			return fmt.Errorf("limit %s: processes can be limited on Linux only: leave it out", l.Name)
		case !ok:
			return fmt.Errorf("there is no limit %q: there are %s", l.Name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		case l.Soft > l.Hard:
			return fmt.Errorf("limit %s: the soft limit %d is higher than the hard one %d", l.Name, l.Soft, l.Hard)
		}
	}
	return nil
}
