package compress

import "testing"

func TestCompressible(t *testing.T) {
	t.Parallel()
	for mediaType, want := range map[string]bool{
		"text/html; charset=utf-8":      true,
		"TEXT/Plain":                    true,
		"text/css":                      true,
		"text/anything":                 true,
		"image/svg+xml":                 true,
		"application/ld+json":           true,
		"application/manifest+json":     true,
		"application/atom+xml; a=b":     true,
		"application/openapi+yaml":      true,
		"image/x+svg":                   true,
		"application/csv":               true,
		"application/graphql":           true,
		"application/javascript":        true,
		"application/json":              true,
		"application/rtf":               true,
		"application/sql":               true,
		"application/x-yaml":            true,
		"application/xml":               true,
		"application/yaml":              true,
		"application/wasm":              true,
		"application/font-sfnt":         true,
		"application/vnd.ms-fontobject": true,
		"font/ttf":                      true,
		"font/woff":                     true,
		"image/x-icon":                  true,
		"image/vnd.microsoft.icon":      true,
		"font/woff2":                    false,
		"Font/WOFF2; x=y":               false,
		"image/png":                     false,
		"image/jpeg":                    false,
		"video/mp4":                     false,
		"application/zip":               false,
		"application/octet-stream":      false,
		"application/pdf":               false,
		"application/xhtml":             false,
		"application/jsonp+zip":         false,
		"application/json+zip":          false,
		"application/+json":             true,
		"json":                          false,
		"+json":                         false,
		"":                              false,
		"/":                             false,
	} {
		if got := Compressible(mediaType); got != want {
			t.Errorf("%q: %t", mediaType, got)
		}
	}
}

func TestExtension(t *testing.T) {
	t.Parallel()
	for c, want := range map[Coding]string{Zstd: ".zst", Brotli: ".br", Gzip: ".gz", Deflate: "", "identity": ""} {
		if got := Extension(c); got != want {
			t.Errorf("%s: %q", c, got)
		}
	}
}
