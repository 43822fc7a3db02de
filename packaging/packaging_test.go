package packaging

import (
	"io/fs"
	"slices"
	"testing"
)

// What is embedded gets installed, so nothing may slip in or go missing.
func TestFiles(t *testing.T) {
	want := []string{
		"completions/_rouse",
		"completions/rouse.bash",
		"completions/rouse.fish",
		"launchd/agent/io.github.rouse-server.rouse.plist",
		"launchd/daemon/io.github.rouse-server.rouse.plist",
		"man/rouse-dispatch.1",
		"man/rouse-inetd.1",
		"man/rouse-install.1",
		"man/rouse-run.1",
		"man/rouse.1",
		"man/rouse.toml.5",
		"systemd/rouse-dispatch.service",
		"systemd/rouse-http.socket",
		"systemd/rouse-inetd@.service",
		"systemd/rouse-inetd@.socket",
		"systemd/rouse-renew.service",
		"systemd/rouse-renew.timer",
		"systemd/rouse-run@.service",
		"systemd/rouse-run@.socket",
		"systemd/rouse.env",
		"systemd/rouse.service",
		"systemd/rouse.socket",
	}
	var got []string
	err := fs.WalkDir(Files(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			got = append(got, name)
		}
		return err
	})
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}

// read returns one of the files.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := fs.ReadFile(Files(), name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
