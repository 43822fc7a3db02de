package files

import (
	"path"
	"strings"
)

// mediaType is what Content-Type says for a file.
func (h *handler) mediaType(name string) string {
	mediaType, custom := h.MimeTypes[strings.ToLower(path.Ext(name))]
	if !custom {
		mediaType = contentType(name)
	}
	const charset = "; charset=utf-8"
	switch {
	case !h.Charset && !custom:
		return strings.TrimSuffix(mediaType, charset)
	case h.Charset && isText(mediaType):
		return mediaType + charset
	}
	return mediaType
}

// isText reports whether a type without parameters is one of the six that say their charset.
func isText(mediaType string) bool {
	switch strings.ToLower(mediaType) {
	case "text/calendar", "text/csv", "text/html", "text/markdown", "text/plain", "text/xml":
		return true
	}
	return false
}

// contentType is the media type that a file's last extension stands for, in any case. The names
// are those of IANA's registry, or what browsers expect where it has none; neither the machine's
// tables nor the content are asked, so that a file has the same type wherever it is served.
//
// The tables are switches, since a map would be filled at every start.
func contentType(name string) string {
	extension := strings.ToLower(path.Ext(name))
	for _, table := range [...]func(string) string{
		textType, dataType, pictureType, mediaType, documentType, archiveType,
	} {
		if t := table(extension); t != "" {
			return t
		}
	}
	return "application/octet-stream"
}

// MediaType is the media type that a file of this name is served with, unless the site says otherwise.
func MediaType(name string) string { return contentType(name) }

// textType knows text and source code.
func textType(extension string) string {
	switch extension {
	// These six say their charset: text is UTF-8 unless something in it says otherwise.
	case ".html", ".htm":
		return "text/html; charset=utf-8"
	case ".txt", ".text", ".log", ".conf", ".ini", ".cfg", ".properties", ".asc", ".nfo", ".srt", ".diff",
		".patch":
		return "text/plain; charset=utf-8"
	case ".md", ".markdown":
		return "text/markdown; charset=utf-8"
	case ".csv":
		return "text/csv; charset=utf-8"
	case ".ics", ".ifb":
		return "text/calendar; charset=utf-8"
	case ".xml":
		return "text/xml; charset=utf-8"
	case ".css":
		return "text/css"
	case ".js", ".mjs", ".cjs":
		return "text/javascript"
	case ".tsv":
		return "text/tab-separated-values"
	case ".vcf", ".vcard":
		return "text/vcard"
	case ".vtt":
		return "text/vtt"
	case ".ttl":
		return "text/turtle"
	// Source code is shown, not downloaded or run. (.ts is a video.)
	case ".c", ".h", ".cc", ".cpp", ".cxx", ".hh", ".hpp", ".cs", ".go", ".rs", ".zig", ".swift", ".java",
		".kt", ".scala", ".py", ".rb", ".pl", ".lua", ".sh", ".bash", ".zsh", ".fish", ".bat",
		".ps1", ".jsx", ".tsx", ".vue", ".scss", ".sass", ".less", ".sql", ".proto", ".nix", ".tex", ".bib",
		".rst", ".adoc", ".org":
		return "text/plain; charset=utf-8"
	}
	return ""
}

// dataType knows the families of JSON, YAML and XML.
func dataType(extension string) string {
	switch extension {
	// The JSON family, YAML and TOML.
	case ".json", ".map", ".har", ".topojson":
		return "application/json"
	case ".jsonld":
		return "application/ld+json"
	case ".geojson":
		return "application/geo+json"
	case ".webmanifest":
		return "application/manifest+json"
	case ".jsonl":
		return "application/jsonl"
	case ".ndjson":
		return "application/x-ndjson"
	case ".yaml", ".yml":
		return "application/yaml"
	case ".toml":
		return "application/toml"
	// The XML family.
	case ".xhtml", ".xht":
		return "application/xhtml+xml"
	case ".atom":
		return "application/atom+xml"
	case ".rss":
		return "application/rss+xml"
	case ".rdf":
		return "application/rdf+xml"
	case ".xsl", ".xslt":
		return "application/xslt+xml"
	case ".dtd":
		return "application/xml-dtd"
	case ".xsd", ".plist":
		return "application/xml"
	case ".ttml":
		return "application/ttml+xml"
	case ".gpx":
		return "application/gpx+xml"
	case ".kml":
		return "application/vnd.google-earth.kml+xml"
	case ".osdx":
		return "application/opensearchdescription+xml"
	}
	return ""
}

// pictureType knows images, fonts and models.
func pictureType(extension string) string {
	switch extension {
	// Images.
	case ".apng":
		return "image/apng"
	case ".avif":
		return "image/avif"
	case ".bmp":
		return "image/bmp"
	case ".gif":
		return "image/gif"
	case ".heic":
		return "image/heic"
	case ".heif":
		return "image/heif"
	case ".jp2":
		return "image/jp2"
	case ".jpg", ".jpeg", ".jpe", ".jfif":
		return "image/jpeg"
	case ".jxl":
		return "image/jxl"
	case ".ktx2":
		return "image/ktx2"
	case ".png":
		return "image/png"
	case ".svg":
		return "image/svg+xml"
	case ".tif", ".tiff":
		return "image/tiff"
	case ".psd":
		return "image/vnd.adobe.photoshop"
	case ".djvu", ".djv":
		return "image/vnd.djvu"
	case ".ico", ".cur":
		return "image/vnd.microsoft.icon"
	case ".webp":
		return "image/webp"
	// Fonts.
	case ".ttc":
		return "font/collection"
	case ".otf":
		return "font/otf"
	case ".ttf":
		return "font/ttf"
	case ".woff":
		return "font/woff"
	case ".woff2":
		return "font/woff2"
	case ".eot":
		return "application/vnd.ms-fontobject"
	// Three-dimensional models.
	case ".gltf":
		return "model/gltf+json"
	case ".glb":
		return "model/gltf-binary"
	case ".obj":
		return "model/obj"
	case ".mtl":
		return "model/mtl"
	case ".stl":
		return "model/stl"
	case ".3mf":
		return "model/3mf"
	case ".usdz":
		return "model/vnd.usdz+zip"
	}
	return ""
}

// mediaType knows sound and moving pictures.
func mediaType(extension string) string {
	switch extension {
	// Sound.
	case ".aac":
		return "audio/aac"
	case ".aif", ".aiff":
		return "audio/aiff"
	case ".flac":
		return "audio/flac"
	case ".mka":
		return "audio/matroska"
	case ".mid", ".midi":
		return "audio/midi"
	case ".m4a", ".m4b":
		return "audio/mp4"
	case ".mp3":
		return "audio/mpeg"
	case ".oga", ".ogg", ".opus":
		return "audio/ogg"
	case ".wav":
		return "audio/wav"
	case ".weba":
		return "audio/webm"
	case ".m3u":
		return "audio/x-mpegurl"
	// Moving pictures and their playlists.
	case ".3gp":
		return "video/3gpp"
	case ".mkv":
		return "video/matroska"
	case ".ts", ".m2ts":
		return "video/mp2t"
	case ".mp4", ".m4v":
		return "video/mp4"
	case ".mpg", ".mpeg":
		return "video/mpeg"
	case ".ogv":
		return "video/ogg"
	case ".mov", ".qt":
		return "video/quicktime"
	case ".webm":
		return "video/webm"
	case ".avi":
		return "video/x-msvideo"
	case ".wmv":
		return "video/x-ms-wmv"
	case ".flv":
		return "video/x-flv"
	case ".m4s":
		return "video/iso.segment"
	case ".m3u8":
		return "application/vnd.apple.mpegurl"
	case ".mpd":
		return "application/dash+xml"
	}
	return ""
}

// documentType knows documents, keys and certificates.
func documentType(extension string) string {
	switch extension {
	// Documents.
	case ".pdf":
		return "application/pdf"
	case ".ps", ".eps", ".ai":
		return "application/postscript"
	case ".rtf":
		return "application/rtf"
	case ".epub":
		return "application/epub+zip"
	case ".mobi":
		return "application/x-mobipocket-ebook"
	case ".doc":
		return "application/msword"
	case ".xls":
		return "application/vnd.ms-excel"
	case ".ppt":
		return "application/vnd.ms-powerpoint"
	case ".docx":
		return "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	case ".xlsx":
		return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	case ".pptx":
		return "application/vnd.openxmlformats-officedocument.presentationml.presentation"
	case ".odt":
		return "application/vnd.oasis.opendocument.text"
	case ".ods":
		return "application/vnd.oasis.opendocument.spreadsheet"
	case ".odp":
		return "application/vnd.oasis.opendocument.presentation"
	case ".odg":
		return "application/vnd.oasis.opendocument.graphics"
	case ".eml", ".mht", ".mhtml":
		return "message/rfc822"
	// Keys and certificates.
	case ".cer", ".crt", ".der":
		return "application/pkix-cert"
	case ".crl":
		return "application/pkix-crl"
	case ".p10", ".csr":
		return "application/pkcs10"
	case ".p12", ".pfx":
		return "application/pkcs12"
	case ".pem":
		return "application/x-pem-file"
	case ".sig":
		return "application/pgp-signature"
	}
	return ""
}

// archiveType knows archives, packages, programs and databases.
func archiveType(extension string) string {
	switch extension {
	// Archives and packages.
	case ".gz", ".tgz":
		return "application/gzip"
	case ".zip":
		return "application/zip"
	case ".zst":
		return "application/zstd"
	case ".bz2", ".tbz2":
		return "application/x-bzip2"
	case ".xz", ".txz":
		return "application/x-xz"
	case ".7z":
		return "application/x-7z-compressed"
	case ".tar":
		return "application/x-tar"
	case ".rar":
		return "application/vnd.rar"
	case ".jar", ".war":
		return "application/java-archive"
	case ".deb":
		return "application/vnd.debian.binary-package"
	case ".rpm":
		return "application/x-rpm"
	case ".apk":
		return "application/vnd.android.package-archive"
	case ".dmg":
		return "application/x-apple-diskimage"
	case ".iso":
		return "application/x-iso9660-image"
	case ".msi":
		return "application/x-msi"
	case ".exe", ".dll":
		return "application/vnd.microsoft.portable-executable"
	case ".xpi":
		return "application/x-xpinstall"
	case ".cab":
		return "application/vnd.ms-cab-compressed"
	case ".kmz":
		return "application/vnd.google-earth.kmz"
	// Programs and data.
	case ".wasm":
		return "application/wasm"
	case ".sqlite", ".sqlite3":
		return "application/vnd.sqlite3"
	case ".parquet":
		return "application/vnd.apache.parquet"
	case ".arrow":
		return "application/vnd.apache.arrow.file"
	case ".mvt":
		return "application/vnd.mapbox-vector-tile"
	case ".torrent":
		return "application/x-bittorrent"
	case ".mobileconfig":
		return "application/x-apple-aspen-config"
	}
	return ""
}
