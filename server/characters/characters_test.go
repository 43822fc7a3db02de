package characters

import (
	"strings"
	"testing"
)

// Each set against the characters that its source lists.
func TestSets(t *testing.T) {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	for name, set := range map[string]struct {
		has  func(byte) bool
		want string
	}{
		"token":  {InToken, letters + "!#$%&'*+-.^_`|~"},
		"target": {InTarget, letters + "!$&'()*+,-./:;=?@_~"},
		"host":   {InHost, letters + "-.:[]_"},
		"hex":    {IsHex, "0123456789abcdefABCDEF"},
	} {
		for c := range 256 {
			if got, want := set.has(byte(c)), strings.IndexByte(set.want, byte(c)) >= 0; got != want {
				t.Errorf("%s has %q: %t, want %t", name, byte(c), got, want)
			}
		}
	}
}
