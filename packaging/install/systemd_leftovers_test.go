package install

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Names that lead elsewhere are not joined to folders.
func TestForgetFilesOfOddNames(t *testing.T) {
	data := t.TempDir()
	t.Setenv("XDG_DATA_HOME", data)
	kept := filepath.Join(data, "systemd", "kept")
	stamp := filepath.Join(data, "systemd", "timers", "stamp-rouse-blog-renew.timer")
	for _, path := range []string{kept, stamp} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := systemd{user: true, folder: t.TempDir()}
	for _, u := range []Units{{Timers: []string{"/../../kept"}}, {Service: "rouse-../../kept.service"}, {Others: []string{"a/b"}}} {
		if err := s.forgetFiles(u); err == nil || !strings.Contains(err.Error(), "is no name of a unit") {
			t.Errorf("%v: %v", u, err)
		}
	}
	if err := s.forgetFiles(Units{Service: "rouse-blog.service", Timers: []string{"rouse-blog-renew.timer"}}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Dir(stamp)); err == nil {
		t.Error("the stamp is left")
	}
}
