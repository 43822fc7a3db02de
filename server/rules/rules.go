// Package rules is what a site's owner says about paths: redirects, rewrites, headers and early hints, found by compiled
// patterns; also as the files _headers and _redirects of Netlify and Cloudflare Pages.
package rules

// Header is an entry of [[advanced.headers]]: every response whose path matches Source gets these headers, in the place of
// those it had. Here * crosses slashes.
type Header struct {
	Source  string            `toml:"source"`
	Headers map[string]string `toml:"headers"`
}

// Redirect is an entry of [[advanced.redirects]]: the first one whose Source matches answers with a redirect.
type Redirect struct {
	Host        string `toml:"host"` // the Host header as sent, or empty for any
	Source      string `toml:"source"`
	Destination string `toml:"destination"` // $0 is the path, $1 to $9 the captures
	Kind        int    `toml:"kind"`        // 301, 302, 303, 307 or 308
}

// Rewrite is an entry of [[advanced.rewrites]]: the first one whose Source matches replaces the path.
type Rewrite struct {
	Source      string `toml:"source"`
	Destination string `toml:"destination"` // an absolute URL chooses another virtual host
	Redirect    int    `toml:"redirect"`    // 301 or 302: answer with a redirect instead; 0: do not
}

// EarlyHint is an entry of [[advanced.early-hints]]: a page whose path matches Source is preceded by 103 with these Link
// fields (RFC 8297). Here, too, * crosses slashes.
type EarlyHint struct {
	Source string   `toml:"source"`
	Links  []string `toml:"links"`
}
