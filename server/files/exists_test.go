package files

import (
	"testing"

	"github.com/rouse-server/rouse/server/tree"
)

func TestExists(t *testing.T) {
	root, err := tree.Open(folder(t, map[string]string{"index.html": "", "page.html": "", "empty/": "", ".env": ""}), tree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for path, want := range map[string]bool{"/": true, "/page": true, "/page.html": true, "/empty": true, "/empty/": false, "/.env": false, "/missing": false, "/page.html/": false, "/\x00": false} {
		if got := Exists(root, usual(), path); got != want {
			t.Errorf("%q: %t", path, got)
		}
	}
}
