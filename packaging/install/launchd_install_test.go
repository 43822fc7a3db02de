package install

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A site comes and goes on a Mac, by the calls that launchctl(1) documents; the launchctl here is a stand-in.
func TestInstallAndUninstallOnAMac(t *testing.T) {
	const agents = "/Users/me/Library/LaunchAgents/"
	renewTarget := blogTarget + ".renew"
	absent := func(target string) answer { return answer{call: "print " + target, status: 113} }
	l := standIn(t, true,
		// install
		absent(blogTarget), answer{call: "print-disabled gui/501"}, answer{call: "bootstrap gui/501 " + agents + "io.github.rouse-server.rouse.blog.plist"},
		absent(renewTarget), answer{call: "print-disabled gui/501"}, answer{call: "bootstrap gui/501 " + agents + "io.github.rouse-server.rouse.blog.renew.plist"},
		// uninstall
		answer{call: "print gui/501"}, answer{call: "bootout " + renewTarget}, absent(renewTarget), answer{call: "bootout " + blogTarget}, absent(blogTarget))
	l.uid = 501
	sys := mac(true)
	sys.Root, sys.UID, sys.Manager = t.TempDir(), os.Getuid(), l
	if err := os.MkdirAll(filepath.Join(sys.Root, "Users/me"), 0o755); err != nil {
		t.Fatal(err)
	}
	before := filesBelow(t, sys.Root)
	plan, err := Make(blog(), sys)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Apply(t.Context(), blog(), plan, sys, ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, name := range []string{"Application Support/rouse/blog/installed.json", "Application Support/rouse/blog/tls.crt", "Application Support/rouse/blog/tls.key",
		"LaunchAgents/io.github.rouse-server.rouse.blog.plist", "LaunchAgents/io.github.rouse-server.rouse.blog.renew.plist"} {
		want = append(want, "Users/me/Library/"+name)
	}
	if got := filesBelow(t, sys.Root); !slices.Equal(got, want) {
		t.Errorf("files\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if err := Uninstall(t.Context(), "blog", sys, nil); err != nil {
		t.Fatal(err)
	}
	if got := filesBelow(t, sys.Root); !slices.Equal(got, before) {
		t.Errorf("left: %q", got)
	}
}

// filesBelow lists the files in a folder, but for those that hold locks, and empty folders.
func filesBelow(t *testing.T, root string) []string {
	t.Helper()
	var all []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			all = append(all, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
