package compress

import (
	"slices"
	"strings"
	"testing"
)

// Whatever a client writes: no panic, only what was offered and what it named, each once.
func FuzzAccepted(f *testing.F) {
	for _, seed := range []string{
		"", "gzip, deflate, br, zstd", "gzip;q=1.0, identity; q=0.5, *;q=0", "x-gzip;q=0.001", "*;q=0.000", "identity;q=0, br",
		"br;q=0.1234,zstd;q=", "gzip\nbr;q=0", "a;b;c,,;=,q=1", ";q=1", "GZIP ; Q=1.", "*,*;q=0,gzip\t",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fields := strings.Split(text, "\n")
		got := Accepted(fields, Codings())
		lower := strings.ToLower(text)
		for i, c := range got {
			if !slices.Contains(Codings(), c) || slices.Contains(got[:i], c) {
				t.Fatalf("%q: %v", text, got)
			}
			if !strings.Contains(lower, string(c)) && !strings.Contains(text, "*") {
				t.Fatalf("%q: %s is not named", text, c)
			}
		}
		if again := Accepted([]string{strings.Join(fields, ",")}, Codings()); !slices.Equal(got, again) {
			t.Fatalf("%q: %v on several lines, %v on one", text, got, again)
		}
		if refused := Accepted(append(fields, "zstd;q=0, br;q=0, gzip;q=0, deflate;q=0"), Codings()); len(refused) != 0 {
			t.Fatalf("%q: %v although refused", text, refused)
		}
		for _, c := range got { // a smaller offer changes nothing for the rest
			if one := Accepted(fields, []Coding{c}); len(one) != 1 {
				t.Fatalf("%q: %s is accepted among all but not alone", text, c)
			}
		}
	})
}
