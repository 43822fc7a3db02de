package files

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// No path longer than this is looked up: it is PATH_MAX of Linux, which os.Root, going name by
// name, would not meet by itself.
const maxPath = 4096

// target is what the path of a request stands for.
type target struct {
	name      string // below the root, without slashes at its ends; "." is the root itself
	directory bool   // the path ended in a slash
}

// resolve turns a decoded URL path into a target, or says that there can be no such file.
//
// Dot segments are removed as in RFC 3986 §5.2.4, before the file system sees them, so that
// a/link/.. is a, whatever link points to. Then empty segments go, as they do in the file system.
// Refused are hidden names, control characters (NUL among them) and backslashes: they occur in
// attacks only. Names need not be UTF-8.
func resolve(path string) (target, bool) {
	if path == "" { // as in "GET http://host", RFC 9112 §3.2.1
		path = "/"
	}
	if path[0] != '/' || len(path) > maxPath || strings.ContainsFunc(path, forbidden) {
		return target{}, false
	}
	var t target
	segments := make([]string, 0, 16)
	for segment := range strings.SplitSeq(path[1:], "/") {
		t.directory = segment == "" || segment == "." || segment == ".."
		switch {
		case segment == ".":
		case segment != "..":
			segments = append(segments, segment)
		case len(segments) > 0:
			segments = segments[:len(segments)-1]
		}
	}
	names := segments[:0]
	for _, segment := range segments {
		if segment == "" {
			continue
		}
		if hidden(segment) && !(len(names) == 0 && segment == ".well-known") {
			return target{}, false
		}
		names = append(names, segment)
	}
	t.name = strings.Join(names, "/")
	if t.name == "" {
		t.name = "."
	}
	return t, true
}

func forbidden(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' }

// hidden reports whether a name begins with a dot, also for file systems that overlook invisible
// characters (HFS+, ext4 with casefold): for them U+200C followed by ".git" is .git (CVE-2014-9390).
func hidden(name string) bool {
	if name[0] < utf8.RuneSelf {
		return name[0] == '.'
	}
	visible := strings.TrimLeftFunc(name, func(c rune) bool {
		return unicode.In(c, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
	})
	return strings.HasPrefix(visible, ".")
}

// location is the canonical URL of the target as a directory, to send a client to. It begins with
// exactly one slash, since browsers take what follows "//" and "/\" for a host.
func (t target) location(rawQuery string) string {
	path := "/"
	if t.name != "." {
		path += t.name + "/"
	}
	location := (&url.URL{Path: path}).EscapedPath()
	if rawQuery != "" {
		location += "?" + rawQuery
	}
	return location
}
