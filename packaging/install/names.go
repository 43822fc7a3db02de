package install

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// nameLimit is in bytes: with "rouse-" in front and the longest ending it stays far below the 255 of systemd.unit(5), and is read
// in one glance.
const nameLimit = 48

// checkName tells what is wrong with the name of a site. It stands in the names of units, files and folders.
func checkName(name string) error {
	wrong := func(why string) error {
		return Problem{Text: fmt.Sprintf("site name %q %s: --name blog, for example", name, why), Usage: true}
	}
	switch {
	case name == "":
		return wrong("is empty")
	case len(name) > nameLimit:
		return wrong(fmt.Sprintf("has more than %d letters", nameLimit))
	case !regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`).MatchString(name):
		return wrong("may have small letters and digits, and behind the first one also . _ and -")
	case slices.Contains([]string{"http", "dispatch", "run", "inetd", "renew"}, name):
		return wrong("would be that of units which packages of Rouse bring along")
	case slices.Contains([]string{"rouse.env", "rouse.toml", "dispatch.toml", "tls.crt", "tls.key", "htpasswd"}, name):
		return wrong("would be that of a file in /etc/rouse")
	}
	for _, ending := range []string{"-http", "-renew", ".renew"} {
		if short, ok := strings.CutSuffix(name, ending); ok {
			return wrong(fmt.Sprintf("would be that of a unit of the site %q", short))
		}
	}
	return nil
}

// heading is the first line of every file that can have a comment.
func heading(name string, sys System) string {
	return fmt.Sprintf("# Written by rouse install (site %s); rouse %s removes it.", name, uninstalling(name, sys))
}

// uninstalling is what is typed behind rouse to remove a site.
func uninstalling(name string, sys System) string {
	if sys.User {
		return "uninstall --user " + name
	}
	return "uninstall " + name
}
