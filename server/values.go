package server

import (
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The types of options, for flags and variables alike: Set reads what a user wrote, String writes it back. The error of
// Set says what is accepted.

// LogLevel is the level from which on lines are logged.
type LogLevel string

func (l *LogLevel) Set(text string) error { return oneOf((*string)(l), text, LogLevels()) }

func (l LogLevel) String() string { return string(l) }

// LogLevels lists the levels, coarsest first.
func LogLevels() []string { return []string{"error", "warn", "info", "debug", "trace"} }

// Level is the level's rank.
func (l LogLevel) Level() slog.Level {
	return []slog.Level{slog.LevelError, slog.LevelWarn, slog.LevelInfo, slog.LevelDebug, LevelTrace}[slices.Index(LogLevels(), string(l))]
}

// LogFormat is how lines look: human is for people, json and logfmt for programs; auto is human, with colours on a terminal.
type LogFormat string

func (f *LogFormat) Set(text string) error {
	if text == "pretty" { // static-web-server's word
		text = "human"
	}
	return oneOf((*string)(f), text, []string{"auto", "human", "json", "logfmt"})
}

func (f LogFormat) String() string { return string(f) }

func oneOf(to *string, text string, words []string) error {
	if !slices.Contains(words, text) {
		return fmt.Errorf("not one of %s", strings.Join(words, ", "))
	}
	*to = text
	return nil
}

// Duration is a time span: 90s, 5m, 1h30m, 5min, or a bare number of seconds.
type Duration time.Duration

func (d *Duration) Set(text string) error {
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		*d = Duration(time.Duration(n) * time.Second)
		return nil
	}
	span, err := time.ParseDuration(strings.ReplaceAll(text, "min", "m"))
	if err != nil || span < 0 {
		return fmt.Errorf("not a time span such as 30s, 5m or 1h; a bare number is seconds")
	}
	*d = Duration(span)
	return nil
}

// limit is the span as a time limit. 0 is none: so long that nobody sees its end.
func (d Duration) limit() time.Duration {
	if d == 0 {
		return 100 * 365 * 24 * time.Hour
	}
	return time.Duration(d)
}

func (d Duration) String() string {
	text := time.Duration(d).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	return text
}

// Seconds is a whole number of seconds up to 255, as static-web-server's grace period.
type Seconds uint8

func (s *Seconds) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, 8)
	if err != nil {
		return fmt.Errorf("not a whole number of seconds from 0 to %d", math.MaxUint8)
	}
	*s = Seconds(n)
	return nil
}

func (s Seconds) String() string { return strconv.Itoa(int(s)) }

// Number is a descriptor number or index that may be absent.
type Number struct {
	Value uint
	Given bool
}

func (n *Number) Set(text string) error {
	value, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return fmt.Errorf("not a number from 0 on")
	}
	*n = Number{uint(value), true}
	return nil
}

func (n Number) String() string {
	if !n.Given {
		return ""
	}
	return strconv.FormatUint(uint64(n.Value), 10)
}

// Port is a TCP port. It is decimal: 0443 is 443.
type Port uint16

func (p *Port) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		return fmt.Errorf("not a number from 0 to 65535")
	}
	*p = Port(n)
	return nil
}

func (p Port) String() string { return strconv.Itoa(int(p)) }

// List is words separated by commas.
type List []string

func (l *List) Set(text string) error {
	*l = nil
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			*l = append(*l, word)
		}
	}
	return nil
}

func (l List) String() string { return strings.Join(l, ",") }

// Host is an IP address or a host name.
type Host string

func (h *Host) Set(text string) error {
	if !validHost(text) {
		return fmt.Errorf("not an IP address (IPv6 without brackets) or host name")
	}
	*h = Host(text)
	return nil
}

func (h Host) String() string { return string(h) }

// Hosts is hosts separated by commas.
type Hosts []Host

func (h *Hosts) Set(text string) error {
	*h = nil
	var words List
	words.Set(text)
	for _, word := range words {
		var host Host
		if err := host.Set(word); err != nil {
			return fmt.Errorf("%q is %w", word, err)
		}
		*h = append(*h, host)
	}
	return nil
}

func (h Hosts) String() string {
	words := make(List, len(h))
	for i, host := range h {
		words[i] = string(host)
	}
	return words.String()
}

// Addresses is addresses of sockets separated by spaces or commas.
type Addresses []string

func (a *Addresses) Set(text string) error {
	*a = strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
	return nil
}

func (a Addresses) String() string { return strings.Join(a, " ") }
