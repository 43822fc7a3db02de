package accept

import (
	"net/http"
	"slices"
	"strings"
)

// AddVary says that a reply depends on a request field, whose name is in lower case (RFC 9110 §12.5.5). What others have said
// stays, on one line.
func AddVary(header http.Header, name string) {
	fields := header["Vary"]
	for _, field := range fields {
		for element := range strings.SplitSeq(field, ",") {
			if element = strings.TrimSpace(element); element == "*" || strings.EqualFold(element, name) {
				return
			}
		}
	}
	header.Set("Vary", strings.Join(append(slices.Clone(fields), name), ", "))
}
