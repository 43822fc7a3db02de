package files

import (
	"net/url"
	"strings"

	"github.com/rouse-server/rouse/server/characters"
)

// No path longer than this is looked up: it is PATH_MAX of Linux, which a walk name by name would not meet by itself.
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
// Refused are control characters (NUL among them) and backslashes: they occur in attacks only.
// Names need not be UTF-8. Whether a name is hidden is the tree's matter.
func resolve(path string) (target, bool) {
	if path == "" { // as in "GET http://host", RFC 9112 §3.2.1
		path = "/"
	}
	if path[0] != '/' || len(path) > maxPath || strings.ContainsFunc(path, forbidden) {
		return target{}, false
	}
	if plain(path) {
		name := strings.TrimSuffix(path[1:], "/")
		return target{name, len(name) < len(path)-1}, true
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
		if segment != "" {
			names = append(names, segment)
		}
	}
	t.name = strings.Join(names, "/")
	if t.name == "" {
		t.name = "."
	}
	return t, true
}

// plain tells of a path that resolve has nothing to remove from: no segment is empty or begins with a dot.
func plain(path string) bool {
	return len(path) > 1 && !strings.Contains(path, "//") && !strings.Contains(path, "/.")
}

func forbidden(c rune) bool { return c < ' ' || c == 0x7f || c == '\\' }

// path is the URL path of the target without what resolve removes, decoded.
func (t target) path() string {
	switch {
	case t.name == ".":
		return "/"
	case t.directory:
		return "/" + t.name + "/"
	}
	return "/" + t.name
}

// pathOf is path for the target that urlPath was resolved to.
func (t target) pathOf(urlPath string) string {
	if plain(urlPath) {
		return urlPath
	}
	return t.path()
}

// location is the URL of a file (or of a folder, as which it gets a slash) to send a client to. It begins with exactly one
// slash, since browsers take what follows "//" and "/\" for a host.
func location(name string, folder bool) string {
	return (&url.URL{Path: target{name, folder}.path()}).EscapedPath()
}

func withQuery(location, rawQuery string) string {
	if rawQuery == "" {
		return location
	}
	return location + "?" + characters.Query(rawQuery)
}
