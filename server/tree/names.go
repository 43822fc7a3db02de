package tree

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// allowed reports whether a name may be opened: it is well-formed, and none of its parts is hidden.
func (t *Tree) allowed(name string) bool {
	if name == "." {
		return true
	}
	first := true
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." || odd(part) {
			return false
		}
		if !t.options.Hidden && hidden(part) && !(first && part == wellKnown) {
			return false
		}
		first = false
	}
	return true
}

// wellKnown is visible at the root: certificates are proven and policies published there (RFC 8615).
const wellKnown = ".well-known"

// odd reports whether a name occurs in attacks only: with control characters (NUL among them) or backslashes in it, or that
// by which macOS reaches what is beside a file's content. Names need not be UTF-8.
func odd(name string) bool {
	for i := range len(name) {
		if c := name[i]; c < ' ' || c == 0x7f || c == '\\' {
			return true
		}
	}
	return name == "..namedfork"
}

// hidden reports whether a name begins with a dot, also for file systems that overlook invisible characters (HFS+, ext4
// with casefold): for them U+200C followed by ".git" is .git (CVE-2014-9390).
func hidden(name string) bool {
	if name[0] < utf8.RuneSelf {
		return name[0] == '.'
	}
	visible := strings.TrimLeftFunc(name, func(c rune) bool {
		return unicode.In(c, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
	})
	return strings.HasPrefix(visible, ".")
}
