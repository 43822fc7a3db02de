package hostname

import (
	"strings"
	"testing"
)

// FuzzTable holds the choice of a virtual host to this: a name that was added is found, however it is written and with whatever
// port; and nothing is found for a name that does not end as one that was added does.
func FuzzTable(f *testing.F) {
	for _, v := range [][2]string{{"a.test", "A.TEST.:80"}, {"*.a.test", "b.a.test"}, {"::1", "[::1]:443"}, {"[::1]", "[0:0::1]"}, {"*.a.test", "a.test"}, {"a_b", "a_b"}, {"*.", "x."}, {"192.0.2.1", "192.0.2.1:x"}, {"a.test", "xa.test"}, {".a", "[a]:"}} {
		f.Add(v[0], v[1])
	}
	f.Fuzz(func(t *testing.T, name, host string) {
		var table Table[int]
		if err := table.Add(name, 7); err != nil {
			return
		}
		if value, ok := table.Find(host); ok && (value != 7 || !strings.HasSuffix(strings.TrimPrefix(Canonical(host), "["), ending(name))) {
			t.Errorf("%q is found for %q: %d", name, host, value)
		}
		if strings.HasPrefix(name, "*") || strings.HasPrefix(name, ".") || strings.ContainsAny(name, ":[]") {
			return
		}
		for _, host := range []string{name, strings.ToUpper(name), name + ":80"} {
			if _, ok := table.Find(host); !ok {
				t.Errorf("%q is not found for %q", name, host)
			}
		}
	})
}

// ending is what hosts end with for which a name is found; those of addresses are written in more than one way.
func ending(name string) string {
	if strings.ContainsAny(name, ":") {
		return ""
	}
	return strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(name, "*"), "."))
}
