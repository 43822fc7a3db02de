package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/server"
)

// newLog writes lines as standard error has them.
func newLog(to io.Writer, format server.LogFormat, level slog.Level) *slog.Logger {
	return slog.New(newSink(to, format, level).handler())
}

// sayAll writes one line of each level, and a notice.
func sayAll(log *slog.Logger) {
	log.Log(context.Background(), server.LevelTrace, "a trace")
	log.Debug("a detail", "k", "v w")
	log.Info("request", "uri", "/a b", "status", 200)
	log.Warn("a warning")
	log.Error("an error", "err", errors.New("two\nlines"))
	notice(log, "a\nnotice")
}

// Lines are in the format that was asked for, none is broken in two, and what is below the level is left out; notices are
// always there.
func TestLogFormats(t *testing.T) {
	for level, count := range map[server.LogLevel]int{"trace": 6, "debug": 5, "info": 4, "warn": 3, "error": 2} {
		for _, format := range []server.LogFormat{"auto", "human", "json", "logfmt"} {
			var to bytes.Buffer
			sayAll(newLog(&to, format, level.Level()))
			lines := strings.Split(strings.TrimSuffix(to.String(), "\n"), "\n")
			if len(lines) != count {
				t.Errorf("%s, %s: %d lines, want %d:\n%s", level, format, len(lines), count, to.String())
			}
			if last := lines[len(lines)-1]; !strings.Contains(last, `a\nnotice`) {
				t.Errorf("%s, %s: the notice is missing or broken: %s", level, format, last)
			}
			if strings.Contains(to.String(), "\x1b") {
				t.Errorf("%s, %s: colours where no terminal is", level, format)
			}
		}
	}
}

// A program that reads the log finds time, level and message under their usual names.
func TestLogForPrograms(t *testing.T) {
	var to bytes.Buffer
	sayAll(newLog(&to, "json", server.LevelTrace))
	var levels []string
	for line := range strings.Lines(to.String()) {
		entry := map[string]any{}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if _, err := time.Parse(time.RFC3339Nano, fmt.Sprint(entry["time"])); err != nil || entry["msg"] == "" {
			t.Errorf("%s: %v", line, err)
		}
		levels = append(levels, fmt.Sprint(entry["level"]))
	}
	if got := strings.Join(levels, " "); got != "TRACE DEBUG INFO WARN ERROR NOTICE" {
		t.Errorf("levels %s", got)
	}
	to.Reset()
	sayAll(newLog(&to, "logfmt", slog.LevelInfo))
	if want := regexp.MustCompile(`^time=\S+ level=INFO msg=request uri="/a b" status=200\n`); !want.MatchString(to.String()) {
		t.Errorf("%s", to.String())
	}
}

// A person reads a notice without the word ERROR before it, which its rank would give it.
func TestLogForPeople(t *testing.T) {
	var to bytes.Buffer
	log := newLog(&to, "human", slog.LevelInfo)
	notice(log, "serving ./public", "at", "x")
	log.Info("request", "status", 200)
	want := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\S+ serving ./public at=x\n\S+ INF request status=200\n$`)
	if !want.MatchString(to.String()) {
		t.Errorf("%q", to.String())
	}
}

// journal is a file that counts as the stream to systemd's journal.
func journal(t *testing.T) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", st.Dev, st.Ino))
	return f
}

// The journal sorts and colours lines by <N>, so every line has it, is one line, and carries no time: the journal has its own.
func TestLogToJournal(t *testing.T) {
	f := journal(t)
	for _, format := range []server.LogFormat{"auto", "human", "json", "logfmt"} {
		f.Truncate(0)
		f.Seek(0, 0)
		log := newLog(f, format, server.LevelTrace)
		sayAll(log)
		sayAll(log.With("more", "x\ny").WithGroup("group"))
		text, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		var priorities []string
		for line := range strings.Lines(string(text)) {
			if !regexp.MustCompile(`^<[0-7]>[^<\n]+\n$`).MatchString(line) || strings.Contains(line, "time=") || strings.Contains(line, `"time"`) || strings.Contains(line, fmt.Sprint(time.Now().Year())) {
				t.Errorf("%s: %q", format, line)
			}
			priorities = append(priorities, line[1:2])
		}
		if got := strings.Join(priorities, ""); got != "776435776435" {
			t.Errorf("%s: priorities %s:\n%s", format, got, text)
		}
		if format == "auto" && !strings.HasPrefix(string(text), "<7>a trace\n<7>a detail k=\"v w\"\n<6>request uri=\"/a b\" status=200\n<4>a warning\n<3>an error err=\"two\\nlines\"\n<5>a\\nnotice\n") {
			t.Errorf("for people in the journal:\n%s", text)
		}
	}
}

// A stream that is not the journal's gets no <N>: nobody there understands it.
func TestNotTheJournal(t *testing.T) {
	f := journal(t)
	other, err := os.Create(filepath.Join(t.TempDir(), "other"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if !journalReads(f) || journalReads(other) || errorPriority(&bytes.Buffer{}) != "" {
		t.Error("the journal's stream is not told from another")
	}
	for _, value := range []string{"", "x", "1:1:1"} {
		t.Setenv("JOURNAL_STREAM", value)
		if journalReads(f) {
			t.Errorf("JOURNAL_STREAM=%s makes any file the journal's", value)
		}
	}
	f.Close()
	if journalReads(f) {
		t.Error("a closed file is the journal's")
	}
}

// Lines of many requests at once stay whole.
func TestLogConcurrently(t *testing.T) {
	f := journal(t)
	log := newLog(f, "auto", slog.LevelInfo)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				log.With("k", "v").Info(strings.Repeat("x", 300))
			}
		})
	}
	group.Wait()
	f.Seek(0, 0)
	count := 0
	for lines := bufio.NewScanner(f); lines.Scan(); count++ {
		if want := "<6>" + strings.Repeat("x", 300) + " k=v"; lines.Text() != want {
			t.Fatalf("%q", lines.Text())
		}
	}
	if count != 800 {
		t.Errorf("%d lines", count)
	}
}

// Where inetd's socket took the place of standard error, lines go to syslog with their priority and nowhere else.
func TestLogToSyslog(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.SetReadDeadline(time.Now().Add(patience))
	w, err := syslog.Dial("unixgram", path, syslog.LOG_DAEMON|syslog.LOG_INFO, "rouse")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	to := toSyslog{w}
	sayAll(newLog(to, "auto", server.LevelTrace))
	fmt.Fprintf(to, "%srouse: the last words\n", errorPriority(to))
	fmt.Fprint(to, "without a priority\n")
	const daemon = 3 << 3
	for _, want := range []struct {
		priority int
		text     string
	}{{7, "a trace"}, {7, "a detail"}, {6, "request"}, {4, "a warning"}, {3, "an error"}, {5, `a\nnotice`}, {3, "rouse: the last words"}, {6, "without a priority"}} {
		message := make([]byte, 2000)
		n, err := l.Read(message)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(message[:n]); !strings.HasPrefix(got, fmt.Sprintf("<%d>", daemon|want.priority)) || !strings.Contains(got, ": "+want.text) || strings.Count(got, "\n") > 1 {
			t.Errorf("syslog got %q, want %d, %s", got, want.priority, want.text)
		}
	}
}

// A file's name or a variable's value cannot steer the terminal of the one who reads about it, nor forge a line.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"plain: ./public, ü, 日本": "plain: ./public, ü, 日本",
		"a\nb\r\tc":              `a\nb\r\tc`,
		"\x1b[31mred\x07":        `\x1b[31mred\a`,
		"\x00":                   `\x00`,
		"\u202etxt":              `\u202etxt`,
		"":                       "",
	} {
		if got := printable(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
