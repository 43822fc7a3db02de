package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
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

// request logs a request.
func request(to *slog.Logger, level slog.Level) {
	to.Log(context.Background(), level, "request", slog.Any("", &server.AccessEntry{
		Begun: time.Unix(0, 0).UTC(), Duration: 1500 * time.Microsecond, Client: "192.0.2.1", Method: "GET", URI: "/a", Protocol: "HTTP/1.1",
		Status: 200, Bytes: 7, Host: "x", UserAgent: "U\x1b",
	}))
}

// shared is a buffer that several goroutines write to.
type shared struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *shared) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// opened opens logs under the settings that change makes.
func openedLogs(t *testing.T, stderr *shared, change func(*settings)) (*logs, *settings) {
	t.Helper()
	s := newSettings()
	s.LogLevel = "info"
	change(s)
	l, err := openLogs(s, console{stdout: stderr, stderr: stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l, s
}

func contents(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Requests are logged in the form asked for, among the other lines, which keep theirs.
func TestRequestLines(t *testing.T) {
	for _, c := range []struct {
		format   server.LogFormat
		requests server.AccessLogFormat
		want     string
	}{
		{"auto", "auto", `\d{4}-\S+Z? GET 200 /a 7B 1.5ms 192\.0\.2\.1 HTTP/1\.1 host="x" user_agent="U\\x1b"`},
		{"json", "auto", `\{"time":"[^"]+","level":"INFO","msg":"request","remote_addr":"192\.0\.2\.1","method":"GET","uri":"/a","status":200,"bytes":7,"duration":0\.0015,"protocol":"HTTP/1\.1","host":"x","user_agent":"U\\u001b"\}`},
		{"logfmt", "auto", `time=\S+ level=INFO msg=request remote_addr=192\.0\.2\.1 method=GET uri=/a status=200 bytes=7 duration=1\.5ms protocol=HTTP/1\.1 host=x user_agent="U\\x1b"`},
		{"human", "common", `192\.0\.2\.1 - - \[01/Jan/1970:00:00:00 \+0000\] "GET /a HTTP/1\.1" 200 7`},
		{"json", "combined", `192\.0\.2\.1 - - \[01/Jan/1970:00:00:00 \+0000\] "GET /a HTTP/1\.1" 200 7 "-" "U\\x1b"`},
		{"json", "human", `\S+ GET 200 /a 7B .*`},
		{"auto", "json", `\{"time":.*"status":200.*\}`},
		{"auto", "logfmt", `time=\S+ level=INFO msg=request .*`},
	} {
		var stderr shared
		l, _ := openedLogs(t, &stderr, func(s *settings) { s.LogFormat, s.AccessLogFormat = c.format, c.requests })
		request(l.access, slog.LevelInfo)
		request(l.access, slog.LevelDebug)
		if text := stderr.String(); !regexp.MustCompile(`^` + c.want + `\n$`).MatchString(text) {
			t.Errorf("%s, %s: %s", c.format, c.requests, text)
		}
		l.main.Warn("a warning")
		if isJSON := strings.Contains(stderr.String(), `"msg":"a warning"`); isJSON != (c.format == "json") {
			t.Errorf("%s, %s: %s", c.format, c.requests, stderr.String())
		}
	}
	f := journal(t)
	log := newLog(f, "auto", slog.LevelInfo)
	request(log, slog.LevelInfo)
	if text := contents(t, f.Name()); !strings.HasPrefix(text, "<6>GET 200 /a ") {
		t.Errorf("in the journal: %q", text)
	}
}

// Colours can be had without a terminal, and never in a file.
func TestForcedColours(t *testing.T) {
	var stderr shared
	file := filepath.Join(t.TempDir(), "log")
	l, _ := openedLogs(t, &stderr, func(s *settings) { s.LogWithANSI, s.LogFile = true, file })
	l.main.Warn("a warning")
	request(l.access, slog.LevelInfo)
	l.Close()
	if strings.Count(stderr.String(), "\x1b[") < 4 || strings.Contains(contents(t, file), "\x1b") {
		t.Errorf("standard error: %q\nfile: %q", stderr.String(), contents(t, file))
	}
}

// The log file gets what standard error gets, and its folders are made; those who may read it are few.
func TestLogFile(t *testing.T) {
	var stderr shared
	file := filepath.Join(t.TempDir(), "a", "b", "log")
	l, _ := openedLogs(t, &stderr, func(s *settings) { s.LogFile, s.LogFormat = file, "json" })
	l.main.With("k", "v").WithGroup("g").Info("one", "x", 1)
	l.main.Debug("too fine")
	notice(l.main, "a\nnotice")
	request(l.access, slog.LevelInfo)
	l.Close()
	if got := contents(t, file); got != stderr.String() || strings.Count(got, "\n") != 3 || !strings.Contains(got, `"msg":"one","k":"v","g":{"x":1}`) || !strings.Contains(got, `"msg":"a\nnotice"`) {
		t.Errorf("the file: %s\nstandard error: %s", got, stderr.String())
	}
	for path, want := range map[string]os.FileMode{file: 0o640, filepath.Dir(file): 0o755} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&^want != 0 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	l, _ = openedLogs(t, &stderr, func(s *settings) { s.LogFile = file })
	l.main.Info("two")
	l.Close()
	if got := contents(t, file); strings.Count(got, "\n") != 4 {
		t.Errorf("a second start does not append: %s", got)
	}
}

// The access log has all requests, whatever the level, and nothing else has them then; those of health only at debug.
func TestAccessLogFile(t *testing.T) {
	for level, quiet := range map[server.LogLevel]int{"error": 0, "info": 0, "debug": 1} {
		var stderr shared
		file := filepath.Join(t.TempDir(), "access")
		l, _ := openedLogs(t, &stderr, func(s *settings) { s.AccessLog, s.AccessLogFormat, s.LogLevel = file, "common", level })
		request(l.access, slog.LevelInfo)
		request(l.access, slog.LevelDebug)
		l.main.Error("an error")
		l.Close()
		if got := contents(t, file); strings.Count(got, "\n") != 1+quiet || !strings.HasPrefix(got, "192.0.2.1 - - [") {
			t.Errorf("%s: %s", level, got)
		}
		if text := stderr.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "an error") {
			t.Errorf("%s: standard error: %s", level, text)
		}
	}
	var stdout shared
	l, _ := openedLogs(t, &stdout, func(s *settings) { s.AccessLog, s.AccessLogFormat, s.LogLevel = "/dev/stdout", "common", "error" })
	request(l.access, slog.LevelInfo)
	if !strings.HasPrefix(stdout.String(), "192.0.2.1 - - [") {
		t.Errorf("on standard output: %q", stdout.String())
	}
}

// After a rotation lines go to the new file, and none is lost between.
func TestLogRotation(t *testing.T) {
	var stderr shared
	file := filepath.Join(t.TempDir(), "log")
	l, s := openedLogs(t, &stderr, func(s *settings) { s.LogFile = file })
	l.main.Info("before")
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	l.Reopen()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(file); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the file was not opened again")
		}
	}
	l.main.Info("after")
	s.LogFile = file + ".2"
	if err := l.Reload(s); err != nil {
		t.Fatal(err)
	}
	l.main.Info("reloaded")
	s.LogFile = filepath.Dir(file)
	s.given["log-file"] = "--log-file"
	err := l.Reload(s)
	if f, ok := errors.AsType[failure](err); !ok || f.code != exitConfig {
		t.Errorf("a folder as log file: %v", err)
	}
	l.main.Info("kept")
	l.Close()
	for path, wants := range map[string][]string{file + ".1": {"before"}, file: {"after"}, file + ".2": {"reloaded", "kept"}} {
		text := contents(t, path)
		for _, want := range wants {
			if !strings.Contains(text, want) || strings.Count(text, "\n") != len(wants) {
				t.Errorf("%s: %q, want %q", path, text, wants)
			}
		}
	}
}

// A file that cannot be written to is refused before anything is served.
func TestUnusableLogFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, cause := range map[string]string{dir: "is a directory", filepath.Join(dir, "file", "log"): "not a directory", pipe: "device"} {
		for _, option := range []string{"log-file", "access-log"} {
			s := newSettings()
			s.given[option] = "--" + option
			if s.LogFile = path; option == "access-log" {
				s.LogFile, s.AccessLog = "", path
			}
			var stderr shared
			l, err := openLogs(s, console{stderr: &stderr})
			if notice(l.main, "said"); !strings.Contains(stderr.String(), "said") {
				t.Errorf("%s %s: notices are lost", option, path)
			}
			f, ok := errors.AsType[failure](err)
			if !ok || f.code != exitConfig || !strings.HasPrefix(err.Error(), "--"+option+" "+path+": ") || !strings.Contains(err.Error(), cause) {
				t.Errorf("%s %s: %v", option, path, err)
			}
		}
	}
}

// A full disk is told of once, requests go on, and it is told when lines are written again.
func TestFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("this system has no /dev/full: %v", err)
	}
	good, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	var told shared
	tell := slog.New(slog.NewJSONHandler(&told, nil)).Error
	w := &logWriter{logFile: &logFile{path: "/dev/full", tell: tell}, file: full}
	for range 3 {
		w.write([]byte("line\nline\n"), 0)
	}
	w.write(nil, 0)
	w.file = good
	w.write([]byte("line\n"), 0)
	w.write([]byte("line\n"), 0)
	lines := strings.Split(strings.TrimSpace(told.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "no space left on device") || !strings.Contains(lines[1], `"lost":6`) {
		t.Errorf("told: %s", told.String())
	}
	w.broken = true
	w.write([]byte("whole\n"), 0)
	if got := contents(t, good.Name()); got != "line\nline\n\nwhole\n" {
		t.Errorf("a line follows half of another: %q", got)
	}
}

// A disk that stands still holds nobody up: lines are dropped, in bounded memory, and that is told.
func TestStuckDisk(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var told shared
	f := newLogFile("x", slog.New(slog.NewJSONHandler(&told, nil)).Error)
	go f.run(w)
	line := bytes.Repeat([]byte("x"), 1023)
	line = append(line, '\n')
	begun := time.Now()
	for range 5 * logQueue / len(line) {
		f.Write(line)
	}
	if took := time.Since(begun); took > patience/2 {
		t.Errorf("writing took %s", took)
	}
	f.mu.Lock()
	pending, lost := len(f.pending), f.lost
	f.mu.Unlock()
	if pending > logQueue || lost == 0 {
		t.Errorf("%d bytes wait, %d lines were dropped", pending, lost)
	}
	drained := make(chan int, 1)
	go func() {
		var got bytes.Buffer
		got.ReadFrom(r)
		drained <- bytes.Count(got.Bytes(), []byte("\n"))
	}()
	f.Close()
	if n := <-drained; n == 0 || !strings.Contains(told.String(), "too slowly") {
		t.Errorf("%d lines arrived; told: %s", n, told.String())
	}
}

// A line after a pause is written at once, and those that follow closely share a write.
func TestLinesAreGathered(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f := newLogFile("x", func(text string, _ ...any) { t.Error(text) })
	go f.run(w)
	f.Write([]byte("alone\n"))
	room := make([]byte, logQueue)
	r.SetReadDeadline(time.Now().Add(patience))
	if n, err := r.Read(room); string(room[:n]) != "alone\n" {
		t.Fatalf("%q, %v", room[:n], err)
	}
	const lines = 1000
	go func() {
		for range lines {
			f.Write([]byte("one of many\n"))
		}
		f.Close()
	}()
	reads, got := 0, 0
	for ; ; reads++ {
		n, err := r.Read(room)
		if err != nil {
			break
		}
		got += bytes.Count(room[:n], []byte("\n"))
	}
	if got != lines || reads > lines/10 {
		t.Errorf("%d lines came in %d writes", got, reads)
	}
}

// Lines of many requests at once stay whole and in all places, also while files are opened again and settings reloaded.
func TestLogsConcurrently(t *testing.T) {
	var stderr shared
	file := filepath.Join(t.TempDir(), "log")
	l, s := openedLogs(t, &stderr, func(s *settings) { s.LogFile, s.LogFormat = file, "json" })
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 200 {
				l.main.Info("line", "k", strings.Repeat("y", 100))
				request(l.access, slog.LevelInfo)
			}
		})
	}
	for range 10 {
		l.Reopen()
		if err := l.Reload(s); err != nil {
			t.Error(err)
		}
	}
	group.Wait()
	l.Close()
	for name, text := range map[string]string{"file": contents(t, file), "standard error": stderr.String()} {
		for line := range strings.Lines(text) {
			if !json.Valid([]byte(line)) {
				t.Fatalf("%s: %q", name, line)
			}
		}
		if n := strings.Count(text, "\n"); n != 1600 {
			t.Errorf("%s: %d lines", name, n)
		}
	}
}

// JSON lines carry the text itself, and nothing that a terminal would obey.
func TestPrintableJSON(t *testing.T) {
	const text = "a\nb\x1b\x7f\u009b\u202e\U000e0001ü日本😀\\n"
	var to bytes.Buffer
	notice(newLog(&to, "json", slog.LevelInfo), text, "k", text)
	var entry map[string]string
	if err := json.Unmarshal(to.Bytes(), &entry); err != nil || entry["msg"] != text || entry["k"] != text {
		t.Errorf("%v: %q", err, entry)
	}
	if got := strings.TrimSuffix(to.String(), "\n"); strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || hidden(r) }) || !strings.Contains(got, "ü日本😀") {
		t.Errorf("%q", got)
	}
}
