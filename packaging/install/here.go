package install

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"runtime"
)

// Here returns this machine, or with asUser this user's part of it; getenv is os.Getenv. It asks nothing of the service manager
// yet: [Manager.Ready] does.
func Here(asUser bool, getenv func(string) string) (System, error) {
	s := System{OS: runtime.GOOS, User: asUser, UID: os.Getuid(), Home: getenv("HOME"), Getenv: getenv}
	if asUser && s.Home == "" {
		account, err := user.Current()
		if err != nil || account.HomeDir == "" {
			return System{}, Problem{Text: "no home folder is known for --user: set HOME"}
		}
		s.Home = account.HomeDir
	}
	switch s.OS {
	case "linux":
		s.Manager = newSystemd(asUser)
		if manager, ok := s.Manager.(systemd); ok {
			s.UnitPath = manager.unitPath
		}
		if _, err := exec.LookPath("systemd-analyze"); err == nil {
			s.Verify = func(ctx context.Context, paths []string) error { return verifyUnits(ctx, paths, asUser) }
		}
	case "darwin":
		launchctl, err := exec.LookPath("launchctl")
		s.Manager = newLaunchd(asUser, s.UID, cmp.Or(launchctl, "/bin/launchctl"))
		if err != nil {
			return System{}, Problem{Text: "launchctl is not in PATH: on a Mac it is /bin/launchctl"}
		}
	default:
		return System{}, Problem{Text: fmt.Sprintf("servers are installed under systemd (Linux) and launchd (macOS), and this is %s: "+
			"have its own service manager start rouse", s.OS)}
	}
	return s, nil
}
