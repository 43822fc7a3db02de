package install

import (
	"fmt"
	"time"
)

// restartsIn is what a renewal takes beside the end of the service that it restarts: as in the shipped unit.
const restartsIn = 100 * time.Second

// renewText is the service that renews the site's certificate: the one that packages ship, with the site's settings.
func (s systemdSite) renewText() ([]byte, error) {
	unit := s.unit("-renew.service")
	u := shippedUnit("rouse-renew.service", "rouse.service", s.unit(".service"))
	words := []string{"renew", s.Name}
	if s.sys.User {
		words = append(words, "--user")
	}
	line, err := commandLine(s.Program, words)
	if err != nil {
		return nil, err
	}
	u.set("ExecStart", line)
	u.set("TimeoutStartSec", seconds(s.stopLimit()+restartsIn))
	u.set("Description", fmt.Sprintf("Rouse site %s, renewal of its certificate", s.Name))
	if s.sys.User {
		s.unprivileged(u)
		return u.text(heading(s.Name, s.sys), fmt.Sprintf("# For changes of your own use %q.", s.edit(unit)))
	}
	folder, err := boundPath(s.paths.Site)
	if err != nil {
		return nil, err
	}
	u.set("ReadWritePaths", folder)
	if inHome(s.Program) {
		u.explain("ProtectHome", "# homes are read-only too,")
		u.set("ProtectHome", "read-only")
	}
	return u.text(heading(s.Name, s.sys), fmt.Sprintf("# For changes of your own use %q.", s.edit(unit)))
}

// timerText is the timer of that service, likewise.
func (s systemdSite) timerText() ([]byte, error) {
	u := shippedUnit("rouse-renew.timer")
	u.set("Description", fmt.Sprintf("Rouse site %s, when to look at its certificate", s.Name))
	return u.text(heading(s.Name, s.sys), fmt.Sprintf("# It starts %s every week.", s.unit("-renew.service")))
}
