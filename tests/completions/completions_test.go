// Package completions asks real shells what they offer for the start of a command line, with the completions that packages
// ship, and has mandoc judge the manual pages.
package completions

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/packaging"
)

// limit is for what takes milliseconds where nothing else runs. The first start of zsh looks at all completions there are.
const limit = 30 * time.Second

// question is the start of a command line, and what may follow, without order: for its last word, candidates.
type question struct {
	typed string
	want  string
}

// questions are the same for all shells. Where nothing fits the last word stays as it is.
func questions() []question {
	return []question{
		{"rouse serv", "serve"},
		{"rouse uninst", "uninstall"},
		{"rouse ren", "renew"},
		{"rouse heal", "health"},
		{"rouse --log-level de", "debug"},
		{"rouse serve --log-level ", "debug error info trace warn"},
		{"rouse serve --directory-listing-f", "--directory-listing-format"},
		{"rouse serve --config-file opt", "options.toml"},
		{"rouse serve --root doc", "documents"},
		{"rouse run --idle-sto", "--idle-stop"},
		{"rouse run --mode tra", "translate"},
		{"rouse run --mode=tra", "--mode=translate"},
		{"rouse run rouse-test-kno", "rouse-test-knocker"},
		{"rouse run --lazy -- rouse-test-kno", "rouse-test-knocker"},
		{"rouse run --idle-stop 5m -- rouse-test-knocker doc", "documents"},
		{"rouse dispatch --engine hand", "hand-over"},
		{"rouse inetd --stderr cl", "client"},
		{"rouse install --dry", "--dry-run"},
		{"rouse install dis", "dispatch"},
		{"rouse install doc", "documents"},
		{"rouse install run --idle-sto", "--idle-stop"},
		{"rouse install run -- rouse-test-kno", "rouse-test-knocker"},
		{"rouse uninstall --us", "--user"},
		{"rouse status --js", "--json"},
		{"rouse renew --dir", "--directory"},
		{"rouse renew --directory doc", "documents"},
		{"rouse health --time", "--timeout"},
	}
}

// answers compares what a shell offers.
func answers(t *testing.T, ask func(typed string) []string) {
	t.Helper()
	for _, q := range questions() {
		got := ask(q.typed)
		for i := range got {
			got[i] = strings.TrimRight(got[i], "/=") // of folders, and in zsh of options
		}
		slices.Sort(got)
		if strings.Join(got, " ") != q.want {
			t.Errorf("%q: %q, want %s", q.typed, got, q.want)
		}
	}
}

// home makes a folder with what the questions name: a folder, a file, and the program rouse-test-knocker. It has the shipped
// completions as well.
func home(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"documents", "bin"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "options.toml"), "")
	for _, name := range []string{"rouse", "rouse-test-knocker"} {
		write(t, filepath.Join(dir, "bin", name), "#!/bin/sh\n")
	}
	shipped, err := fs.Sub(packaging.Files(), "completions")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "completions"), shipped); err != nil {
		t.Fatal(err)
	}
	return dir
}

// environment is that of the shells.
func environment(dir string) []string {
	return []string{"HOME=" + dir, "ZDOTDIR=" + dir, "XDG_CONFIG_HOME=" + dir, "PATH=" + filepath.Join(dir, "bin") + ":" + os.Getenv("PATH"), "TERM=dumb", "LC_ALL=C"}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}
