package files

import (
	"errors"
	"io/fs"

	"github.com/rouse-server/rouse/server/accept"
)

// wantsMarkdown reports whether a client names text/markdown among what it accepts, and likes it no less than HTML. Browsers
// do not name it; wildcards do not count.
func wantsMarkdown(fields []string) bool {
	markdown := accept.Media(fields, "text/markdown")
	return markdown.Named && markdown.Weight > 0 && markdown.Weight >= accept.Media(fields, "text/html").Weight
}

// findMarkdown opens what there is of a page as Markdown.
func (h *handler) findMarkdown(t target) (found, error) {
	var names []string
	if !t.directory {
		names = []string{t.name + ".md", t.name + page + ".md"}
	}
	names = append(names, below(t.name, "index"+page+".md"))
	for _, name := range names {
		f, err := h.openFile(name)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	return found{}, fs.ErrNotExist
}
