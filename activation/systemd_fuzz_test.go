package activation

import (
	"strconv"
	"strings"
	"testing"
)

// FuzzListenFDs reads variables that anybody may have set: what is taken are as many descriptors as were said, one after the
// other, with the names that were said, each of which can be asked for by its address.
func FuzzListenFDs(f *testing.F) {
	for _, v := range [][5]string{
		{"42", "", "2", "web:admin", ""}, {"42", "7", "1", "", "5"}, {"41", "", "1", "x", ""}, {"", "", "1", "x", ""}, {"42", "x", "1", "x", ""},
		{"42", "", "3", "a::a", ""}, {"42", "", "-1", "", ""}, {"42", "", "99999999999", "", ""}, {"42", "", "1", "a]b[0]", "0"}, {"042", "", "+1", "a", "+3"},
	} {
		f.Add(v[0], v[1], v[2], v[3], v[4])
	}
	f.Fuzz(func(t *testing.T, pid, pidfd, count, names, first string) {
		said := map[string]string{"LISTEN_PID": pid, "LISTEN_PIDFDID": pidfd, "LISTEN_FDS": count, "LISTEN_FDNAMES": names, "LISTEN_FDS_FIRST_FD": first}
		lookup := func(name string) (string, bool) { return said[name], said[name] != "" }
		l, err := parseListenFDs(lookup, 42, func() (uint64, bool) { return 7, true })
		if err != nil || l.other != "" || count == "" {
			if len(l.descriptors) > 0 || err != nil && err.Error() == "" {
				t.Errorf("%d descriptors with %v, %q", len(l.descriptors), err, l.other)
			}
			return
		}
		if n, err := strconv.Atoi(count); err != nil || n != len(l.descriptors) || n > maxFDs {
			t.Errorf("LISTEN_FDS=%s: %d descriptors", count, len(l.descriptors))
		}
		if len(l.descriptors) > 1000 {
			return
		}
		var named []string
		for i, d := range l.descriptors {
			named = append(named, d.Name)
			if d.Number != l.descriptors[0].Number+i || d.Number < 0 {
				t.Errorf("number %d is %d", i, d.Number)
			}
			l.askedBySource(t, d)
		}
		if names != "" && strings.Join(named, ":") != names {
			t.Errorf("%q for %q", named, names)
		}
	})
}

// askedBySource asks for a descriptor by the address that messages call it by.
func (l listenFDs) askedBySource(t *testing.T, d Descriptor) {
	t.Helper()
	if l.unaddressed || strings.Contains(d.Name, "[") {
		return
	}
	a, err := ParseAddress(d.Source)
	if err != nil {
		return // a name of characters that addresses do not have
	}
	if found, err := l.named(a); err == nil && (len(found) != 1 || found[0] != d) && d.Name != "" {
		t.Errorf("%s is %+v, want %+v", d.Source, found, d)
	}
}
