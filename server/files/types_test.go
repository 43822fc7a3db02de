package files

import (
	"mime"
	"strings"
	"testing"
)

func TestContentType(t *testing.T) {
	for name, want := range map[string]string{
		"a.html": "text/html; charset=utf-8", "A.HTML": "text/html; charset=utf-8", "a.htm": "text/html; charset=utf-8",
		"a.txt": "text/plain; charset=utf-8", "a.md": "text/markdown; charset=utf-8", "a.csv": "text/csv; charset=utf-8",
		"a.ics": "text/calendar; charset=utf-8", "a.xml": "text/xml; charset=utf-8",
		"a.css": "text/css", "a.js": "text/javascript", "a.mjs": "text/javascript", "a.json": "application/json", "a.js.map": "application/json",
		"a.wasm": "application/wasm", "a.webmanifest": "application/manifest+json", "a.svg": "image/svg+xml", "a.ico": "image/vnd.microsoft.icon",
		"a.avif": "image/avif", "a.webp": "image/webp", "a.jxl": "image/jxl", "a.JPG": "image/jpeg", "a.woff2": "font/woff2", "a.ttf": "font/ttf",
		"a.mp4": "video/mp4", "a.webm": "video/webm", "a.ts": "video/mp2t", "a.m3u8": "application/vnd.apple.mpegurl", "a.mp3": "audio/mpeg", "a.opus": "audio/ogg",
		"a.pdf": "application/pdf", "a.zip": "application/zip", "a.tar.gz": "application/gzip", "a.tgz": "application/gzip", "a.tar": "application/x-tar",
		"a.yaml": "application/yaml", "a.toml": "application/toml", "a.atom": "application/atom+xml", "a.rss": "application/rss+xml",
		"a.xhtml": "application/xhtml+xml", "a.go": "text/plain; charset=utf-8", "a.epub": "application/epub+zip", "a.pem": "application/x-pem-file",
		"a.sqlite": "application/vnd.sqlite3", "a.glb": "model/gltf-binary",
		"README": "application/octet-stream", "a.unknown": "application/octet-stream", "a.": "application/octet-stream", "a.html.br": "application/octet-stream",
		"html": "application/octet-stream", "": "application/octet-stream",
	} {
		if got := contentType(name); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}

// Every type is well-formed, and exactly the six of text get a charset.
func TestContentTypesAreWellFormed(t *testing.T) {
	extensions := []string{
		"html", "txt", "md", "csv", "ics", "xml", "css", "js", "tsv", "vcf", "vtt", "ttl", "go", "json", "jsonld", "geojson", "jsonl", "yaml", "xsl", "dtd",
		"png", "heic", "psd", "otf", "eot", "flac", "mid", "mkv", "mpd", "gltf", "stl", "doc", "docx", "xlsx", "pptx", "odt", "eml", "7z", "deb", "exe", "iso", "crt", "sig",
	}
	charset := map[string]bool{"text/calendar": true, "text/csv": true, "text/html": true, "text/markdown": true, "text/plain": true, "text/xml": true}
	for _, extension := range extensions {
		got := contentType("a." + extension)
		mediaType, parameters, err := mime.ParseMediaType(got)
		if err != nil || mediaType == "application/octet-stream" || strings.Count(mediaType, "/") != 1 {
			t.Errorf("%s is %q, %v", extension, got, err)
		}
		if (parameters["charset"] == "utf-8") != charset[mediaType] {
			t.Errorf("%s is %q", extension, got)
		}
	}
}
