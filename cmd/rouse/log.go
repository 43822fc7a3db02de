package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"os"
	"strconv"
	"sync"
	"syscall"

	"github.com/lmittmann/tint"
	"golang.org/x/term"

	"github.com/rouse-server/rouse/server"
)

// standardError is where log lines and errors go. Where inetd's socket covered it, that is syslog: a line that nobody
// reads is as good as silence.
func standardError(covered bool) io.Writer {
	if !covered {
		return os.Stderr
	}
	w, err := syslog.New(syslog.LOG_DAEMON|syslog.LOG_INFO, "rouse")
	if err != nil {
		return io.Discard
	}
	return toSyslog{w}
}

// toSyslog takes lines with <N> in front and sends each with its priority.
type toSyslog struct{ w *syslog.Writer }

func (t toSyslog) Write(line []byte) (int, error) {
	text := string(line)
	priority := "6"
	if len(text) > 3 && text[0] == '<' && text[2] == '>' {
		priority, text = text[1:2], text[3:]
	}
	send := map[string]func(string) error{"3": t.w.Err, "4": t.w.Warning, "5": t.w.Notice, "6": t.w.Info, "7": t.w.Debug}[priority]
	return len(line), send(text)
}

// errorPriority stands before the last line of a program that failed, where the reader understands it.
func errorPriority(to io.Writer) string {
	if _, isSyslog := to.(toSyslog); isSyslog || journalReads(os.Stderr) {
		return "<3>"
	}
	return ""
}

// journalReads tells whether f is the stream to systemd's journal: JOURNAL_STREAM is its device and inode (systemd.exec(5)).
func journalReads(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && os.Getenv("JOURNAL_STREAM") == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// sink is a place that lines go to, and how they look there.
type sink struct {
	to          io.Writer
	format      server.LogFormat
	requests    server.AccessLogFormat // auto: as the other lines
	level       slog.Level
	terminal    bool // short times, and columns
	colours     bool
	prioritized bool // the level stands in front as <N>; no time, which the reader adds itself
}

// newSink finds out what reads the lines: a terminal, the journal, syslog, or whatever reads a file.
func newSink(to io.Writer, format server.LogFormat, level slog.Level) sink {
	f, isFile := to.(*os.File)
	terminal := isFile && term.IsTerminal(int(f.Fd()))
	_, isSyslog := to.(toSyslog)
	return sink{
		to: to, format: format, requests: "auto", level: level, terminal: terminal,
		colours:     terminal && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
		prioritized: isSyslog || isFile && journalReads(f),
	}
}

func (s sink) handler() slog.Handler {
	if s.prioritized {
		return newPriorities(s.to, s.lines)
	}
	return s.lines(&oneByOne{to: s.to})
}

// lines writes lines without priority.
func (s sink) lines(to io.Writer) slog.Handler {
	others := s.formatted(to, s.format)
	switch s.requests {
	case "auto", server.AccessLogFormat(s.format):
		if s.format == "json" || s.format == "logfmt" {
			return others
		}
	case "json", "logfmt":
		return requestLines{Handler: others, entries: s.formatted(to, server.LogFormat(s.requests))}
	}
	return requestLines{Handler: others, sink: s, to: to, rooms: &sync.Pool{New: func() any { return new([]byte) }}}
}

func (s sink) formatted(to io.Writer, format server.LogFormat) slog.Handler {
	replace := func(groups []string, a slog.Attr) slog.Attr {
		switch {
		case len(groups) > 0:
		case a.Key == slog.TimeKey && s.prioritized:
			return slog.Attr{}
		case a.Key == slog.LevelKey:
			return levelName(a, format, s.prioritized)
		case a.Value.Kind() == slog.KindDuration && format == "json":
			return slog.Float64(a.Key, a.Value.Duration().Seconds()) // slog writes nanoseconds, and programs guess
		}
		return a
	}
	options := &slog.HandlerOptions{Level: s.level, ReplaceAttr: replace}
	switch format {
	case "json":
		return slog.NewJSONHandler(printableJSON{to}, options)
	case "logfmt":
		return slog.NewTextHandler(to, options)
	}
	return printableMessages{tint.NewHandler(to, &tint.Options{Level: s.level, NoColor: !s.colours, TimeFormat: s.clock(), ReplaceAttr: replace})}
}

// clock is how times look in human lines.
func (s sink) clock() string {
	if s.terminal {
		return "15:04:05"
	}
	return "2006-01-02T15:04:05.000Z07:00"
}

// levelName writes the levels that slog does not know. In human lines with a priority the level is said already.
func levelName(a slog.Attr, format server.LogFormat, prioritized bool) slog.Attr {
	level, ok := a.Value.Any().(slog.Level)
	human := format == "auto" || format == "human"
	switch {
	case !ok:
	case human && (prioritized || level == server.LevelNotice):
		return slog.Attr{}
	case level == server.LevelNotice:
		return slog.String(slog.LevelKey, "NOTICE")
	case level == server.LevelTrace:
		return slog.String(slog.LevelKey, "TRACE")
	}
	return a
}

// priorities puts <N>, the level as a syslog priority, before every line (sd-daemon(3)).
type priorities struct {
	to    io.Writer
	mu    *sync.Mutex
	line  *bytes.Buffer
	inner slog.Handler // writes to line
}

func newPriorities(to io.Writer, build func(io.Writer) slog.Handler) *priorities {
	line := &bytes.Buffer{}
	return &priorities{to, &sync.Mutex{}, line, build(line)}
}

func (p *priorities) Enabled(ctx context.Context, l slog.Level) bool { return p.inner.Enabled(ctx, l) }

func (p *priorities) Handle(ctx context.Context, r slog.Record) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line.Reset()
	p.line.WriteString("<" + strconv.Itoa(priority(r.Level)) + ">")
	if err := p.inner.Handle(ctx, r); err != nil {
		return err
	}
	_, err := p.to.Write(append(bytes.ReplaceAll(bytes.TrimSuffix(p.line.Bytes(), []byte("\n")), []byte("\n"), []byte(" ")), '\n'))
	return err
}

func (p *priorities) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &priorities{p.to, p.mu, p.line, p.inner.WithAttrs(attrs)}
}

func (p *priorities) WithGroup(name string) slog.Handler {
	return &priorities{p.to, p.mu, p.line, p.inner.WithGroup(name)}
}

// priority is the level in the numbers of syslog(3).
func priority(l slog.Level) int {
	switch {
	case l >= server.LevelNotice:
		return 5
	case l >= slog.LevelError:
		return 3
	case l >= slog.LevelWarn:
		return 4
	case l >= slog.LevelInfo:
		return 6
	}
	return 7
}

// notice says what is always said.
func notice(log *slog.Logger, text string, attributes ...any) {
	log.Log(context.Background(), server.LevelNotice, text, attributes...)
}
