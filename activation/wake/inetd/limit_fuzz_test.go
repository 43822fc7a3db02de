package inetd

import (
	"strings"
	"testing"
)

// FuzzParseLimit holds --limit to this: what is taken can be set (setrlimit(2): the soft one is at most the hard one).
func FuzzParseLimit(f *testing.F) {
	for _, text := range []string{"nofile=256", "as=1G:2G", "CPU=unlimited", "nofile=2:1", "x=1", "nofile=", "nofile=1:2:3", "nofile=-1", "as=18446744073709551615T", "as=16777216T", "core=0:infinity"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseLimit(text)
		if err != nil {
			if err.Error() == "" {
				t.Errorf("%q is refused without a word", text)
			}
			return
		}
		name, _, _ := strings.Cut(strings.ToLower(text), "=")
		if l.Name != name || l.Soft > l.Hard {
			t.Errorf("%q is %+v", text, l)
		}
	})
}
