package rules

import (
	"fmt"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// siteHeaders is what _headers says.
type siteHeaders struct {
	blocks []headerBlock
}

// headerBlock is a path and the lines under it.
type headerBlock struct {
	source *sitePattern
	lines  []headerLine
}

type headerLine struct {
	name   string // canonical
	pieces []piece
	remove bool // "! Name"
}

// parseHeaders reads _headers: a path or URL, then lines "Name: value" for it. A line "! Name" takes away what blocks before
// have set, and the server's own. Lines that cannot be followed are skipped, with an error for each.
func parseHeaders(text string) (*siteHeaders, []*LineError) {
	t := &siteHeaders{}
	var errs []*LineError
	number, begun, skipping := 0, false, false
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		number++
		content := strings.TrimSpace(line)
		var err error
		switch {
		case content == "" || content[0] == '#':
		case len(line) > maxLine:
			err = fmt.Errorf("the line is longer than %d bytes and was skipped", maxLine)
		case content[0] == '/' || isURL(content):
			err = t.begin(content)
			begun, skipping = true, err != nil
		case !begun:
			err = fmt.Errorf("a header stands before the first path; the line was skipped")
		case !skipping:
			err = t.add(content)
		}
		if err != nil {
			errs = append(errs, &LineError{"_headers", number, err})
		}
	}
	return t, errs
}

// begin begins a block.
func (t *siteHeaders) begin(source string) error {
	pattern, err := newSitePattern(source)
	if err != nil {
		return fmt.Errorf("%w; the headers under it were skipped", err)
	}
	if len(t.blocks) == maxDynamic {
		return fmt.Errorf("more than %d paths; the headers under it were skipped", maxDynamic)
	}
	t.blocks = append(t.blocks, headerBlock{source: pattern})
	return nil
}

// add adds a line to the block that was begun last.
func (t *siteHeaders) add(content string) error {
	block := &t.blocks[len(t.blocks)-1]
	name, value, ok := strings.Cut(content, ":")
	removed, remove := strings.CutPrefix(content, "!")
	if remove {
		name, value = removed, ""
	}
	name = strings.TrimSpace(name)
	value = strings.TrimSpace(value)
	switch {
	case !ok && !remove:
		return fmt.Errorf("%q is neither a path nor a header such as X-Frame-Options: DENY; the line was skipped", content)
	case strings.EqualFold(name, "Basic-Auth"):
		return fmt.Errorf("a Basic-Auth header is not supported, --basic-auth-file asks for passwords; the line was skipped")
	}
	if err := checkField(name, value); err != nil {
		return fmt.Errorf("%w; the line was skipped", err)
	}
	line := headerLine{name: textproto.CanonicalMIMEHeaderKey(name), remove: remove}
	for value != "" {
		from, to, capture := block.source.next(value)
		if from < 0 {
			from, to = len(value), len(value)
		}
		if from > 0 {
			line.pieces = append(line.pieces, piece{text: value[:from]})
		}
		if from < to {
			line.pieces = append(line.pieces, piece{capture: capture})
		}
		value = value[to:]
	}
	block.lines = append(block.lines, line)
	return nil
}

// value puts values in the places of a line. They are percent-encoded, so a header stays one.
func (l *headerLine) value(values []string) string {
	if len(l.pieces) == 1 && l.pieces[0].text != "" {
		return l.pieces[0].text
	}
	var b strings.Builder
	for _, p := range l.pieces {
		if p.text != "" {
			b.WriteString(p.text)
		} else if p.capture < len(values) {
			b.WriteString(escaped(values[p.capture], unsafePath+",;'()"))
		}
	}
	return b.String()
}

// apply sets the headers of all blocks that match. The first value of a header takes the place of the server's; further ones
// are joined to it (RFC 9110 §5.3), but for those that browsers want one by one. Links that are there stay.
func (t *siteHeaders) apply(h http.Header, q siteRequest) {
	var set []string // headers that have a value of this file
	for i := range t.blocks {
		b := &t.blocks[i]
		values := b.source.values(q.host, q.subject)
		if values == nil {
			continue
		}
		for j := range b.lines {
			if l := &b.lines[j]; l.remove {
				delete(h, l.name)
			}
		}
		for j := range b.lines {
			l := &b.lines[j]
			if l.remove {
				continue
			}
			value, had := l.value(values), h[l.name]
			switch again := slices.Contains(set, l.name); {
			case l.name == "Link":
				if !slices.Contains(had, value) {
					h[l.name] = append(slices.Clip(had), value)
				}
			case !again || len(had) == 0:
				h[l.name] = []string{value}
			case l.name == "Set-Cookie":
				h[l.name] = append(had, value)
			default:
				h[l.name] = []string{had[0] + ", " + value}
			}
			set = append(set, l.name)
		}
	}
}
