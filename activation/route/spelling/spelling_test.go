package spelling

import "testing"

// A typing mistake costs a user one look at the message and not a search in the manual.
func TestSuggestion(t *testing.T) {
	words := []string{"--root", "--port", "--host", "--tls-cert", "--tls-key", "--https-redirect-from-port"}
	for written, want := range map[string]string{
		"--prot":                      "--port",
		"--port":                      "--port",
		"--por":                       "--port",
		"--ports":                     "--port",
		"--tls-crt":                   "--tls-cert",
		"--tlscert":                   "--tls-cert",
		"--https_redirect_from_ports": "--https-redirect-from-port",
		"--hots":                      "--host",
		"":                            "",
		"--verbose":                   "",
		"--something-else-entirely":   "",
	} {
		got := Suggestion(written, words)
		if want == "" && got != "" || want != "" && got != " (did you mean "+want+"?)" {
			t.Errorf("%q: %q, want %q", written, got, want)
		}
	}
	if got := Suggestion("x", nil); got != "" {
		t.Errorf("of no words: %q", got)
	}
}

// Letters that are missing, doubled, wrong or swapped count once each, the other way round as well.
func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"abc", "abc", 0}, {"abc", "abd", 1}, {"abc", "ab", 1}, {"abc", "abcd", 1},
		{"ab", "ba", 1}, {"prot", "port", 1}, {"abcd", "badc", 2}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"abc", "xyz", 3},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q, %q: %d, want %d", c.a, c.b, got, c.want)
		}
		if there, back := distance(c.a, c.b), distance(c.b, c.a); there != back {
			t.Errorf("%q, %q: %d there and %d back", c.a, c.b, there, back)
		}
	}
}
