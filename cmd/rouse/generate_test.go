package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/packaging"
)

// What the packages ship is what the program would write: one table of options, no drift.
func TestPackagingIsGenerated(t *testing.T) {
	for _, file := range generatedFiles() {
		shipped, err := fs.ReadFile(packaging.Files(), file.path)
		if err != nil || string(shipped) != file.text {
			t.Errorf("packaging/%s is not what the options say now (%v): go run ./cmd/rouse generate --completions --man-pages --environment packaging", file.path, err)
		}
	}
}

// Every option stands in the manual, in all three shells' completions and in the file of variables.
func TestGeneratedFilesHaveEveryOption(t *testing.T) {
	for _, d := range documentedOptions() {
		if d.section == "" || d.help == "" || strings.HasSuffix(d.help, ".") {
			t.Errorf("--%s: section %q, help %q", d.flag, d.section, d.help)
		}
		for name, entry := range map[string]string{
			commandManual():       "Fl -" + d.flag,
			fileManual():          "Ic " + d.flag + " =",
			bashCompletion():      "--" + d.flag,
			zshCompletion():       "--" + d.flag,
			fishCompletion():      "-l " + d.flag + " ",
			environmentFile():     d.variable + "=",
			commandManual() + " ": d.variable,
		} {
			if !strings.Contains(name, entry) {
				t.Errorf("%q is missing from %.40q", entry, name)
			}
		}
	}
}

// A line of the file of variables that loses its # changes no value, and is refused by nobody.
func TestEnvironmentFileShowsDefaults(t *testing.T) {
	s := newSettings()
	for _, o := range s.options() {
		for line := range strings.Lines(environmentFile()) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			if o.variable == "" || name != "#"+o.variable || value == "" {
				continue
			}
			before := o.written()
			if err := o.set(value); err != nil || o.written() != before {
				t.Errorf("%s=%s: %v, is %s and was %s", o.variable, value, err, o.written(), before)
			}
		}
	}
}

func TestGenerate(t *testing.T) {
	for _, c := range []struct {
		args []string
		want []string
	}{
		{nil, []string{"completions", "man"}},
		{[]string{"--completions"}, []string{"completions"}},
		{[]string{"--man-pages", "--completions"}, []string{"completions", "man"}},
		{[]string{"--environment"}, []string{"systemd"}},
	} {
		dir := filepath.Join(t.TempDir(), "new")
		if code, out, errs := rouse(t, nil, append([]string{"generate", dir}, c.args...)...); code != exitOK || out+errs != "" {
			t.Fatalf("%q: %d, %s%s", c.args, code, out, errs)
		}
		var got []string
		entries, _ := os.ReadDir(dir)
		for _, entry := range entries {
			got = append(got, entry.Name())
		}
		if strings.Join(got, " ") != strings.Join(c.want, " ") {
			t.Errorf("%q wrote %q", c.args, got)
		}
	}
}

func TestGenerateNeedsAFolder(t *testing.T) {
	for _, args := range [][]string{{}, {""}, {"a", "b"}, {"--completion", "a"}} {
		code, _, errs := rouse(t, nil, append([]string{"generate"}, args...)...)
		if code != exitUsage || !strings.Contains(errs, "--completions") {
			t.Errorf("%q: %d, %s", args, code, errs)
		}
	}
}

// The shells take what was written for them, and offer options, words and commands.
func TestBashCompletes(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("no bash")
	}
	file := filepath.Join(t.TempDir(), "rouse.bash")
	if err := os.WriteFile(file, []byte(bashCompletion()), 0o600); err != nil {
		t.Fatal(err)
	}
	for typed, want := range map[string]string{
		"rouse che":                                    "check",
		"rouse serve --directory-listing-f":            "--directory-listing-format",
		"rouse serve --log-level de":                   "debug",
		"rouse --compression-level fas":                "fastest",
		"rouse serve --log-level = de":                 "debug",
		"rouse run --idle-st":                          "--idle-stop",
		"rouse run --mode tr":                          "translate",
		"rouse run --mode = tr":                        "translate",
		"rouse run --lazy = false --reload o":          "overlap",
		"rouse run --map 8080 = web --expl":            "--explain",
		"rouse run --map 8080 =":                       "",
		"rouse run --map 8080 = compge":                "",
		"rouse run --listen tcp : [ :: 1 ] : 80 --fam": "--family",
		"rouse run --fd 0 compge":                      "compgen",
		"rouse run -- compge":                          "compgen",
		"rouse run --lazy -- true --idle-st":           "",
		"rouse run --stop-timeout 5s true --idle-st":   "",
	} {
		script := `. "$1"; COMP_WORDS=(` + typed + `); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _rouse; printf '%s ' "${COMPREPLY[@]}"`
		out, err := exec.CommandContext(t.Context(), "bash", "--norc", "-c", script, "bash", file).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("%s: %q, %v; want %s", typed, out, err, want)
		}
	}
}
