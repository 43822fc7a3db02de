package listing

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// site is a folder and the rouse that serves it.
type site struct {
	root, url string
}

// newSite serves a folder with these files, and listings of what is in it; a name that ends in a slash is a folder.
func newSite(t *testing.T, files map[string]string, options ...string) site {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		parent := filepath.Dir(path)
		if strings.HasSuffix(name, "/") {
			parent = path
		}
		if err := os.MkdirAll(parent, 0o755); err != nil {
			t.Fatal(err)
		}
		if parent == path {
			continue
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	listener, address := program.Listener(t)
	defer listener.Close()
	program.Start(t, program.Run{
		Args: append([]string{"serve", "--root", root, "--log-level", "warn", "--security-headers", "--directory-listing",
			"--directory-listing-download=targz,tarzst,zip"}, options...),
		Files: []*os.File{listener}, Listen: true,
	})
	return site{root, "http://" + address}
}

// guide is a folder with something of everything.
func guide() map[string]string {
	return map[string]string{
		"guide/Alpha.txt": "first", "guide/beta.md": strings.Repeat("b", 5000), "guide/gamma.md": "g", "guide/images/x.png": "x", "guide/.hidden": "h",
		"guide/Minutes of the extraordinary general meeting of the friends of socket activation, second draft.odt":  "m",
		"guide/a-name-without-any-place-to-break-it-0123456789abcdef0123456789abcdef0123456789abcdef0123456789.log": "l",
	}
}

// many is a folder of n files.
func many(n int) map[string]string {
	files := map[string]string{}
	for i := range n {
		files["many/"+name(i)] = ""
	}
	return files
}

func name(i int) string {
	return "file " + string([]byte{byte('0' + i/10000%10), byte('0' + i/1000%10), byte('0' + i/100%10), byte('0' + i/10%10), byte('0' + i%10)}) + ".txt"
}
