package files

import (
	"errors"
	"io/fs"
	"path"
	"strings"
)

// page is what the name of a file has that is also served without it.
const page = ".html"

// cleanURL is where a page is served under a shorter URL: /dir/ for its index file, /page for page.html. It is "" when that
// URL stands for something else.
func (h *handler) cleanURL(name string) string {
	short, isPage := strings.CutSuffix(name, page)
	if !isPage || short == "" || strings.HasSuffix(short, "/") {
		return ""
	}
	folder, base := path.Dir(name), path.Base(name)
	for _, index := range h.IndexFiles {
		if index == base {
			return location(folder, true)
		}
		if !h.missing(below(folder, index)) { // it is the folder's index, not this one
			break
		}
	}
	if !h.missing(short) {
		return ""
	}
	return location(short, false)
}

func (h *handler) missing(name string) bool {
	file, _, err := h.tree.Open(name)
	if err == nil {
		file.Close()
	}
	return errors.Is(err, fs.ErrNotExist)
}
