package main

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// Everything that can be said to the program stands in its help, with its default, and fits a terminal of 120 columns.
func TestHelp(t *testing.T) {
	code, text, _ := rouse(t, nil, "help")
	if code != exitOK {
		t.Fatal(code)
	}
	for line := range strings.Lines(text) {
		if width := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); width > 120 {
			t.Errorf("%d columns: %s", width, line)
		}
		if strings.TrimRight(line, " \n") != strings.TrimSuffix(line, "\n") {
			t.Errorf("blanks at the end of %q", line)
		}
	}
	flat := strings.Join(strings.Fields(text), " ")
	for _, d := range documentedOptions() {
		expectWords(t, "the help", flat, d.spelled()+" "+strings.Join(strings.Fields(d.help), " "), d.section+":")
		if d.shown != "" && !d.boolean {
			expectWords(t, "the help", flat, "("+d.shown+")")
		}
	}
	s := defaults()
	for _, o := range s.options() {
		if o.means != "" && o.flag != "" {
			expectWords(t, "the help", flat, "--"+o.flag, spellingOf(o))
		}
	}
	for name := range commands() {
		expectWords(t, "the help", text, name)
	}
	expectWords(t, "the help", text, "SERVER_LISTEN_FD", "LISTEN_FDS", "launchd", "inetd", "HUP", "TERM", "78", "(./public)", "(10s)", "(1m)")
	for _, args := range [][]string{{"--help"}, {"-h"}, {"serve", "--help"}, {"sockets", "--help"}, {"serve", "--tls", "-h"}, {"help", "serve"}} {
		if _, again, _ := rouse(t, nil, args...); again != text {
			t.Errorf("%q shows another help", args)
		}
	}
}

// Long help lines go on beneath their beginning, and a word that is too long stays whole.
func TestWrap(t *testing.T) {
	for _, c := range []struct{ line, want string }{
		{"short", "short"},
		{"    aa bb cc dd", "    aa bb\n    cc dd"},
		{"    aaaaaaaaaaaaaa", "    aaaaaaaaaaaaaa"},
		{"    aa bbbbbbbbbbbb cc", "    aa\n    bbbbbbbbbbbb cc"},
	} {
		if got := wrap(c.line, 4, 10); got != c.want {
			t.Errorf("%q: %q, want %q", c.line, got, c.want)
		}
	}
}

// The version is one line that a bug report can hold.
func TestVersion(t *testing.T) {
	code, text, _ := rouse(t, nil, "version")
	if code != exitOK || strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "rouse ") || len(strings.Fields(text)) != 4 {
		t.Errorf("%d, %q", code, text)
	}
}
