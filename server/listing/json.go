package listing

import (
	"encoding/json"
	"strconv"
	"time"
)

// writeJSON writes an array with one object for each row, as static-web-server does: name, mtime (empty when unknown), size
// of files only, type.
func writeJSON(b *body, rows []row) {
	b.b = append(b.b, '[')
	for i, entry := range rows {
		if i > 0 {
			b.b = append(b.b, ',')
		}
		b.b = appendObject(b.b, entry)
		if !b.room() {
			return
		}
	}
	b.b = append(b.b, ']')
}

func appendObject(b []byte, entry row) []byte {
	b = append(b, `{"name":`...)
	b = appendString(b, entry.Name)
	b = append(b, `,"mtime":"`...)
	if !entry.Modified.IsZero() {
		b = entry.Modified.UTC().AppendFormat(b, time.RFC3339) // whole seconds
	}
	if entry.Directory {
		return append(b, `","type":"directory"}`...)
	}
	b = append(b, `","size":`...)
	b = strconv.AppendInt(b, entry.Size, 10)
	return append(b, `,"type":"file"}`...)
}

// appendString appends s as a JSON string. What is not UTF-8 in it becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(s) // a string has no errors
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
