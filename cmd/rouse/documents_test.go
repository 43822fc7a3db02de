package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the README and rouse.toml(5) show as a file of options is one: nothing in it is unknown or wrong.
func TestFilesOfOptionsInDocuments(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var indented strings.Builder
	for line := range strings.Lines(string(readme)) {
		if text, ok := strings.CutPrefix(line, "    "); ok || strings.TrimSpace(line) == "" {
			indented.WriteString(text)
			continue
		}
		indented.WriteString("\x00")
	}
	found := 0
	for block := range strings.SplitSeq(indented.String(), "\x00") {
		if strings.HasPrefix(strings.TrimSpace(block), "[general]") {
			found++
			understood(t, block)
		}
	}
	if found == 0 {
		t.Error("the README shows no file of options")
	}
	for _, block := range regexp.MustCompile(`(?s)\.Bd -literal.*?\n(.*?)\.Ed`).FindAllStringSubmatch(fileManual(), -1) {
		found++
		understood(t, block[1])
	}
	if found < 6 {
		t.Errorf("only %d files of options were found", found)
	}
}

func understood(t *testing.T, text string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rouse.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, _, notices, problems := read(console{args: []string{"--config-file", path}})
	if len(notices) > 0 || len(problems) > 0 {
		t.Errorf("%s\n%q\n%q", text, notices, problems)
	}
}
