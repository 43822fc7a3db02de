package listing

import (
	"strings"

	"github.com/rouse-server/rouse/server/tree"
)

// view is what a page shows.
type view struct {
	query
	path               string // the folder's, as the client knows it
	prefix             []byte // of the links to what is in it: empty, or "folder/" when path has no slash at its end
	rows               []row
	folders, files     int // in the whole folder
	segments, ascended []string
}

func newView(path string, entries []tree.Entry, q query) *view {
	if path == "" {
		path = "/"
	}
	v := &view{query: q, path: path, rows: choose(entries, q)}
	if i := strings.LastIndexByte(path, '/'); i < len(path)-1 {
		v.prefix = append(appendEscaped(nil, path[i+1:]), '/')
	}
	for i := range entries {
		if entries[i].Directory {
			v.folders++
		} else {
			v.files++
		}
	}
	v.climb()
	return v
}

// climb finds the names of the folders above, outermost first, and the links to them.
func (v *view) climb() {
	segments := strings.Split(strings.TrimPrefix(v.path, "/"), "/")
	up := "./"
	if segments[len(segments)-1] == "" { // relative to the folder itself, else to the one above
		segments = segments[:len(segments)-1]
		up = "../"
	}
	v.ascended = make([]string, len(segments))
	v.segments = make([]string, len(segments))
	for i := len(segments) - 1; i >= 0; i-- {
		v.ascended[i] = up
		if i > 0 {
			v.segments[i] = segments[i-1]
		}
		if up == "./" {
			up = ""
		}
		up += "../"
	}
}
