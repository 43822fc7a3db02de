package files

import (
	"errors"
	"io/fs"
	"mime"
	"strconv"
	"strings"
)

// wantsMarkdown reports whether a client names text/markdown among what it accepts, and likes it no less than HTML. Browsers
// do not name it; wildcards do not count.
func wantsMarkdown(accept []string) bool {
	markdown, html := 0.0, 0.0
	for _, field := range accept {
		for element := range strings.SplitSeq(field, ",") {
			mediaType, parameters, err := mime.ParseMediaType(element)
			if err != nil {
				continue
			}
			q := 1.0
			if text, given := parameters["q"]; given {
				if q, err = strconv.ParseFloat(text, 64); err != nil {
					continue
				}
			}
			switch mediaType {
			case "text/markdown":
				markdown = max(markdown, q)
			case "text/html":
				html = max(html, q)
			}
		}
	}
	return markdown > 0 && markdown >= html
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
