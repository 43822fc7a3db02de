package completions

import (
	"io/fs"
	"os/exec"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/packaging"
)

// mandoc has nothing to say of the pages. Whether pages of other projects are installed, which it looks up too, is the
// machine's matter; ours are looked up here.
func TestManualPages(t *testing.T) {
	if _, err := exec.LookPath("mandoc"); err != nil {
		t.Skip("no mandoc")
	}
	pages, err := fs.Glob(packaging.Files(), "man/*")
	if err != nil || len(pages) == 0 {
		t.Fatalf("%q, %v", pages, err)
	}
	reference := regexp.MustCompile(`(?m)^\.(?:.* )?Xr (rouse\S*) (\d)`)
	for _, page := range pages {
		t.Run(path.Base(page), func(t *testing.T) {
			text, err := fs.ReadFile(packaging.Files(), page)
			if err != nil {
				t.Fatal(err)
			}
			command := exec.CommandContext(t.Context(), "mandoc", "-Tlint")
			command.Stdin = strings.NewReader(string(text))
			out, _ := command.CombinedOutput() // its status tells of the worst of its lines
			for line := range strings.Lines(string(out)) {
				if !strings.Contains(line, "referenced manual not found: Xr ") && !strings.Contains(line, "outdated mandoc.db") {
					t.Error(strings.TrimSpace(line))
				}
			}
			for _, found := range reference.FindAllStringSubmatch(string(text), -1) {
				if _, err := fs.Stat(packaging.Files(), "man/"+found[1]+"."+found[2]); err != nil {
					t.Errorf("it refers to %s(%s): %v", found[1], found[2], err)
				}
			}
		})
	}
}

// apropos and whatis find a page by what man-db's lexgrog reads in it.
func TestManualPagesHaveNames(t *testing.T) {
	if _, err := exec.LookPath("lexgrog"); err != nil {
		t.Skip("no lexgrog")
	}
	pages, err := fs.Glob(packaging.Files(), "man/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		text, err := fs.ReadFile(packaging.Files(), page)
		if err != nil {
			t.Fatal(err)
		}
		file := path.Join(t.TempDir(), path.Base(page))
		write(t, file, string(text))
		out, err := exec.CommandContext(t.Context(), "lexgrog", file).CombinedOutput()
		name := strings.TrimSuffix(path.Base(page), path.Ext(page))
		if err != nil || !strings.Contains(string(out), `"`+name+` - `) {
			t.Errorf("%v: %s", err, out)
		}
	}
}
