// Package homebrew has the formula of Homebrew's install Rouse, and runs its test, in a stand-in for brew.
package homebrew

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

func TestFormulaInstallsWhatItTests(t *testing.T) {
	if _, err := exec.LookPath("ruby"); err != nil {
		t.Skip("no ruby here")
	}
	source, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	folder, prefix := filepath.Join(source, "packaging/homebrew"), t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	brew := exec.CommandContext(ctx, "ruby", "-w", filepath.Join(folder, "testdata/brew.rb"), "test", filepath.Join(folder, "rouse.rb"), source, prefix, program.Binary(t))
	brew.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	if said, err := brew.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for name, want := range map[string]string{
		"etc/rouse/rouse.toml":                       `root = "` + prefix + `/var/www"`,
		"etc/rouse/tls.crt":                          "BEGIN CERTIFICATE",
		"etc/rouse/tls.key":                          "PRIVATE KEY",
		"share/man/man1/rouse.1":                     ".Dt ROUSE 1",
		"share/man/man5/rouse.toml.5":                ".Dt ROUSE.TOML 5",
		"etc/bash_completion.d/rouse":                "_rouse",
		"share/zsh/site-functions/_rouse":            "#compdef rouse",
		"share/fish/vendor_completions.d/rouse.fish": "complete",
	} {
		if text, err := os.ReadFile(filepath.Join(prefix, name)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %v, lacks %q", name, err, want)
		}
	}

	// The service's options hold, and are about a certificate that is there.
	check := exec.CommandContext(ctx, program.Binary(t), "check")
	check.Env = append(os.Environ(), "SERVER_CONFIG_FILE="+filepath.Join(prefix, "etc/rouse/rouse.toml"))
	if said, err := check.CombinedOutput(); err != nil {
		t.Errorf("rouse check: %v\n%s", err, said)
	}
}
