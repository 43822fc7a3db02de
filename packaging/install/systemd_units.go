package install

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// systemdPlan returns the units of a site, for the folder where systemd looks for them, with the commands that show its log
// and undo it. The files that they name, of variables and certificates, are the caller's.
func systemdPlan(site Site, sys System) (Plan, error) {
	if len(site.Sockets) == 0 && site.Command != "dispatch" && !site.Boot {
		return Plan{}, Problem{Usage: true, Text: fmt.Sprintf("rouse %s needs an address that it is woken on: --listen 127.0.0.1:8080", site.Command)}
	}
	s := systemdSite{Site: site, sys: sys, paths: sys.Paths(site.Name)}
	plan := Plan{Units: s.units(), Log: "journalctl -u " + s.unit(".service"), Undo: "sudo rouse uninstall " + site.Name, Notices: s.notices()}
	if sys.User {
		plan.Log, plan.Undo = "journalctl --user -u "+s.unit(".service"), "rouse uninstall --user "+site.Name
	}
	texts := []func() ([]byte, error){s.serviceText}
	for i := range site.Sockets {
		texts = append(texts, func() ([]byte, error) { return s.socketText(i) })
	}
	if site.Certificate != nil {
		texts = append(texts, s.renewText, s.timerText)
	}
	for i, name := range slices.Concat([]string{plan.Units.Service}, plan.Units.Sockets, plan.Units.Others, plan.Units.Timers) {
		text, err := texts[i]()
		if err != nil {
			return Plan{}, err
		}
		plan.Files = append(plan.Files, File{Path: filepath.Join(s.paths.Units, name), Mode: 0o644, Text: text})
	}
	return plan, nil
}

// systemdSite is a site whose units are written.
type systemdSite struct {
	Site
	sys   System
	paths Paths
}

// unit is the name of the site's unit with that ending.
func (s systemdSite) unit(ending string) string { return filepath.Base(s.paths.Unit(ending)) }

func (s systemdSite) units() Units {
	u := Units{Service: s.unit(".service"), Boot: s.Boot || s.Command == "dispatch"}
	for i, socket := range s.Sockets {
		name := s.unit("-" + socket.Name + ".socket")
		switch {
		case i == 0:
			name = s.unit(".socket")
		case strings.Trim(socket.Name, unitCharacters) != "" || slices.Contains(u.Sockets, name):
			name = s.unit(fmt.Sprintf("-%d.socket", i+1))
		}
		u.Sockets = append(u.Sockets, name)
	}
	if s.Certificate != nil {
		u.Timers, u.Others = []string{s.unit("-renew.timer")}, []string{s.unit("-renew.service")}
	}
	return u
}

// unitCharacters are those of a socket's name that a unit's name can have too.
const unitCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

// edit is the command that overrides settings of a unit.
func (s systemdSite) edit(unit string) string {
	if s.sys.User {
		return "systemctl --user edit " + unit
	}
	return "systemctl edit " + unit
}

// notices is what people should know of the units.
func (s systemdSite) notices() []string {
	var notices []string
	if homes := s.inHomes(); len(homes) > 0 {
		notices = append(notices, fmt.Sprintf("for %s the service sees /home, /root and /run/user, read-only and as far as its user may; one that needs nothing there, as with its files in /srv, does not see them", strings.Join(homes, ", ")))
	}
	if s.stateFolder() != "" {
		notices = append(notices, s.place())
	}
	if s.sys.User {
		notices = append(notices, "the site is there while you are logged in; from boot on, with: loginctl enable-linger")
		if s.Command == "dispatch" {
			notices = append(notices, "servers register at $XDG_RUNTIME_DIR/rouse/dispatch.sock, unless ROUSE_DISPATCH_SOCKET in "+s.paths.Variables+" says otherwise")
		}
		if s.Command == "run" && !s.Egress {
			notices = append(notices, "a user's own systemd cannot take the network from the program: without --user it can")
		}
	}
	return notices
}

// place tells whom the program is, and where it can write.
func (s systemdSite) place() string {
	switch folder := s.stateFolder(); s.Account {
	case "root":
		return "the program is root, with its rights on files and users, and can write everywhere but in /usr, /boot, /etc and homes"
	case "":
		return fmt.Sprintf("the program is a user that exists only meanwhile, and can write in /var/lib/%s alone ($STATE_DIRECTORY), which stays after rouse uninstall; one that starts as root and becomes another user itself wants --account root", folder)
	default:
		return fmt.Sprintf("the program can write in /var/lib/%s alone ($STATE_DIRECTORY), which stays after rouse uninstall", folder)
	}
}

// stateFolder is below /var/lib, /var/cache and /var/log, for the program that is woken: systemd makes it when that starts.
func (s systemdSite) stateFolder() string {
	if s.sys.User || s.Command != "run" && s.Command != "inetd" {
		return ""
	}
	return "rouse-" + s.Name
}

// inHomes is what lies in homes of all that the service reads and starts.
func (s systemdSite) inHomes() []string {
	if s.sys.User {
		return nil
	}
	paths := programs(s.Site)
	for _, read := range s.Reads {
		paths = append(paths, read.Path)
	}
	return outermost(slices.DeleteFunc(paths, func(p string) bool { return !inHome(p) }))
}

// outermost leaves out paths within others.
func outermost(paths []string) []string {
	slices.Sort(paths)
	var left []string
	for _, path := range paths {
		if !slices.ContainsFunc(left, func(folder string) bool { return within(path, folder) }) {
			left = append(left, path)
		}
	}
	return left
}
