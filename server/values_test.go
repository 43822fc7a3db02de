package server

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"
)

// value is what all option types have in common.
type value interface {
	Set(string) error
	String() string
}

// set checks that each text is taken and written back as it should be, and can be read again.
func set(t *testing.T, fresh func() value, texts map[string]string) {
	t.Helper()
	for text, want := range texts {
		v := fresh()
		if err := v.Set(text); err != nil {
			t.Errorf("%T %q: %v", v, text, err)
			continue
		}
		if v.String() != want {
			t.Errorf("%T %q is written %q, want %q", v, text, v.String(), want)
		}
		if err := fresh().Set(v.String()); err != nil {
			t.Errorf("%T: its own %q is not taken: %v", v, v.String(), err)
		}
	}
}

// refuse checks that each text is refused with a hint at what is accepted, and changes nothing.
func refuse(t *testing.T, fresh func() value, hint string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		v := fresh()
		before := v.String()
		if err := v.Set(text); err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("%T %q: %v", v, text, err)
		}
		if v.String() != before {
			t.Errorf("%T: %q was refused and changed it to %q", v, text, v.String())
		}
	}
}

// A user writes time spans as systemd, Go and nginx users do, or as a bare number of seconds.
func TestDuration(t *testing.T) {
	fresh := func() value { d := Duration(time.Hour); return &d }
	set(t, fresh, map[string]string{
		"0": "0s", "1": "1s", "90": "1m30s", "90s": "1m30s", "5m": "5m", "5min": "5m", "1h30min": "1h30m", "1h": "1h0m", "500ms": "500ms",
		"1.5s": "1.5s", "10m": "10m", "0s": "0s", "2147483647": "596523h14m7s",
	})
	refuse(t, fresh, "30s, 5m or 1h", "", "x", "-1", "-5s", "5 s", "1d", "1:30", "s", "99999999999", "1e3", "٣")
}

// The grace period is static-web-server's: whole seconds up to 255.
func TestSeconds(t *testing.T) {
	fresh := func() value { s := Seconds(7); return &s }
	set(t, fresh, map[string]string{"0": "0", "10": "10", "255": "255"})
	refuse(t, fresh, "from 0 to 255", "", "256", "-1", "1s", "1.5", "ten")
}

// --fd 0 is something else than no --fd.
func TestNumber(t *testing.T) {
	fresh := func() value { return &Number{} }
	set(t, fresh, map[string]string{"0": "0", "3": "3", "2147483647": "2147483647"})
	refuse(t, fresh, "from 0", "", "-1", "x", "3.0", "2147483648", "99999999999999999999")
	var n Number
	if n.Given || n.String() != "" {
		t.Errorf("unset it is %+v", n)
	}
	if n.Set("0"); !n.Given || n.Value != 0 {
		t.Errorf("set to 0 it is %+v", n)
	}
}

// Names of files may be listed with blanks after the commas, and an empty list is possible.
func TestList(t *testing.T) {
	for text, want := range map[string][]string{"": nil, "a": {"a"}, "a,b": {"a", "b"}, " a , b ,": {"a", "b"}, ",,": nil, "index page.html": {"index page.html"}} {
		l := List{"before"}
		if err := l.Set(text); err != nil || !slices.Equal(l, want) || l.String() != strings.Join(want, ",") {
			t.Errorf("%q: %q, %v", text, l, err)
		}
	}
}

// Hosts are checked when the server starts, not when the first visitor is sent to a place that does not exist.
func TestHosts(t *testing.T) {
	set(t, func() value { h := Host("before"); return &h }, map[string]string{"::": "::", "localhost": "localhost", "127.0.0.1": "127.0.0.1", "fe80::1%eth0": "fe80::1%eth0", "a-b_c.example": "a-b_c.example"})
	refuse(t, func() value { h := Host("before"); return &h }, "host name", "", "a b", "a:80", "[::1]", "http://a", "a/b", strings.Repeat("a", 254))
	set(t, func() value { return &Hosts{"before"} }, map[string]string{"": "", "a": "a", " a , ::1,": "a,::1"})
	var h Hosts
	if err := h.Set("a,b c"); err == nil || !strings.Contains(err.Error(), `"b c"`) {
		t.Errorf("%v", err)
	}
}

// Addresses are separated by blanks, commas or line ends.
func TestAddresses(t *testing.T) {
	for text, want := range map[string][]string{"": nil, "fd:3": {"fd:3"}, "fd:3,fd:4 fd:5\n\tfd:6": {"fd:3", "fd:4", "fd:5", "fd:6"}, "unix:/a%2Cb": {"unix:/a%2Cb"}} {
		a := Addresses{"before"}
		if err := a.Set(text); err != nil || !slices.Equal(a, want) || a.String() != strings.Join(want, " ") {
			t.Errorf("%q: %q, %v", text, a, err)
		}
	}
}

// The levels and formats have the names that the help gives, and each level the rank that slog knows.
func TestLogWords(t *testing.T) {
	levels := map[string]slog.Level{"error": slog.LevelError, "warn": slog.LevelWarn, "info": slog.LevelInfo, "debug": slog.LevelDebug, "trace": LevelTrace}
	last := slog.Level(100)
	for _, name := range LogLevel("").Words() {
		var l LogLevel
		if err := l.Set(name); err != nil || l.String() != name || l.Level() != levels[name] || l.Level() >= last {
			t.Errorf("%s: %q, %d, %v", name, l, l.Level(), err)
		}
		last = l.Level()
	}
	if len(levels) != len(LogLevel("").Words()) || LevelNotice <= slog.LevelError {
		t.Errorf("levels %q, notice %d", LogLevel("").Words(), LevelNotice)
	}
	refuse(t, func() value { l := LogLevel("info"); return &l }, "error, warn, info, debug, trace", "", "INFO", "warning", "fatal")
	set(t, func() value { f := LogFormat("auto"); return &f }, map[string]string{"auto": "auto", "human": "human", "json": "json", "logfmt": "logfmt", "pretty": "human"})
	refuse(t, func() value { f := LogFormat("auto"); return &f }, "auto, human, json, logfmt", "", "JSON", "text")
}

// The defaults are static-web-server 2's, which users of it rely on, and every one of them is a value that may be written.
func TestDefaults(t *testing.T) {
	d := Default()
	if d.Root != "./public" || d.Host != "::" || d.Port != 80 || d.LogLevel != "error" || d.GracePeriod != 0 || d.IdleExit != 0 || d.IndexFiles.String() != "index.html" || d.ListenFd.Given || len(d.Listen) > 0 || d.TLS {
		t.Errorf("%+v", d)
	}
	for _, v := range []value{&d.IndexFiles, &d.Host, &d.LogLevel, &d.LogFormat, &d.GracePeriod, &d.DrainTimeout, &d.IdleExit, &d.TLSHandshakeTimeout, &d.ClientHeaderTimeout, &d.ClientBodyTimeout, &d.KeepaliveTimeout, &d.SendTimeout} {
		text := v.String()
		if err := v.Set(text); err != nil || v.String() != text {
			t.Errorf("%T: %q becomes %q, %v", v, text, v.String(), err)
		}
	}
}
