package main

import (
	"context"
	"io"
	"log/slog"
	"sync"
)

// logs is where lines go: to standard error; to the log file too; those of requests to a file of their own instead.
type logs struct {
	main, access *slog.Logger // stay the same when the outlets change
	console      console
	out, err     io.Writer // standard output and error, for lines

	mu      sync.RWMutex // held for writing while the outlets change, so that no line is written to a closed file
	outlets outlets
}

// outlets is what logs leads to for the time being.
type outlets struct {
	main, access slog.Handler
	files        []*logFile
}

// openLogs opens the files that the settings name. The error of a file that cannot be written to is one of configuration;
// lines go to standard error alone then.
func openLogs(s *settings, c console) (*logs, error) {
	l := &logs{console: c, out: withoutWaiting(c.stdout), err: withoutWaiting(c.stderr)}
	l.main = slog.New(outlet{logs: l, which: func(o *outlets) slog.Handler { return o.main }})
	l.access = slog.New(outlet{logs: l, which: func(o *outlets) slog.Handler { return o.access }})
	return l, l.Reload(s)
}

// Reload opens the files anew, under the settings as they are now; on error everything stays as it was.
func (l *logs) Reload(s *settings) error {
	next, err := l.open(s)
	l.mu.Lock()
	before := l.outlets
	if err == nil || before.main == nil {
		l.outlets = next
	}
	l.mu.Unlock()
	if err == nil {
		before.close()
	}
	return err
}

// Reopen opens the paths of the files again, after they were moved away. What goes wrong is told on standard error.
func (l *logs) Reopen() {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, file := range l.outlets.files {
		file.Reopen()
	}
}

// Close writes what is not yet written to the files. Lines that come later go to standard error alone.
func (l *logs) Close() {
	l.mu.Lock()
	before := l.outlets
	l.outlets = outlets{main: before.main, access: before.access}
	l.mu.Unlock()
	before.close()
}

func (o outlets) close() {
	for _, file := range o.files {
		file.Close()
	}
}

// open opens everything, or, with an error, nothing but standard error.
func (l *logs) open(s *settings) (outlets, error) {
	standard := newSink(l.console.stderr, s.LogFormat, s.LogLevel.Level())
	standard.to, standard.requests, standard.colours = l.err, s.AccessLogFormat, standard.colours || s.LogWithANSI
	o := outlets{main: standard.handler()}
	o.access = o.main
	alone, tell := o, slog.New(o.main).Error
	if s.LogFile != "" {
		file, err := l.sink(&o, s, "log-file", s.LogFile, tell)
		if err != nil {
			return alone, err
		}
		file.level = s.LogLevel.Level()
		o.main = slog.NewMultiHandler(o.main, file.handler())
		o.access = o.main
	}
	if s.AccessLog != "" {
		file, err := l.sink(&o, s, "access-log", s.AccessLog, tell)
		if err != nil {
			o.close()
			return alone, err
		}
		file.level = min(slog.LevelInfo, s.LogLevel.Level())
		o.access = file.handler()
	}
	return o, nil
}

// sink leads to a file, or to a standard stream that is named like one, as containers do it.
func (l *logs) sink(o *outlets, s *settings, option, path string, tell func(string, ...any)) (sink, error) {
	for _, stream := range []struct {
		path     string
		file, to io.Writer
	}{{"/dev/stdout", l.console.stdout, l.out}, {"/dev/stderr", l.console.stderr, l.err}} {
		if path != stream.path || stream.file == nil {
			continue
		}
		to := newSink(stream.file, s.LogFormat, 0)
		to.to = stream.to
		to.requests, to.colours = s.AccessLogFormat, to.colours || s.LogWithANSI
		return to, nil
	}
	file, err := openLogFile(path, tell)
	if err != nil {
		return sink{}, s.cannotLog(option, path, err)
	}
	o.files = append(o.files, file)
	return sink{to: file, format: s.LogFormat, requests: s.AccessLogFormat}, nil
}

// cannotLog is the error for a log file that cannot be written to.
func (s *settings) cannotLog(option, path string, cause error) error {
	return config("%s %s: this file cannot be written to (%w): change that, or name another", s.given[option], path, withoutPath(cause))
}

// outlet hands lines to the outlets of the moment.
type outlet struct {
	logs    *logs
	which   func(*outlets) slog.Handler
	derived []func(slog.Handler) slog.Handler // With and WithGroup
}

func (o outlet) handler() slog.Handler {
	h := o.which(&o.logs.outlets)
	for _, derive := range o.derived {
		h = derive(h)
	}
	return h
}

func (o outlet) Enabled(ctx context.Context, level slog.Level) bool {
	o.logs.mu.RLock()
	defer o.logs.mu.RUnlock()
	return o.handler().Enabled(ctx, level)
}

func (o outlet) Handle(ctx context.Context, r slog.Record) error {
	o.logs.mu.RLock()
	defer o.logs.mu.RUnlock()
	return o.handler().Handle(ctx, r)
}

func (o outlet) WithAttrs(attrs []slog.Attr) slog.Handler {
	return o.derive(func(h slog.Handler) slog.Handler { return h.WithAttrs(attrs) })
}

func (o outlet) WithGroup(name string) slog.Handler {
	return o.derive(func(h slog.Handler) slog.Handler { return h.WithGroup(name) })
}

func (o outlet) derive(more func(slog.Handler) slog.Handler) slog.Handler {
	o.derived = append(o.derived[:len(o.derived):len(o.derived)], more)
	return o
}
