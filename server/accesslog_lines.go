package server

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rouse-server/rouse/server/reply"
)

// AppendCommon appends the entry in the Common Log Format, as Apache writes it: %h %l %u %t "%r" %>s %b. The time is that of
// the request's arrival. There is no line break at the end.
func (e *AccessEntry) AppendCommon(b []byte) []byte {
	b = appendEscaped(b, dash(e.Client), " ")
	b = append(b, " - "...)
	b = appendEscaped(b, dash(atMost(e.User, longestField)), " ")
	if b = append(b, " ["...); e.begun != "" {
		b = append(b, e.begun...)
	} else {
		b = e.Begun.AppendFormat(b, reply.CommonLog)
	}
	b = append(b, `] "`...)
	b = append(appendEscaped(b, atMost(e.Method, longestField), " "), ' ')
	b = append(appendEscaped(b, atMost(e.URI, longestURI), " "), ' ')
	b = append(append(b, e.Protocol...), `" `...)
	b = append(appendNumber(b, int64(e.Status)), ' ')
	return appendNumber(b, e.Bytes)
}

// AppendCombined is AppendCommon with referer and user agent: "%{Referer}i" "%{User-agent}i".
func (e *AccessEntry) AppendCombined(b []byte) []byte {
	b = append(e.AppendCommon(b), ` "`...)
	b = appendEscaped(b, dash(atMost(e.Referer, longestField)), "")
	b = append(b, `" "`...)
	b = appendEscaped(b, dash(atMost(e.UserAgent, longestField)), "")
	return append(b, '"')
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// appendNumber writes - for 0, as Apache does.
func appendNumber(b []byte, n int64) []byte {
	if n == 0 {
		return append(b, '-')
	}
	return strconv.AppendInt(b, n, 10)
}

// appendEscaped writes what a client sent so that it can neither end its field nor the line, nor steer a terminal, as Apache
// does it (ap_escape_logitem): quotation marks and backslashes with a backslash, and all that is not printable ASCII, as well
// as the bytes in also, as \xhh or by its short form.
func appendEscaped(b []byte, text, also string) []byte {
	const short = "\b\n\r\t\v"
	plain := 0 // where what needs no escape began
	for i := range len(text) {
		c := text[i]
		if c > ' ' && c < 0x7f && c != '"' && c != '\\' || c == ' ' && also == "" {
			continue
		}
		b = append(b, text[plain:i]...)
		plain = i + 1
		at := strings.IndexByte(short, c)
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case at >= 0:
			b = append(b, '\\', "bnrtv"[at])
		default:
			b = fmt.Appendf(b, `\x%02x`, c)
		}
	}
	return append(b, text[plain:]...)
}

// AppendHuman appends the entry for people: method, status, URI, size, duration, client, protocol. On a terminal these are
// columns, and nothing but what is unusual follows; elsewhere one space stands between them and the other fields follow as
// name="value". There is no line break at the end.
func (e *AccessEntry) AppendHuman(b []byte, terminal, colours bool) []byte {
	var method, uri, size, span int // widths of columns
	if terminal {
		method, uri, size, span = 4, 32, 6, 6
	}
	begun := len(b)
	b = appendEscaped(b, atMost(e.Method, longestField), " ")
	b = append(padded(b, begun+method), ' ')
	b = append(e.appendStatus(b, colours), ' ')
	begun = len(b)
	b = appendEscaped(b, atMost(e.URI, longestURI), " ")
	b = append(padded(b, begun+uri), ' ')
	b = fmt.Appendf(b, "%*s %*s ", size, shortSize(e.Bytes), span, shortSpan(e.Duration))
	b = append(appendEscaped(b, e.Client, " "), ' ')
	b = append(b, e.protocol()...)
	if e.Aborted {
		b = append(b, " aborted"...)
	}
	return e.appendUnusual(b, terminal)
}

// padded adds spaces up to the length.
func padded(b []byte, length int) []byte {
	for len(b) < length {
		b = append(b, ' ')
	}
	return b
}

// appendStatus writes three characters: green, cyan, yellow or red by class.
func (e *AccessEntry) appendStatus(b []byte, colours bool) []byte {
	status := "---"
	if e.Status > 0 {
		status = strconv.Itoa(e.Status)
	}
	if !colours {
		return append(b, status...)
	}
	colour := 32
	switch {
	case e.Status >= http.StatusInternalServerError, e.Status == 0:
		colour = 31
	case e.Status >= http.StatusBadRequest:
		colour = 33
	case e.Status >= http.StatusMultipleChoices:
		colour = 36
	}
	return fmt.Appendf(b, "\x1b[%dm%s\x1b[0m", colour, status)
}

// appendUnusual writes the fields that have a value, as name=value.
func (e *AccessEntry) appendUnusual(b []byte, terminal bool) []byte {
	add := func(name, value string) {
		if value == "" {
			return
		}
		b = append(append(append(b, ' '), name...), `="`...)
		b = append(appendEscaped(b, atMost(value, longestField), ""), '"')
	}
	add("user", e.User)
	add("proxy", e.Proxy)
	add("x_real_ip", e.RealIP)
	add("real_remote_ip", e.RealRemoteIP)
	if !terminal {
		add("host", e.Host)
		add("referer", e.Referer)
		add("user_agent", e.UserAgent)
	}
	return b
}

// shortSize is a number of bytes for people, in powers of 1000.
func shortSize(n int64) string {
	value, unit := float64(n), 0
	for value >= 999.5 && unit < 4 {
		value, unit = value/1000, unit+1
	}
	digits := 0
	if unit > 0 && value < 9.95 {
		digits = 1
	}
	return strconv.FormatFloat(value, 'f', digits, 64) + []string{"B", "KB", "MB", "GB", "TB"}[unit]
}

// shortSpan is a time span for people: two digits or three of its unit.
func shortSpan(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return d.Round(time.Microsecond).String()
	case d < 10*time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}
