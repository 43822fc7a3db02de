package server

import (
	"maps"
	"net/http"
	"net/netip"
	"strings"

	"github.com/rouse-server/rouse/server/hostname"
)

// strictTransport is two years, as hstspreload.org asks for.
const strictTransport = "max-age=63072000; includeSubDomains; preload"

// securityHeaders sets headers that keep browsers from doing more than was meant, on every reply; what is inside may change
// them. Unless the option says otherwise it does so over TLS. untrusted tells of a request that its certificate is one that
// browsers do not know, such as the development certificate; nil is never.
func securityHeaders(c Config, untrusted func(*http.Request) bool) link {
	fixed := http.Header{
		"X-Frame-Options":         {"DENY"},
		"X-Content-Type-Options":  {"nosniff"},
		"Content-Security-Policy": {"frame-ancestors 'self'"},
		"Referrer-Policy":         {"strict-origin-when-cross-origin"},
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c.SecurityHeaders.Or(r.TLS != nil) {
				header := w.Header()
				maps.Copy(header, fixed) // whose values nobody changes, since each fills its slice
				if r.TLS != nil && canBeStrict(r.Host) && (untrusted == nil || !untrusted(r)) {
					header.Set("Strict-Transport-Security", strictTransport)
				}
			}
			next.ServeHTTP(w, r)
		})
	}
}

// canBeStrict tells whether a browser may be told to speak only TLS with the host from now on. RFC 6797 §8.1.1 leaves IP
// addresses out; with localhost it would reach every other server that is being developed there.
func canBeStrict(host string) bool {
	name := hostname.Canonical(host)
	_, err := netip.ParseAddr(name)
	return err != nil && name != "" && name != "localhost" && !strings.HasSuffix(name, ".localhost")
}
