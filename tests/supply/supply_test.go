// Package supply checks what Rouse is made of: that each dependency is explained in the README and has the licence that
// stands there, that their code is what go.sum pins, and that no known vulnerability concerns the program.
package supply

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	root  = "../.."
	limit = 5 * time.Minute // for the Go command, which may have to fetch modules
)

// module is what `go list -m -json` tells of one.
type module struct {
	Path, Version, Dir string
	Main               bool
}

// goCommand runs the Go command in a folder of the repository and returns what it printed.
func goCommand(t *testing.T, folder string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	run := exec.CommandContext(ctx, "go", args...)
	run.Dir, run.WaitDelay = filepath.Join(root, folder), time.Second
	var failed bytes.Buffer
	run.Stderr = &failed
	out, err := run.Output()
	if err != nil {
		t.Fatalf("go %s: %v\n%s%s", strings.Join(args, " "), err, out, failed.String())
	}
	return out
}

// required are the modules that go.mod names, by path.
func required(t *testing.T) map[string]module {
	t.Helper()
	file, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	goCommand(t, ".", "mod", "download")
	found := map[string]module{}
	for _, line := range regexp.MustCompile(`(?m)^(?:require )?\t?(\S+\.\S+/\S+) v\S+`).FindAllSubmatch(file, -1) {
		var one module
		if err := json.Unmarshal(goCommand(t, ".", "list", "-m", "-json", string(line[1])), &one); err != nil {
			t.Fatal(err)
		}
		found[one.Path] = one
	}
	return found
}

// explained are the rows of the README's table: the licence by module.
func explained(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n### Dependencies\n")
	found := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`.*`) \\| (.+) \\| (.+) \\|$").FindAllStringSubmatch(section, -1) {
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			found[name[1]] = row[3]
		}
	}
	return found
}

// Each dependency says why it is there, and none is explained that is not.
func TestDependenciesAreExplained(t *testing.T) {
	t.Parallel()
	is, said := slices.Sorted(maps.Keys(required(t))), slices.Sorted(maps.Keys(explained(t)))
	if len(is) < 10 || !slices.Equal(is, said) {
		t.Errorf("go.mod has\n%s\nthe README explains\n%s", strings.Join(is, "\n"), strings.Join(said, "\n"))
	}
}

// sentences tell licences apart: each has all of its own and none of the others'.
var sentences = map[string][]string{
	"Apache-2.0":   {"Apache License", "Version 2.0, January 2004"},
	"MIT":          {"Permission is hereby granted, free of charge, to any person obtaining a copy", "The above copyright notice and this permission notice shall be included in"},
	"BSD-2-Clause": {"Redistribution and use in source and binary forms", "Redistributions in binary form must reproduce the above copyright notice"},
	"BSD-3-Clause": {"Redistribution and use in source and binary forms", "be used to endorse or promote products derived"},
	"GPL-2.0":      {"GPL v2.0"}, // as a choice beside another one
}

// The licences are those that the README names, and they go with ours.
func TestLicences(t *testing.T) {
	t.Parallel()
	said := explained(t)
	for path, one := range required(t) {
		files, _ := filepath.Glob(filepath.Join(one.Dir, "[Ll][Ii][Cc][Ee][Nn][CcSs][Ee]*"))
		if len(files) == 0 {
			t.Errorf("%s has no licence", path)
			continue
		}
		text, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		flat := strings.Replace(strings.Join(strings.Fields(string(text)), " "), "PERMISSION is", "Permission is", 1)
		flat = strings.Replace(flat, "PERMISSION is", "Permission is", 1)
		for _, name := range regexp.MustCompile(` (?:and|or) `).Split(said[path], -1) {
			wanted, known := sentences[name]
			if !known {
				t.Errorf("%s: %q is no licence that was agreed on: is it one that goes with Apache-2.0?", path, name)
			}
			for _, sentence := range wanted {
				if !strings.Contains(flat, sentence) {
					t.Errorf("%s: its licence is no %s: there is no %q", path, name, sentence)
				}
			}
		}
		if strings.Contains(flat, sentences["BSD-3-Clause"][1]) && !strings.Contains(said[path], "BSD-3-Clause") && !strings.Contains(said[path], "Apache") {
			t.Errorf("%s: its licence is of three clauses", path)
		}
		isChoice := strings.Contains(said[path], "-Clause or ")
		if !isChoice && regexp.MustCompile(`GNU (Affero |Lesser )?General Public|Server Side Public|Business Source|Commons Clause`).MatchString(flat) {
			t.Errorf("%s: its licence binds those who pass Rouse on", path)
		}
	}
}

// The code of all modules is what go.sum pins.
func TestModulesAreWhatWasPinned(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{".", "tests/tools"} {
		if out := goCommand(t, folder, "mod", "verify"); !strings.Contains(string(out), "all modules verified") {
			t.Errorf("%s: %s", folder, out)
		}
	}
}

// database is that of the Go project, which knows of vulnerabilities in the standard library and in modules.
const database = "https://vuln.go.dev"

// No vulnerability that is known concerns code that the program calls.
func TestNoKnownVulnerability(t *testing.T) {
	t.Parallel()
	client := &http.Client{Timeout: 10 * time.Second}
	r, err := client.Get(database + "/index/db.json")
	if err != nil || r.StatusCode != http.StatusOK {
		t.Skipf("%s cannot be reached", database)
	}
	r.Body.Close()
	tool := filepath.Join(t.TempDir(), "govulncheck")
	goCommand(t, "tests/tools", "build", "-o", tool, "golang.org/x/vuln/cmd/govulncheck")
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	check := exec.CommandContext(ctx, tool, "./cmd/rouse")
	check.Dir, check.WaitDelay = root, time.Second
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
