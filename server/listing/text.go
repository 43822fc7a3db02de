package listing

import (
	"strconv"
	"unicode/utf8"
)

// appendHTML appends s as text or as a value in double quotes. What is not UTF-8 in it, and NUL, which HTML cannot hold,
// become U+FFFD.
func appendHTML(b []byte, s string) []byte {
	clean := 0 // s[clean:i] needs nothing done
	for i := 0; i < len(s); {
		instead, width := "", 1
		switch c := s[i]; {
		case c == '&':
			instead = "&amp;"
		case c == '<':
			instead = "&lt;"
		case c == '>':
			instead = "&gt;"
		case c == '"':
			instead = "&#34;"
		case c == '\'':
			instead = "&#39;"
		case c == 0:
			instead = "\uFFFD"
		case c >= utf8.RuneSelf:
			var r rune
			if r, width = utf8.DecodeRuneInString(s[i:]); r == utf8.RuneError && width == 1 {
				instead = "\uFFFD"
			}
		}
		if instead != "" {
			b = append(append(b, s[clean:i]...), instead...)
			clean = i + width
		}
		i += width
	}
	return append(b, s[clean:]...)
}

// appendEscaped appends s as one segment of a relative URL: all but letters, digits and -._~ percent-encoded (RFC 3986 §2.3),
// colons too, so that no name is taken for a scheme such as javascript.
func appendEscaped(b []byte, s string) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~':
			b = append(b, c)
		default:
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return b
}

// appendSize appends a number of bytes as people read it: 1023 B, 1.00 KiB.
func appendSize(b []byte, size int64) []byte {
	if size < 1<<10 {
		return append(strconv.AppendInt(b, size, 10), " B"...)
	}
	units := [...]string{" KiB", " MiB", " GiB", " TiB", " PiB"}
	value, unit := float64(size)/(1<<10), 0
	for value >= 1<<10 && unit < len(units)-1 {
		value, unit = value/(1<<10), unit+1
	}
	return append(strconv.AppendFloat(b, value, 'f', 2, 64), units[unit]...)
}
