package install

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestVerifyUnits(t *testing.T) {
	for text, want := range map[string]string{
		"[Service]\nExecStart=/bin/true\n":                    "",
		"[Service]\nExecStart=/bin/true\nNosuch=1\n":          "Nosuch",
		"[Service]\nExecStart=/nowhere/rouse\n":               "/nowhere/rouse",
		"[Service]\nExecStart=/bin/true\nUMask=often\n":       "often",
		"[Service]\nExecStart=/bin/true\n[Sevice]\nUMask=0\n": "Sevice",
	} {
		path := filepath.Join(t.TempDir(), "rouse-verified.service")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		err := verifyUnits(t.Context(), []string{path}, false)
		if err != nil {
			needsAnalyze(t, err)
		}
		switch {
		case want == "" && err != nil:
			t.Errorf("%q: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%q: got %v, want a line with %q", text, err, want)
		}
	}
}

func TestVerifyUnitsWithoutTheTool(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if err := verifyUnits(t.Context(), []string{"/tmp/a.service"}, true); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestAboutUnits(t *testing.T) {
	const output = `/lib/systemd/system/plymouth-start.service:17: Unit configured to use KillMode=none.

/x/rouse-site.service:3: Unknown key name 'A' in section 'Unit', ignoring.
rouse-site.socket: Cannot add dependency job
`
	got := aboutUnits(output, []string{"/x/rouse-site.service", "/x/rouse-site.socket"})
	want := []string{"/x/rouse-site.service:3: Unknown key name 'A' in section 'Unit', ignoring.", "rouse-site.socket: Cannot add dependency job"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
