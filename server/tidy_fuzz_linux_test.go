package server

import (
	"strings"
	"testing"
)

// FuzzMapping reads lines of /proc/self/smaps, in which names of files stand too: what is taken for a part of the address space
// is one, or memory that is none of it would be given up.
func FuzzMapping(f *testing.F) {
	for _, line := range []string{"00400000-00401000 r-xp 00000000 00:00 0 /bin/x", "7f-80 rw-p", "Rss: 4 kB", "a-b-c rwxp", "-", "ffffffffffffffff-0 r-xp x", "1ffffffffffffffff-2 r--p "} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		p, rights, ok := parseMapping(line)
		if ok && (p.start >= p.end || len(rights) != 4 || !strings.Contains(line, " "+rights)) {
			t.Errorf("%q is %x-%x %q", line, p.start, p.end, rights)
		}
	})
}
