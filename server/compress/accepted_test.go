package compress

import (
	"slices"
	"strings"
	"testing"
)

func TestAccepted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ fields, want string }{ // lines separated by |
		{"", ""},
		{"identity", ""},
		{"foo", ""},
		{"gzip", "gzip"},
		{"identity, gzip", "gzip"},
		{"identity, deflate", "deflate"},
		// At equal weight the order is ours.
		{"gzip, deflate, br, zstd", "zstd br gzip deflate"},
		{"gzip;q=0.5,deflate;q=0.5,br;q=0.5,zstd;q=0.5", "zstd br gzip deflate"},
		// Explicit weights decide otherwise.
		{"gzip;q=1.0, br;q=0.8, zstd;q=0.9", "gzip zstd br"},
		{"gzip;q=0.002, br;q=0.001", "gzip br"},
		{"deflate, gzip;q=0.999", "deflate gzip"},
		// Several lines are one list.
		{"gzip|br", "br gzip"},
		{"gzip;q=0.5|deflate|foo", "deflate gzip"},
		// Refusals.
		{"gzip;q=0", ""},
		{"gzip;q=0.000, br", "br"},
		{"br, gzip;q=0|zstd;q=0", "br"},
		{"gzip, gzip;q=0", ""},
		{"gzip;q=0, gzip", ""},
		// The star is for those that are not listed.
		{"*", "zstd br gzip deflate"},
		{"*;q=0", ""},
		{"*, br;q=0", "zstd gzip deflate"},
		{"gzip, *;q=0", "gzip"},
		{"gzip;q=0.3, *;q=0.2", "gzip zstd br deflate"},
		{"br;q=0.1, *", "zstd gzip deflate"}, // identity, by the star, is liked better than br
		// Identity that is liked better wins.
		{"identity;q=0, br", "br"},
		{"identity;q=0", ""},
		{"identity;q=0, compress", ""},
		{"identity;q=0.5, gzip;q=0.4, br;q=0.5, zstd;q=0.6", "zstd br"},
		{"identity, gzip;q=0.9", ""},
		{"identity;q=0.5, *;q=0.4", ""},
		{"identity;q=0.5, *;q=0.4, gzip", "gzip"},
		// Spelling.
		{"GZip, BR", "br gzip"},
		{"x-gzip", "gzip"},
		{"X-GZIP;q=0.5, br;q=0.4", "gzip br"},
		{" \tgzip\t ;\t q=0.5 ,, ,br;Q=0.4 ,", "gzip br"},
		{"gzip;q=1.000, br;q=1., zstd;q=0.", "br gzip"},
		// An element that is spelled wrong is absent.
		{"gzip;q=", ""},
		{"gzip;", ""},
		{"gzip;q", ""},
		{"gzip;q=x", ""},
		{"gzip;q=-1", ""},
		{"gzip;q=+1", ""},
		{"gzip;q=2", ""},
		{"gzip;q=1.001", ""},
		{"gzip;q=0.1234", ""},
		{"gzip;q=00.5", ""},
		{"gzip;q=.5", ""},
		{"gzip;q=0.5x", ""},
		{"gzip;q=0. 5", ""},
		{"gzip;q =0.5", ""},
		{"gzip;q= 0.5", ""},
		{"gzip;q=1e0", ""},
		{"gzip;level=9", ""},
		{"gzip;q=0.5;q=0.6", ""},
		{"gzip;q=NaN, br;q=0.1", "br"},
		{"gzip q=1", ""},
		{"gzip\x00", ""},
		{"gzip;q=0.1234, gzip;q=0.3", "gzip"},
	} {
		var fields []string
		if c.fields != "" {
			fields = strings.Split(c.fields, "|")
		}
		got := Accepted(fields, Codings())
		if names(got) != c.want {
			t.Errorf("%q: %s, want %s", c.fields, names(got), c.want)
		}
	}
}

// Only what is offered is named, in the order offered.
func TestAcceptedOffers(t *testing.T) {
	t.Parallel()
	field := []string{"deflate, gzip, br"}
	if got := Accepted(field, []Coding{Gzip, Brotli}); names(got) != "gzip br" {
		t.Errorf("%v", got)
	}
	if got := Accepted([]string{"*"}, []Coding{Gzip}); names(got) != "gzip" {
		t.Errorf("%v", got)
	}
	if got := Accepted(field, nil); got != nil {
		t.Errorf("%v", got)
	}
	offered := Codings()
	Accepted([]string{"deflate, gzip;q=0.1"}, offered)
	if !slices.Equal(offered, Codings()) {
		t.Errorf("the offer was changed: %v", offered)
	}
}

func names(codings []Coding) string {
	words := make([]string, len(codings))
	for i, c := range codings {
		words[i] = string(c)
	}
	return strings.Join(words, " ")
}
