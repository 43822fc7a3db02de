package install

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/coreos/go-systemd/v22/unit"
)

// specifiers has systemd take a value as it stands: % begins a specifier (systemd.unit(5)).
func specifiers(value string) string { return strings.ReplaceAll(value, "%", "%%") }

// commandLine is ExecStart= for a program and its arguments (systemd.service(5), "Command lines"). A long one has a line for each
// argument that does not fit.
func commandLine(program string, arguments []string) (string, error) {
	if !plainPath(program) {
		return "", Problem{Text: fmt.Sprintf("systemd starts no program whose path has quotes, backslashes or control characters: %q", program)}
	}
	line, width := quotedWord(specifiers(program)), len(program)
	for _, argument := range arguments {
		if strings.ContainsRune(argument, 0) {
			return "", Problem{Usage: true, Text: fmt.Sprintf("an argument cannot have a zero byte: %q", argument)}
		}
		word := quotedWord(strings.ReplaceAll(specifiers(argument), "$", "$$"))
		if len(word) > unit.SYSTEMD_LINE_MAX-10 {
			return "", Problem{Usage: true, Text: fmt.Sprintf("an argument is too long for a unit (%d bytes, of %d): put it into a script, and that behind --", len(word), unit.SYSTEMD_LINE_MAX-10)}
		}
		if width += 1 + len(word); width > 110 {
			line, width = line+nextLine+word, 4+len(word)
			continue
		}
		line += " " + word
	}
	return line, nil
}

// nextLine goes on with a command in the next line.
const nextLine = " \\\n    "

// plainPath is what systemd asks of a program's path (string_is_safe in its source).
func plainPath(path string) bool {
	return utf8.ValidString(path) && !strings.ContainsFunc(path, func(r rune) bool {
		return r == '"' || r == '\'' || r == '\\' || unicode.IsControl(r)
	})
}

// quotedWord is one word for systemd, in quotes where it has to be.
func quotedWord(word string) string {
	if word != "" && strings.Trim(word, plainCharacters) == "" {
		return word
	}
	var b strings.Builder
	b.WriteByte('"')
	for i, r := range word {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == utf8.RuneError && !strings.HasPrefix(word[i:], string(utf8.RuneError)), r < ' ', r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, word[i]) // one byte: the loop goes on behind it
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// plainCharacters stand for themselves. Not so # and ;, which begin a comment also in a continued line.
const plainCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:,=+@%$^~{}[]()?*&|<>!"

// boundPath is a path in BindReadOnlyPaths=, where a colon would begin the place that it is seen at.
func boundPath(path string) (string, error) {
	if strings.ContainsFunc(path, unicode.IsControl) || !utf8.ValidString(path) {
		return "", Problem{Text: fmt.Sprintf("systemd cannot show the service a path with control characters: %q", path)}
	}
	if strings.Trim(path, strings.ReplaceAll(plainCharacters, ":", "")) == "" {
		return specifiers(path), nil
	}
	return specifiers(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path) + `"`), nil
}
