package compress

import "strings"

// Compressible tells whether a body of this media type usually shrinks. Parameters and case do not matter.
func Compressible(mediaType string) bool {
	mediaType, _, _ = strings.Cut(mediaType, ";")
	mediaType = strings.ToLower(trim(mediaType))
	kind, name, _ := strings.Cut(mediaType, "/")
	switch kind {
	case "":
		return false
	case "text":
		return true
	case "font":
		return name != "woff2" // is brotli inside
	}
	switch mediaType {
	case "application/csv", "application/graphql", "application/javascript", "application/json", "application/rtf",
		"application/sql", "application/x-yaml", "application/xml", "application/yaml", "application/wasm",
		"application/font-sfnt", "application/vnd.ms-fontobject",
		"image/x-icon", "image/vnd.microsoft.icon":
		return true
	}
	switch name[strings.LastIndexByte(name, '+')+1:] { // the structured syntax suffix, RFC 6838 §4.2.8
	case name:
		return false
	case "json", "xml", "yaml", "svg":
		return true
	}
	return false
}
