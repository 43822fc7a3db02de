package install

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// oddIn tells what a text has that no setting of a service can hold: a line break would begin another setting, as root runs it.
func oddIn(text string) string {
	switch {
	case !utf8.ValidString(text):
		return "is not UTF-8"
	case strings.ContainsFunc(text, unicode.IsControl):
		return "has control characters"
	}
	return ""
}

// oddInUnit tells what else a value cannot have that stands in a unit as it is (systemd.syntax(7)).
func oddInUnit(value string) string {
	switch odd := oddIn(value); {
	case odd != "":
		return odd
	case strings.TrimSpace(value) != value:
		return "begins or ends with a blank"
	case strings.HasSuffix(value, `\`): // the next line would go on with it
		return "ends with a backslash"
	}
	return ""
}

// oddInCredential tells what else a path in LoadCredential= cannot have, where there are no quotes: from version 254 on systemd
// hands it to a process of its own in a list whose blanks and backslashes it does not escape, and the service does not start
// ("Failed to deserialize: Invalid argument", seen with 257).
func oddInCredential(path string) string {
	if odd := oddInUnit(path); odd != "" {
		return odd
	}
	if strings.ContainsAny(path, ` \`) {
		return "has a blank or a backslash"
	}
	return ""
}

// checkValues tells of the first value of a site that its service's settings cannot hold as it is.
func checkValues(site Site, sys System) error {
	checks := []func(Site, System) error{checkPaths, checkSockets, checkWords, checkFolderNames}
	for _, check := range checks {
		if err := check(site, sys); err != nil {
			return err
		}
	}
	return nil
}

// odd is a value that is to be another one.
func odd(what, value, why string) error {
	return Problem{Text: fmt.Sprintf("%s %q %s, which settings of services cannot hold: rename it", what, value, why)}
}

// checkPaths looks at the paths that a site names.
func checkPaths(site Site, sys System) error {
	if !filepath.IsAbs(site.Program) {
		return Problem{Text: fmt.Sprintf("the program %q: services need its path, from / on", site.Program)}
	}
	for _, program := range programs(site) {
		if why := oddIn(program); why != "" {
			return odd("the program", program, why)
		}
	}
	for _, read := range site.Reads {
		if why := oddIn(read.Path); why != "" {
			return odd(read.Option, read.Path, why)
		}
	}
	inValue := oddIn
	if sys.OS != "darwin" {
		inValue = oddInCredential
	}
	for _, credential := range site.Credentials {
		if why := inValue(credential.Path); why != "" {
			return odd("the secret "+credential.ID+":", credential.Path, why)
		}
	}
	return nil
}

// descriptorName is the longest name of a socket that systemd takes (FDNAME_MAX in its source).
const descriptorName = 255

// checkSockets looks at the names and addresses of sockets.
func checkSockets(site Site, sys System) error {
	for _, socket := range site.Sockets {
		ascii := !strings.ContainsFunc(socket.Name, func(r rune) bool { return r <= ' ' || r == ':' || r >= 0x7f })
		if socket.Name == "" || len(socket.Name) > descriptorName || !ascii {
			return Problem{Usage: true, Text: fmt.Sprintf("a socket cannot be called %q: --listen web=8080, for example, with letters, digits, - and _", socket.Name)}
		}
		for _, listen := range socket.Listen {
			if why := oddInUnit(listen); why != "" {
				return Problem{Usage: true, Text: fmt.Sprintf("--listen %q %s, which settings of services cannot hold: choose another path", listen, why)}
			}
		}
		if strings.Trim(socket.Mode, "01234567") != "" {
			return Problem{Usage: true, Text: fmt.Sprintf("socket %s: mode %q is not octal, such as 0660", socket.Name, socket.Mode)}
		}
	}
	return nil
}

// checkWords looks at arguments and options. For systemd a unit's [commandLine] can have all but a zero byte, which it tells of.
func checkWords(site Site, sys System) error {
	for _, v := range site.Variables {
		if strings.Trim(v.Name, variableCharacters) != "" || strings.Trim(v.Name[:min(1, len(v.Name))], "0123456789") == "" {
			return Problem{Usage: true, Text: fmt.Sprintf("%q is no name of a variable: letters, digits and _", v.Name)}
		}
		if why := oddIn(strings.ReplaceAll(v.Value, "\t", "")); why != "" {
			return Problem{Usage: true, Text: fmt.Sprintf("the value of %s, %q, %s, which settings of services cannot hold: write it without", v.Name, v.Value, why)}
		}
	}
	if why := oddIn(site.Account); why != "" || strings.ContainsFunc(site.Account, unicode.IsSpace) {
		return Problem{Text: fmt.Sprintf("there is no user %q on this machine: make it, or name another one by --account", site.Account)}
	}
	if sys.OS == "darwin" && slices.ContainsFunc(site.Words, func(word string) bool { return !isXML(word) }) {
		return Problem{Usage: true, Text: fmt.Sprintf("property lists can hold lines of UTF-8 text alone, and an argument is none: %q: put it into a script", site.Words)}
	}
	return nil
}

const variableCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"

// isXML tells whether XML has a way to write a text (Extensible Markup Language 1.0, 2.2).
func isXML(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
	})
}

// checkFolderNames looks at where the site's own files are to be: below a user's home that can be called anything.
func checkFolderNames(site Site, sys System) error {
	if !sys.User {
		return nil
	}
	from, folder := "HOME", sys.Home
	if config := sys.Getenv("XDG_CONFIG_HOME"); sys.OS != "darwin" && filepath.IsAbs(config) {
		from, folder = "XDG_CONFIG_HOME", config
	}
	why := oddIn(folder)
	if !filepath.IsAbs(folder) {
		why = "is no path from / on"
	}
	if why == "" && sys.OS != "darwin" && site.Certificate != nil { // which is handed over
		why = oddInCredential(sys.Paths(site.Name).Chain)
	}
	if why != "" {
		return Problem{Text: fmt.Sprintf("%s=%q %s, and the site's files would be in there: set it to a folder that has a plain name, or install without --user", from, folder, why)}
	}
	return nil
}
