package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// printable writes control characters, line breaks among them, as Go writes them in strings: what stands in a variable or
// a file's name must neither break a line nor steer a terminal.
func printable(text string) string {
	var b strings.Builder
	for _, r := range text {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRune(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}

// printableMessages makes the messages of human lines printable; their handler does it for attributes alone.
type printableMessages struct{ slog.Handler }

func (p printableMessages) Handle(ctx context.Context, r slog.Record) error {
	r.Message = printable(r.Message)
	return p.Handler.Handle(ctx, r)
}

func (p printableMessages) WithAttrs(attrs []slog.Attr) slog.Handler {
	return printableMessages{p.Handler.WithAttrs(attrs)}
}

func (p printableMessages) WithGroup(name string) slog.Handler {
	return printableMessages{p.Handler.WithGroup(name)}
}

// printableJSON escapes what JSON allows and terminals obey: DEL, the control characters from U+0080 on, marks that turn the
// direction of writing. In JSON, what is not ASCII stands in strings only.
type printableJSON struct{ to io.Writer }

func (p printableJSON) Write(line []byte) (int, error) {
	if !strings.ContainsFunc(string(line), hidden) {
		return p.to.Write(line)
	}
	safe := make([]byte, 0, 2*len(line))
	for _, r := range string(line) {
		switch {
		case !hidden(r):
			safe = utf8.AppendRune(safe, r)
		case r > 0xffff: // as a surrogate pair (RFC 8259 §7)
			safe = fmt.Appendf(safe, `\u%04x\u%04x`, 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff)
		default:
			safe = fmt.Appendf(safe, `\u%04x`, r)
		}
	}
	if _, err := p.to.Write(safe); err != nil {
		return 0, err
	}
	return len(line), nil
}

func hidden(r rune) bool { return r > '~' && !unicode.IsPrint(r) }
