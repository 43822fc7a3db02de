package rules

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// Headers is the compiled [[advanced.headers]]. It may be used by many goroutines at a time.
type Headers struct {
	entries []headers
}

type headers struct {
	source  *Glob
	fields  []field
	doubled bool // the pattern is for the path of a folder's page as static-web-server has it: /dir//index.html
}

// field is a header as http.Header holds it: its name in canonical form, its value alone in a slice.
type field struct {
	name  string
	value []string
}

// NewHeaders compiles entries; the error is an *Error. Without entries it is nil: a nil *Headers sets nothing.
func NewHeaders(entries []Header) (*Headers, error) {
	if len(entries) == 0 {
		return nil, nil
	}
	hs := &Headers{}
	for i, entry := range entries {
		glob, err := compiled("headers", i, entry.Source, AcrossSegments)
		if err != nil {
			return nil, err
		}
		if len(entry.Headers) == 0 {
			return nil, &Error{"headers", i, "headers", errors.New(`missing; a table such as { X-Frame-Options = "DENY" } is wanted`)}
		}
		e := headers{source: glob, doubled: strings.Contains(entry.Source, "//")}
		given := map[string]string{}
		for _, name := range slices.Sorted(maps.Keys(entry.Headers)) {
			value := entry.Headers[name]
			if err := checkField(name, value); err != nil {
				return nil, &Error{"headers", i, "headers", err}
			}
			canonical := textproto.CanonicalMIMEHeaderKey(name)
			if other, twice := given[canonical]; twice {
				return nil, &Error{"headers", i, "headers", fmt.Errorf("%q and %q are the same header: leave one out", other, name)}
			}
			given[canonical] = name
			e.fields = append(e.fields, field{canonical, []string{strings.Trim(value, " \t")}})
		}
		hs.entries = append(hs.entries, e)
	}
	return hs, nil
}

// Apply sets the headers of all entries that match, in order; a later one replaces an earlier one. path is the decoded path
// of what is served, with the name of its page for a folder: /docs/index.html.
func (hs *Headers) Apply(h http.Header, path string) {
	if hs == nil || len(path) > maxPath {
		return
	}
	var doubled string
	for i := range hs.entries {
		e := &hs.entries[i]
		if !e.source.match(path) {
			if !e.doubled {
				continue
			}
			if doubled == "" {
				doubled = doubledSlash(path)
			}
			if !e.source.match(doubled) {
				continue
			}
		}
		for _, f := range e.fields {
			h[f.name] = f.value
		}
	}
}

// doubledSlash is /dir//index.html for /dir/index.html, but /index.html for itself.
func doubledSlash(path string) string {
	slash := strings.LastIndexByte(path, '/')
	if slash <= 0 {
		return path
	}
	return path[:slash] + path[slash:slash+1] + path[slash:]
}

// ofServer are headers that frame a response or its connection.
var ofServer = [...]string{"Connection", "Content-Length", "Keep-Alive", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

// checkField refuses what RFC 9110 §5 does not allow as a header, and headers that only the server can know.
func checkField(name, value string) error {
	token := func(c rune) bool {
		return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", c)
	}
	if name == "" || strings.ContainsFunc(name, func(c rune) bool { return !token(c) }) {
		return fmt.Errorf("%q is not the name of a header: letters, digits and - are accepted", name)
	}
	if slices.Contains(ofServer[:], textproto.CanonicalMIMEHeaderKey(name)) {
		return fmt.Errorf("%q is a header that only the server can set: leave it out", name)
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return fmt.Errorf("the value of %q has a control character, which no header can hold: %q", name, value)
		}
	}
	return nil
}
