package main

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// Help, manual and completions of every command with options of its own have all of them.
func TestSubcommandsShowEveryOption(t *testing.T) {
	pages := map[string]string{"run": runPage, "dispatch": dispatchPage, "inetd": inetdPage}
	for _, s := range subcommands() {
		code, help, errs := rouse(t, nil, s.name, "--help")
		if code != 0 || errs != "" {
			t.Errorf("rouse %s --help: %d, %s", s.name, code, errs)
		}
		manual := installManual() // of the commands about sites
		if page := pages[s.name]; page != "" {
			manual = subcommandManual(page, s)
		}
		if regexp.MustCompile(`(?m)^@[A-Z]+@$`).MatchString(manual) {
			t.Errorf("the manual of %s has no table of options", s.name)
		}
		for _, d := range s.documented() {
			if d.help == "" || strings.HasSuffix(d.help, ".") {
				t.Errorf("%s --%s: help %q", s.name, d.flag, d.help)
			}
			for text, name := range map[string]string{help: "--" + d.flag, manual: "Fl -" + d.flag, bashCompletion(): "--" + d.flag, zshCompletion(): "--" + d.flag, fishCompletion(): "-l " + d.flag + " "} {
				if !strings.Contains(text, name) {
					t.Errorf("%s: %q is missing from %.40q", s.name, name, text)
				}
			}
		}
		for line := range strings.Lines(help) {
			if len(line) > 121 {
				t.Errorf("%d letters: %s", len(line), line)
			}
		}
	}
}

func TestSubcommandManualsAreSound(t *testing.T) {
	if _, err := exec.LookPath("groff"); err != nil {
		t.Skip("no groff")
	}
	for _, file := range generatedFiles() {
		if file.what != "man-pages" {
			continue
		}
		command := exec.CommandContext(t.Context(), "groff", "-mandoc", "-Tutf8", "-ww", "-z")
		command.Stdin = strings.NewReader(file.text)
		if out, err := command.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", file.path, err, out)
		}
	}
}
