package install

import (
	"path/filepath"
	"runtime"
	"testing"
)

// This machine is known without asking its service manager, which need not run.
func TestHere(t *testing.T) {
	for _, asUser := range []bool{false, true} {
		for _, home := range []string{"/home/me", ""} {
			s, err := Here(asUser, func(name string) string { return map[string]string{"HOME": home}[name] })
			if err != nil {
				t.Fatal(err)
			}
			if s.OS != runtime.GOOS || s.User != asUser || s.Manager == nil || s.Root != "" {
				t.Errorf("%+v", s)
			}
			if paths := s.Paths("blog"); !filepath.IsAbs(paths.Record) || !filepath.IsAbs(paths.Units) {
				t.Errorf("%+v", paths)
			}
		}
	}
}
