package install

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	systemdbus "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// unitPath lists the folders where systemd looks for units (systemd.unit(5), "Unit File Load Path").
func (s systemd) unitPath(ctx context.Context) (folders []string, err error) {
	err = s.with(ctx, func(ctx context.Context, c *systemdbus.Conn) error {
		text, err := c.GetManagerProperty("UnitPath") // as GVariant text
		if err != nil {
			return err
		}
		value, err := dbus.ParseVariant(text, dbus.SignatureOf([]string{}))
		if err != nil {
			return fmt.Errorf("the unit path %s: %w", text, err)
		}
		return dbus.Store([]any{value.Value()}, &folders)
	})
	return folders, err
}

// checkUnitPath tells whether systemd would look where the units are to be: the user's one has the settings of its own start.
func checkUnitPath(ctx context.Context, paths Paths, sys System) error {
	if sys.UnitPath == nil {
		return nil
	}
	folders, err := sys.UnitPath(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(folders, func(folder string) bool { return sameFolder(sys.at(folder), sys.at(paths.Units)) }) {
		return nil
	}
	if !sys.User {
		return Problem{Text: fmt.Sprintf("systemd does not look for units in %s: see SYSTEMD_UNIT_PATH in systemd.unit(5)", paths.Units)}
	}
	mend := "set HOME and XDG_CONFIG_HOME as they are for it"
	for _, folder := range folders { // $XDG_CONFIG_HOME/systemd/user.control is the first of its kind, before that in /run
		if config, ok := strings.CutSuffix(folder, "/systemd/user.control"); ok {
			mend = "the same with XDG_CONFIG_HOME=" + shellWord(config) + " in front"
			break
		}
	}
	return Problem{Text: fmt.Sprintf("your own systemd does not look for units in %s, as HOME or XDG_CONFIG_HOME is another one here: %s", paths.Units, mend)}
}

// sameFolder tells whether two paths are of one folder, which need not be there.
func sameFolder(one, two string) bool {
	if filepath.Clean(one) == filepath.Clean(two) {
		return true
	}
	first, err1 := os.Stat(one)
	second, err2 := os.Stat(two)
	return err1 == nil && err2 == nil && os.SameFile(first, second)
}
