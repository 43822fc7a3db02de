package files

import (
	"testing"

	"github.com/rouse-server/rouse/server/tree"
)

func TestExists(t *testing.T) {
	root, err := tree.Open(folder(t, map[string]string{"index.html": "", "page.html": "", "_headers": "", "empty/": "", ".env": ""}), tree.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	options := usual()
	options.Withheld = []string{"_headers"}
	for path, want := range map[string]bool{"/": true, "/page": true, "/page.html": true, "/empty": true, "/empty/": false, "/.env": false, "/missing": false, "/page.html/": false, "/\x00": false, "/_headers": false, "/_Headers/": false} {
		if got := Exists(root, options, path); got != want {
			t.Errorf("%q: %t", path, got)
		}
	}
	root.Close() // from here on nobody can tell
	if !Exists(root, options, "/missing") {
		t.Error("what cannot be looked at counts as missing")
	}
}
