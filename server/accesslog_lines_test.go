package server

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

func entry() *AccessEntry {
	return &AccessEntry{
		Begun: time.Date(2026, 11, 2, 5, 48, 15, 0, time.FixedZone("", -3*3600-1800)), Duration: 3210 * time.Microsecond,
		Client: "192.0.2.1", Method: "GET", URI: "/a?b=c", Protocol: "HTTP/1.1", Status: 200, Bytes: 1234,
		Host: "example.com", UserAgent: `Mozilla/5.0 (X; "y")`, Referer: "http://x/",
	}
}

// Programs that read Apache's and nginx's logs read ours.
func TestCommonAndCombined(t *testing.T) {
	t.Parallel()
	const common = `192.0.2.1 - - [02/Nov/2026:05:48:15 -0330] "GET /a?b=c HTTP/1.1" 200 1234`
	e := entry()
	if got := string(e.AppendCommon(nil)); got != common {
		t.Errorf("common: %s", got)
	}
	if got := string(e.AppendCombined([]byte("x"))); got != "x"+common+` "http://x/" "Mozilla/5.0 (X; \"y\")"` {
		t.Errorf("combined: %s", got)
	}
	e.User, e.TLS, e.Status, e.Bytes, e.Referer, e.UserAgent, e.Client = "al ice", true, 304, 0, "", "", ""
	if got := string(e.AppendCombined(nil)); got != `- - al\x20ice [02/Nov/2026:05:48:15 -0330] "GET /a?b=c HTTP/1.1" 304 - "-" "-"` {
		t.Errorf("with little to say: %s", got)
	}
}

// A person finds what was asked and what came of it at a glance, on a terminal in columns.
func TestHuman(t *testing.T) {
	t.Parallel()
	e := entry()
	for _, c := range []struct {
		terminal, colours bool
		want              string
	}{
		{false, false, `GET 200 /a?b=c 1.2KB 3.2ms 192.0.2.1 HTTP/1.1 host="example.com" referer="http://x/" user_agent="Mozilla/5.0 (X; \"y\")"`},
		{true, false, `GET  200 /a?b=c                            1.2KB  3.2ms 192.0.2.1 HTTP/1.1`},
		{true, true, "GET  \x1b[32m200\x1b[0m /a?b=c                            1.2KB  3.2ms 192.0.2.1 HTTP/1.1"},
	} {
		if got := string(e.AppendHuman(nil, c.terminal, c.colours)); got != c.want {
			t.Errorf("terminal %t, colours %t:\n%s\nwant\n%s", c.terminal, c.colours, got, c.want)
		}
	}
	e = &AccessEntry{Client: "203.0.113.9", Proxy: "unix", User: "alice", Method: "OPTIONS", URI: "/ b", Protocol: "HTTP/2.0", TLS: true,
		Duration: 95 * time.Second, RealIP: "198.51.100.1", RealRemoteIP: "198.51.100.2", Aborted: true}
	if got, want := string(e.AppendHuman(nil, true, false)), `OPTIONS --- /\x20b                               0B  1m35s 203.0.113.9 HTTP/2.0+TLS aborted user="alice" proxy="unix" x_real_ip="198.51.100.1" real_remote_ip="198.51.100.2"`; got != want {
		t.Errorf("\n%s\nwant\n%s", got, want)
	}
	for status, colour := range map[int]string{204: "32", 304: "36", 404: "33", 500: "31", 0: "31"} {
		e.Status = status
		if got := string(e.AppendHuman(nil, true, true)); !strings.Contains(got, " \x1b["+colour+"m") {
			t.Errorf("%d: %q", status, got)
		}
	}
	for n, want := range map[int64]string{0: "0B", 999: "999B", 1000: "1.0KB", 9949: "9.9KB", 9960: "10KB", 999_499: "999KB", 999_500: "1.0MB", 5 << 40: "5.5TB", 5 << 50: "5629TB"} {
		if got := shortSize(n); got != want {
			t.Errorf("%d bytes: %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0s", 412_345: "412µs", 3_210_000: "3.2ms", 123_456_789: "123ms", 1_234_567_890: "1.2s", 95_400_000_000: "1m35s"} {
		if got := shortSpan(d); got != want {
			t.Errorf("%d: %s, want %s", d, got, want)
		}
	}
}

// What a client sends can neither end its field, nor the line, nor steer a terminal, nor fill the disk.
func TestEntryIsInjectionProof(t *testing.T) {
	t.Parallel()
	bad := "\x1b[2J\"\\\n\r\t\v\b\x00\x7f\u009b\u202e\xffü"
	const escaped = `\x1b[2J\"\\\n\r\t\v\b\x00\x7f\xc2\x9b\xe2\x80\xae\xff\xc3\xbc`
	e := &AccessEntry{Client: bad, User: bad, Method: bad, URI: bad, Protocol: "HTTP/1.1", Host: bad, UserAgent: bad, Referer: bad}
	for name, line := range map[string]string{
		"common":   string(e.AppendCommon(nil)),
		"combined": string(e.AppendCombined(nil)),
		"human":    string(e.AppendHuman(nil, false, false)),
		"terminal": string(e.AppendHuman(nil, true, false)),
	} {
		if regexp.MustCompile(`[^ -~]`).MatchString(line) || strings.Count(line, escaped) < 3 {
			t.Errorf("%s: %q", name, line)
		}
	}
	long := strings.Repeat("x", 64<<10)
	e = &AccessEntry{Client: "192.0.2.1", User: long, Method: "GET", URI: long, Protocol: "HTTP/1.1", Host: long, UserAgent: long, Referer: long}
	for _, line := range [][]byte{e.AppendCombined(nil), e.AppendHuman(nil, false, false), []byte(e.LogValue().String())} {
		if len(line) > 16<<10 {
			t.Errorf("a line of %d bytes", len(line))
		}
	}
}

// What a line costs, by its form.
func BenchmarkAccessEntry(b *testing.B) {
	e, line := entry(), make([]byte, 0, 1024)
	for name, appendTo := range map[string]func(){
		"combined": func() { line = e.AppendCombined(line[:0]) },
		"human":    func() { line = e.AppendHuman(line[:0], false, false) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				appendTo()
			}
		})
	}
}
