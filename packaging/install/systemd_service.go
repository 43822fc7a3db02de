package install

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// serviceText is the site's service: the one that packages ship for this command, with the site's settings.
func (s systemdSite) serviceText() ([]byte, error) {
	u := s.shippedService()
	line, err := commandLine(s.Program, slices.Concat([]string{s.Command}, s.Words))
	if err != nil {
		return nil, err
	}
	u.set("ExecStart", line)
	s.name(u)
	s.variables(u)
	s.secrets(u)
	s.homes(u)
	u.set("TimeoutStopSec", seconds(s.stopLimit()))
	if s.Egress && s.Command != "dispatch" {
		u.drop("PrivateNetwork", "IPAddressDeny")
		u.explain("RestrictAddressFamilies", "# It may call out, and bind sockets of its own.")
		u.set("RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6")
	}
	if err := s.account(u); err != nil {
		return nil, err
	}
	s.root(u)
	if s.Logs && s.Command == "serve" {
		u.after("UMask", "# Those that were asked for.", "LogsDirectory", "rouse-"+s.Name)
	}
	if s.sys.User {
		s.unprivileged(u)
	}
	return u.text(heading(s.Name, s.sys), fmt.Sprintf("# For changes of your own use %q. Written for systemd 252 and later.", s.edit(s.unit(".service"))))
}

// shippedService is the unit that packages ship, with this site's names in its text.
func (s systemdSite) shippedService() *unitText {
	unit := s.unit(".service")
	switch s.Command {
	case "run":
		return shippedUnit("rouse-run@.service", "rouse-run@NAME.service", unit, "rouse-run@.service", unit,
			"rouse-run@NAME.socket", s.unit(".socket"), "rouse-run@.socket", s.unit(".socket"),
			"rouse-run/NAME", s.stateFolder(), "rouse-run/%i", s.stateFolder(), "/etc/rouse/run/%i.env", specifiers(s.paths.Variables))
	case "inetd":
		return shippedUnit("rouse-inetd@.service", "rouse-inetd@NAME.service", unit, "rouse-inetd@.service", unit,
			"rouse-inetd@NAME.socket", s.unit(".socket"), "rouse-inetd@.socket", s.unit(".socket"),
			"rouse-inetd/NAME", s.stateFolder(), "rouse-inetd/%i", s.stateFolder(), "/etc/rouse/inetd/%i.env", specifiers(s.paths.Variables))
	case "dispatch":
		u := shippedUnit("rouse-dispatch.service", "rouse-dispatch.service", unit)
		u.after("ExecStart", "# Options as variables.", "EnvironmentFile", s.environmentFile())
		if s.sys.User {
			u.after("ExecStart", "# Where servers register; /run/rouse is root's. It wins over the rules' own socket; the file below overrides it.",
				"Environment", "ROUSE_DISPATCH_SOCKET=%t/rouse/dispatch.sock")
		}
		return u
	default:
		return shippedUnit("rouse.service", "rouse.service", unit, "rouse.socket", s.unit(".socket"),
			"\n# rouse-http.socket is a choice of its own.", "", "/etc/rouse/rouse.env", specifiers(s.paths.Variables),
			"/var/log/rouse,", "/var/log/rouse-"+s.Name+",", "LogsDirectory=rouse ", "LogsDirectory=rouse-"+s.Name+" ")
	}
}

// variables has systemd read the site's options. They were written with the unit, so they are not to be missing.
func (s systemdSite) variables(u *unitText) {
	u.set("EnvironmentFile", s.environmentFile())
	if s.Command == "serve" {
		u.explain("EnvironmentFile", "# Overrides the variables above.")
	}
}

// environmentFile is the path of the site's options for EnvironmentFile=, which is a pattern (glob(7)).
func (s systemdSite) environmentFile() string {
	return specifiers(strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(s.paths.Variables))
}

// name has the unit tell whose it is, and enable its sockets.
func (s systemdSite) name(u *unitText) {
	u.set("Description", fmt.Sprintf("Rouse site %s (%s)", s.Name, s.Command))
	atBoot := "multi-user.target"
	if s.sys.User {
		atBoot = "default.target"
	}
	if s.Command == "dispatch" {
		u.set("WantedBy", atBoot)
		return
	}
	if s.Boot {
		u.after("Also", "# A dispatcher gives it sockets, for which it has to be there.", "WantedBy", atBoot)
	}
	if sockets := s.units().Sockets; len(sockets) > 0 {
		u.set("Also", strings.Join(sockets, " "))
	} else {
		u.drop("Also")
	}
}

// secrets has systemd hand over the files of secrets.
func (s systemdSite) secrets(u *unitText) {
	var load, instead []string
	for _, c := range s.credentials() {
		load = append(load, c.ID+":"+specifiers(c.Path))
		if c.ID == "tls.crt" || c.ID == "tls.key" {
			instead = append(instead, c.ID+`:\n`)
		}
	}
	const secrets = "# Files of secrets, which root alone needs to be able to read: systemd hands over copies, in $CREDENTIALS_DIRECTORY."
	switch {
	case s.Command != "serve" && len(load) > 0:
		u.after("ExecStart", secrets, "LoadCredential", load...)
	case s.Command == "serve":
		if len(instead) < len(load) {
			u.explain("LoadCredential", secrets)
		}
		u.set("LoadCredential", load...)
		u.set("SetCredential", instead...)
	}
}

// credentials are those of the site, with the certificate that was made for it.
func (s systemdSite) credentials() []Credential {
	has := slices.ContainsFunc(s.Credentials, func(c Credential) bool { return c.ID == "tls.crt" })
	if s.Certificate == nil || has {
		return s.Credentials
	}
	return slices.Concat([]Credential{{"tls.crt", s.paths.Chain}, {"tls.key", s.paths.Key}}, s.Credentials)
}

// homes shows the service homes, where it needs something there. It sees there what its user may: the folder is not bound to
// where the service looks, which would open it to the service whatever is around it, and whatever its owner has put in its place.
func (s systemdSite) homes(u *unitText) {
	if len(s.inHomes()) > 0 {
		u.explain("ProtectHome", "# homes are read-only too, and open to it as far as its user may go there,")
		u.set("ProtectHome", "read-only")
	}
}

// account has the service run as somebody who is there always. Other services may be the same user, so that what they share in
// memory is not removed with this one (RemoveIPC= of systemd.exec(5)).
func (s systemdSite) account(u *unitText) error {
	if s.Account == "" || s.sys.User || s.Command == "dispatch" {
		return nil
	}
	if strings.ContainsFunc(s.Account, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return Problem{Text: fmt.Sprintf("there is no user %q on this machine: make it, or name another one by --account", s.Account)}
	}
	u.after("DynamicUser", "# The user that it runs as.", "User", specifiers(s.Account))
	u.explain("RemoveIPC", "# The user's keyring is not to be seen.")
	u.drop("DynamicUser", "RemoveIPC")
	return nil
}

// unprivileged leaves out what only the machine's systemd can do, as it needs capabilities or a file system, users or a network
// of the service's own.
func (s systemdSite) unprivileged(u *unitText) {
	u.drop("DynamicUser", "PrivateUsers", "CapabilityBoundingSet", "AmbientCapabilities", "ProtectSystem", "ProtectHome",
		"PrivateTmp", "PrivateDevices", "DevicePolicy", "ProtectProc", "ProcSubset", "PrivateMounts", "ReadOnlyPaths", "ReadWritePaths",
		"StateDirectory", "CacheDirectory", "LogsDirectory", "WorkingDirectory", "PrivateNetwork", "IPAddressDeny",
		"ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs", "ProtectControlGroups", "ProtectClock", "ProtectHostname",
		"RemoveIPC", "KeyringMode")
	if s.Command != "dispatch" {
		u.drop("RuntimeDirectory")
	}
	u.explain("UMask", "# What it writes is for you alone.")
}
