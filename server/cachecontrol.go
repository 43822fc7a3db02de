package server

import (
	"path"
	"strings"
)

// cacheControl is how long a file may be kept unasked, by the extension in the URL's path, as static-web-server 2 has it:
// what is usually fetched anew an hour, what usually has a version in its name a year, all else a day.
func cacheControl(urlPath string) string {
	switch strings.ToLower(strings.TrimPrefix(path.Ext(urlPath), ".")) {
	case "atom", "json", "rss", "xml":
		return "max-age=3600"
	case "avif", "bmp", "bz2", "css", "doc", "gif", "gz", "htc", "ico", "jpeg", "jpg", "js", "jxl", "map", "mjs", "mp3", "mp4", "ogg",
		"ogv", "pdf", "png", "rar", "rtf", "tar", "tgz", "wav", "weba", "webm", "webp", "woff", "woff2", "zip":
		return "max-age=31536000"
	}
	return "max-age=86400"
}
