package rules

import (
	"fmt"
	"strings"

	"github.com/rouse-server/rouse/server/characters"
)

// template is a destination: text, and places for what was captured.
//
// What comes from a request never decides where a client is sent to, unless the destination says so:
//   - A destination without a host stays one: its slashes at the start become one, since browsers take what follows "//" for
//     a host.
//   - Behind a whole host name (http://new.example$1) what was captured begins with a slash, so that neither
//     ".evil.example" nor "@evil.example" continues the name. Inside a name (https://$1.example.com/, http://cdn$1.example.com/)
//     it consists of letters, digits, "-" and "."; otherwise the rule does not apply.
//   - It is percent-encoded where it was not, and in a query "&" and "+" are too.
type template struct {
	pieces   []piece
	absolute bool // with a host
}

type piece struct {
	text    string
	capture int  // where text is empty
	host    bool // stands in the host or port
	inside  bool // more of the host follows
	query   bool // stands behind a ?
}

// newTemplate reads a destination in which next finds the first placeholder: where it begins and ends, and the capture it
// stands for; from < 0 when there is none.
func newTemplate(text string, next func(text string) (from, to, capture int)) (template, error) {
	if text == "" {
		return template{}, fmt.Errorf("missing; a path or URL is wanted")
	}
	if i := strings.IndexFunc(text, func(c rune) bool { return c < ' ' || c == 0x7f }); i >= 0 {
		return template{}, fmt.Errorf("%q: character %d is a control character", text, i+1)
	}
	t := template{absolute: hasHost(text)}
	before := "" // all text so far
	for text != "" {
		from, to, capture := next(text)
		if from < 0 {
			from, to = len(text), len(text)
		}
		if from > 0 {
			t.pieces = append(t.pieces, piece{text: escaped(text[:from], unsafeText)})
			before += text[:from]
		}
		if from < to {
			rest := text[to:]
			authority := t.absolute && !strings.ContainsAny(before[strings.Index(before, "//")+2:], "/?#")
			t.pieces = append(t.pieces, piece{
				capture: capture,
				host:    authority,
				inside:  authority && (rest != "" && !strings.ContainsAny(rest[:1], "/?#$:") || strings.ContainsAny(before[len(before)-1:], "/.-:")),
				query:   strings.Contains(before, "?") && !strings.Contains(before, "#"),
			})
		}
		text = text[to:]
	}
	return t, nil
}

// hasHost tells whether a destination begins with a scheme and a host, or with //host.
func hasHost(text string) bool {
	scheme, rest, ok := strings.Cut(text, "//")
	if !ok {
		return false
	}
	if scheme == "" {
		return rest != ""
	}
	name, isScheme := strings.CutSuffix(scheme, ":")
	return isScheme && name != "" && strings.IndexFunc(name, func(c rune) bool {
		return !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '+' || c == '-' || c == '.')
	}) < 0
}

// expand puts what was captured in its places. It is not ok where that would choose a host that the destination does not
// allow.
func (t *template) expand(values []string) (string, bool) {
	if len(t.pieces) == 1 && t.pieces[0].text != "" {
		return t.pieces[0].text, true
	}
	var b strings.Builder
	host := t.absolute // nothing has ended the host yet
	for _, p := range t.pieces {
		if p.text != "" {
			b.WriteString(p.text)
			continue
		}
		if p.capture >= len(values) || values[p.capture] == "" {
			if p.inside {
				return "", false
			}
			continue
		}
		value := escaped(values[p.capture], unsafePath)
		switch {
		case p.query:
			value = escaped(values[p.capture], unsafeQuery)
		case p.inside && host:
			if !hostPart(value) {
				return "", false
			}
		case p.host && host:
			host = false
			if value[0] != '/' {
				b.WriteByte('/')
			}
		}
		b.WriteString(value)
	}
	if t.absolute {
		return b.String(), true
	}
	return t.local(b.String()), true
}

// local makes sure that an expanded destination without host has none.
func (t *template) local(location string) string {
	if strings.HasPrefix(location, "/") || t.pieces[0].text == "" {
		return "/" + strings.TrimLeft(location, "/")
	}
	if segment, _, _ := strings.Cut(location, "/"); strings.Contains(segment, ":") {
		return "./" + location // otherwise it were a scheme, RFC 3986 §4.2
	}
	return location
}

func hostPart(text string) bool {
	for i := range len(text) {
		if c := text[i]; !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.') {
			return false
		}
	}
	return true
}

// withQuery adds the query of a request to a location, before its fragment.
func withQuery(location, query string) string {
	if query == "" {
		return location
	}
	location, fragment, fragmented := strings.Cut(location, "#")
	join := "?"
	if strings.Contains(location, "?") {
		join = "&"
	}
	location += join + characters.Query(query)
	if fragmented {
		location += "#" + fragment
	}
	return location
}

// What is percent-encoded besides controls, spaces and bytes beyond ASCII.
const (
	unsafeText  = "\"<>\\^`"
	unsafePath  = unsafeText + "{|}?#"
	unsafeQuery = unsafePath + "&+"
)

// escaped percent-encodes what may not stand in a URL, and the bytes in unsafe.
func escaped(text, unsafe string) string {
	clean := func(c byte) bool { return ' ' < c && c < 0x7f && strings.IndexByte(unsafe, c) < 0 }
	i := 0
	for i < len(text) && clean(text[i]) {
		i++
	}
	if i == len(text) {
		return text
	}
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; clean(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
