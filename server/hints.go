package server

import (
	"maps"
	"net/http"

	"github.com/rouse-server/rouse/server/reply"
)

// earlyHints sends 103 with the Link fields that links has for a page, so that a browser fetches what the page needs while
// it is on its way (RFC 8297). The final response carries them for everyone. HTTP/1.1 clients get only that: some take a 103
// for the response (RFC 8297 §3), and browsers use early hints over HTTP/2 only.
func earlyHints(links func(*http.Request) []string) link {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet || r.Method == http.MethodHead {
				if fields := links(r); len(fields) > 0 {
					if r.ProtoMajor >= 2 {
						reply.Forbid(w) // the hint would be lost
						if navigates(r) {
							hint(w, fields)
						}
					}
					header := w.Header()
					header["Link"] = append(header["Link"], fields...)
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}

// navigates tells whether a request is for a page to look at. Browsers say so in Sec-Fetch-Mode (Fetch Metadata).
func navigates(r *http.Request) bool {
	mode := r.Header.Get("Sec-Fetch-Mode")
	return r.Method == http.MethodGet && (mode == "" || mode == "navigate")
}

// hint sends the 103. Headers that are meant for the final response are put aside for it.
func hint(w http.ResponseWriter, fields []string) {
	header := w.Header()
	final := maps.Clone(header)
	clear(header)
	header["Link"] = fields
	w.WriteHeader(http.StatusEarlyHints)
	clear(header)
	maps.Copy(header, final)
}
