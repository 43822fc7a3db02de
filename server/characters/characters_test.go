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

func TestQuery(t *testing.T) {
	for raw, want := range map[string]string{
		"": "", "a=b&c[]={x}|y": "a=b&c[]={x}|y", "%20%zz%": "%20%zz%", "a#b": "a%23b", "\xb6 \"<>\x00\x7f\r\n\\^`": "%B6%20%22%3C%3E%00%7F%0D%0A%5C%5E%60",
	} {
		if got := Query(raw); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}
