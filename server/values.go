package server

import (
	"fmt"
	"log/slog"
	"maps"
	"math"
	"mime"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The types of options, for flags and variables alike: Set reads what a user wrote, String writes it back. The error of
// Set says what is accepted; Words lists it where it can.

// LogLevel is the level from which on lines are logged.
type LogLevel string

func (l *LogLevel) Set(text string) error { return oneOf((*string)(l), text, l.Words()) }

// Words lists the levels, coarsest first.
func (l LogLevel) Words() []string { return []string{"error", "warn", "info", "debug", "trace"} }

func (l LogLevel) String() string { return string(l) }

// Level is the level's rank.
func (l LogLevel) Level() slog.Level {
	return []slog.Level{slog.LevelError, slog.LevelWarn, slog.LevelInfo, slog.LevelDebug, LevelTrace}[slices.Index(l.Words(), string(l))]
}

// LogFormat is how lines look: human is for people, json and logfmt for programs; auto is human, with colours on a terminal.
type LogFormat string

func (f *LogFormat) Set(text string) error {
	if text == "pretty" { // static-web-server's word
		text = "human"
	}
	return oneOf((*string)(f), text, f.Words())
}

func (f LogFormat) Words() []string { return []string{"auto", "human", "json", "logfmt"} }

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

// Charset says whether text is labelled as UTF-8: true or utf-8, false.
type Charset bool

func (c *Charset) Set(text string) error {
	switch strings.ToLower(text) {
	case "true", "utf-8", "utf8":
		*c = true
	case "false":
		*c = false
	default:
		return fmt.Errorf("not true, false or utf-8 (the only charset that is sent)")
	}
	return nil
}

func (c Charset) Words() []string { return []string{"true", "false", "utf-8"} }

func (c Charset) String() string { return strconv.FormatBool(bool(c)) }

// IsBoolFlag lets the flag stand without a value.
func (c *Charset) IsBoolFlag() bool { return true }

// Automatic is true, false, or empty where Rouse decides.
type Automatic string

func (a *Automatic) Set(text string) error {
	return oneOf((*string)(a), text, a.Words())
}

func (a Automatic) Words() []string { return []string{"true", "false"} }

func (a Automatic) String() string { return string(a) }

func (a *Automatic) IsBoolFlag() bool { return true }

// Or is the value, or otherwise what Rouse decided.
func (a Automatic) Or(otherwise bool) bool {
	if a == "" {
		return otherwise
	}
	return a == "true"
}

// ETag says how entity tags are made: true (from the file's state), content (from what it contains), or false (not).
type ETag string

func (e *ETag) Set(text string) error {
	return oneOf((*string)(e), text, e.Words())
}

func (e ETag) Words() []string { return []string{"true", "false", "content"} }

func (e ETag) String() string { return string(e) }

func (e *ETag) IsBoolFlag() bool { return true }

// Lane says whether replies are sent again from memory: auto (where that is the same), or off.
type Lane string

func (l *Lane) Set(text string) error {
	return oneOf((*string)(l), text, l.Words())
}

func (l Lane) Words() []string { return []string{"auto", "off"} }

func (l Lane) String() string { return string(l) }

// Landlock says whether the kernel confines the program to the files that its options name: auto (where it can), or off.
type Landlock string

func (l *Landlock) Set(text string) error {
	return oneOf((*string)(l), text, l.Words())
}

func (l Landlock) Words() []string { return []string{"auto", "off"} }

func (l Landlock) String() string { return string(l) }

// Level is how hard compression tries.
type Level string

func (l *Level) Set(text string) error {
	return oneOf((*string)(l), text, l.Words())
}

func (l Level) Words() []string { return []string{"fastest", "default", "best"} }

func (l Level) String() string { return string(l) }

// Format is how listings are written; its case does not matter.
type Format string

func (f *Format) Set(text string) error {
	return oneOf((*string)(f), strings.ToLower(text), f.Words())
}

func (f Format) Words() []string { return []string{"html", "json", "auto"} }

func (f Format) String() string { return string(f) }

// Archives are formats of archives: targz, tarzst, zip.
type Archives []string

func (a *Archives) Set(text string) error {
	*a = nil
	var words List
	words.Set(text)
	for _, word := range words {
		var one string
		if err := oneOf(&one, strings.ToLower(word), a.Words()); err != nil {
			return fmt.Errorf("%q is %w", word, err)
		}
		*a = append(*a, one)
	}
	return nil
}

func (a Archives) Words() []string { return []string{"targz", "tarzst", "zip"} }

func (a Archives) String() string { return strings.Join(a, ",") }

// AccessLogFormat is how the lines of requests look; auto is as the other lines.
type AccessLogFormat string

func (f *AccessLogFormat) Set(text string) error {
	return oneOf((*string)(f), text, f.Words())
}

func (f AccessLogFormat) Words() []string {
	return []string{"auto", "human", "json", "logfmt", "common", "combined"}
}

func (f AccessLogFormat) String() string { return string(f) }

// Mode is the permissions of a file, in octal: 660, 0660 or 0o660. Zero is none given.
type Mode uint32

func (m *Mode) Set(text string) error {
	n, err := strconv.ParseUint(strings.TrimPrefix(text, "0o"), 8, 32)
	if err != nil || n > 0o777 {
		return fmt.Errorf("not permissions in octal, such as 660, 0660 or 0o660")
	}
	*m = Mode(n)
	return nil
}

func (m Mode) String() string {
	if m == 0 {
		return ""
	}
	return fmt.Sprintf("%04o", uint32(m))
}

// Status is the status of an HTTP response, 200 to 599.
type Status int

func (s *Status) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n < 200 || n > 599 {
		return fmt.Errorf("not a status from 200 to 599")
	}
	*s = Status(n)
	return nil
}

func (s Status) String() string { return strconv.Itoa(int(s)) }

// Size is a number of bytes: 65536, 64K, 64KiB, 64M, 1G. All units are powers of 1024.
type Size int64

func (s *Size) Set(text string) error {
	digits := strings.TrimRight(text, "iBbKkMmGg")
	unit, known := map[string]int64{"": 1, "b": 1, "k": 1 << 10, "kb": 1 << 10, "kib": 1 << 10, "m": 1 << 20, "mb": 1 << 20, "mib": 1 << 20,
		"g": 1 << 30, "gb": 1 << 30, "gib": 1 << 30}[strings.ToLower(text[len(digits):])]
	n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 31)
	if err != nil || !known {
		return fmt.Errorf("not a size such as 65536, 64K, 32M or 1G")
	}
	*s = Size(int64(n) * unit)
	return nil
}

func (s Size) String() string {
	for _, unit := range []struct {
		bytes Size
		name  string
	}{{1 << 30, "G"}, {1 << 20, "M"}, {1 << 10, "K"}} {
		if s >= unit.bytes && s%unit.bytes == 0 {
			return strconv.FormatInt(int64(s/unit.bytes), 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MimeTypes are media types by extension, in lower case and with the dot.
type MimeTypes map[string]string

func (m *MimeTypes) Set(text string) error {
	*m = MimeTypes{}
	var words List
	words.Set(text)
	for _, word := range words {
		extension, value, ok := strings.Cut(word, "=")
		_, _, err := mime.ParseMediaType(value)
		if !ok || err != nil || !strings.Contains(value, "/") || len(strings.TrimPrefix(extension, ".")) == 0 {
			return fmt.Errorf("%q is not .EXT=TYPE, such as .glb=model/gltf-binary", word)
		}
		(*m)["."+strings.ToLower(strings.TrimPrefix(extension, "."))] = value
	}
	return nil
}

func (m MimeTypes) String() string {
	words := make(List, 0, len(m))
	for _, extension := range slices.Sorted(maps.Keys(m)) {
		words = append(words, extension+"="+m[extension])
	}
	return words.String()
}

// Networks are addresses and prefixes (CIDR) separated by commas.
type Networks []netip.Prefix

func (n *Networks) Set(text string) error {
	*n = nil
	var words List
	words.Set(text)
	for _, word := range words {
		prefix, err := netip.ParsePrefix(word)
		if address, bare := netip.ParseAddr(word); bare == nil {
			prefix, err = address.Unmap().WithZone("").Prefix(address.Unmap().BitLen())
		}
		if err != nil {
			return fmt.Errorf("%q is not an IP address or a prefix such as 10.0.0.0/8", word)
		}
		*n = append(*n, prefix.Masked())
	}
	return nil
}

func (n Networks) String() string {
	words := make(List, len(n))
	for i, prefix := range n {
		words[i] = prefix.String()
	}
	return words.String()
}

// Order is static-web-server's number for the order of listings: 0 to 5, anything else is unsorted.
type Order uint8

func (o *Order) Set(text string) error {
	n, err := strconv.ParseUint(text, 10, 8)
	if err != nil {
		return fmt.Errorf("not a number from 0 to %d: 0/1 name, 2/3 time, 4/5 size", math.MaxUint8)
	}
	*o = Order(n)
	return nil
}

func (o Order) String() string { return strconv.Itoa(int(o)) }
