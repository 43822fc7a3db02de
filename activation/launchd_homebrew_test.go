package activation

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"howett.net/plist"
)

// The service that Homebrew makes of the formula has its sockets under names that Rouse looks for by itself: nobody can give
// that job an option.
func TestLaunchdFindsHomebrewsSockets(t *testing.T) {
	text, err := os.ReadFile("../packaging/homebrew/testdata/homebrew.mxcl.rouse.plist")
	if err != nil {
		t.Fatal(err)
	}
	var written struct{ Sockets map[string]any }
	if _, err := plist.Unmarshal(text, &written); err != nil || len(written.Sockets) == 0 {
		t.Fatal(written, err)
	}
	names := slices.Sorted(maps.Keys(written.Sockets))
	j := &job{sockets: map[string][]int{}}
	var want []string
	for i, name := range names {
		j.sockets[name] = []int{3 + i}
		want = append(want, "launchd:"+name)
	}
	found, err := j.opener().Find(nil)
	var got []string
	for _, d := range found.Descriptors {
		got = append(got, d.Source)
	}
	slices.Sort(got)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("found %s, %v; the property list has %s", strings.Join(got, " "), err, strings.Join(want, " "))
	}
}
