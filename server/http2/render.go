package http2

import (
	"net/http"
	"slices"
	"strings"
)

// sortedNames returns the names of a header in net/http's order.
func sortedNames(header http.Header) []string {
	names := make([]string, 0, len(header))
	for name := range header {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// fields renders the named fields of a header without those left out. What HTTP/2 cannot say is left out, too (RFC 9113 §8.2).
func (e *encoder) fields(header http.Header, names []string, without ...string) {
	for _, name := range names {
		lower := strings.ToLower(name)
		if slices.Contains(without, name) || !isFieldName(lower) {
			continue
		}
		for _, value := range header[name] {
			if isFieldValue(value) && (lower != "transfer-encoding" || value == "trailers") {
				e.field(lower, value)
			}
		}
	}
}
