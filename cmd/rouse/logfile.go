package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	logQueue    = 1 << 20                // bytes that wait to be written
	logGather   = 100 * time.Millisecond // from one write to the next
	logFarewell = 2 * time.Second        // how long the last lines may take
)

// logFile is a file that lines are appended to. Lines wait in a queue of bounded size and are written by a goroutine of its
// own: a disk that is full or stands still loses lines, and holds up no request. A line after a pause is written at once; those
// that follow it closely are gathered, many in one write.
type logFile struct {
	path  string
	tell  func(text string, attributes ...any) // says on standard error what went wrong
	wake  chan struct{}                        // gets a value, if there is room, when there is something to do
	hurry chan struct{}                        // the same, when it is not to wait for more lines
	done  chan struct{}                        // closed when all is written

	mu      sync.Mutex
	pending []byte
	lost    int // lines
	reopen  bool
	closed  bool
}

// openLogFile opens the file, and makes it and its folders where they are missing.
func openLogFile(path string, tell func(string, ...any)) (*logFile, error) {
	file, err := appendTo(path)
	if err != nil {
		return nil, err
	}
	f := newLogFile(path, tell)
	go f.run(file)
	return f, nil
}

func newLogFile(path string, tell func(string, ...any)) *logFile {
	return &logFile{path: path, tell: tell, wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1), done: make(chan struct{})}
}

// appendTo opens a file so that a pipe without a reader is an error and no wait.
func appendTo(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o640)
	if errors.Is(err, os.ErrNotExist) && filepath.Base(path) != "." {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		file, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o640)
	}
	return file, err
}

// writable tells why appendTo would fail, and makes nothing.
func writable(path string) error {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return syscall.EISDIR
	case err == nil:
		return unix.Access(path, unix.W_OK)
	case !errors.Is(err, os.ErrNotExist) || path == "":
		return err
	}
	for folder := filepath.Dir(path); ; folder = filepath.Dir(folder) { // the first one that is there
		info, err := os.Stat(folder)
		switch {
		case errors.Is(err, os.ErrNotExist) && folder != filepath.Dir(folder):
		case err != nil:
			return err
		case !info.IsDir():
			return syscall.ENOTDIR
		default:
			return unix.Access(folder, unix.W_OK|unix.X_OK)
		}
	}
}

// Write queues a line. It never fails.
func (f *logFile) Write(line []byte) (int, error) {
	f.mu.Lock()
	first := len(f.pending) == 0
	if f.closed || len(f.pending)+len(line) > logQueue {
		f.lost++
	} else {
		f.pending = append(f.pending, line...)
	}
	many := len(f.pending) > logQueue/16 // more would leave the caches of the processor
	f.mu.Unlock()
	if first {
		stir(f.wake)
	}
	if many {
		stir(f.hurry)
	}
	return len(line), nil
}

// Reopen opens the path again as soon as what was queued before is written: whoever moved the file away wants a new one.
func (f *logFile) Reopen() {
	f.mu.Lock()
	f.reopen = true
	f.mu.Unlock()
	stir(f.wake)
	stir(f.hurry)
}

// Close writes what is queued, if the disk lets it.
func (f *logFile) Close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	stir(f.wake)
	stir(f.hurry)
	select {
	case <-f.done:
	case <-time.After(logFarewell):
		f.tell("the log file takes no lines; the last ones are lost", "file", f.path)
	}
}

func stir(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// gather waits for more lines.
func (f *logFile) gather() {
	select {
	case <-f.hurry:
	case <-time.After(logGather):
	}
}

// run writes until the file is closed.
func (f *logFile) run(file *os.File) {
	defer close(f.done)
	w := &logWriter{logFile: f, file: file}
	defer func() { w.file.Close() }()
	var lines []byte
	for range f.wake {
		f.mu.Lock()
		lines, f.pending = f.pending, lines[:0] // two buffers that take turns
		lost, reopen, closed := f.lost, f.reopen, f.closed
		f.lost, f.reopen = 0, false
		f.mu.Unlock()
		w.write(lines, lost)
		if cap(lines) > max(4*len(lines), logQueue/16) {
			lines = nil // a burst is over
		}
		if reopen {
			w.reopen()
		}
		if closed {
			return
		}
		f.gather()
	}
}

// logWriter is the goroutine's side of a log file.
type logWriter struct {
	*logFile
	file    *os.File
	broken  bool // the last line in the file has no end
	failing bool // that lines cannot be written was told
	lost    int  // since then
}

// write appends lines. A failure is told once, and so is its end.
func (w *logWriter) write(lines []byte, lost int) {
	w.lost += lost
	if len(lines) == 0 && lost == 0 {
		return
	}
	if w.broken {
		lines = append([]byte("\n"), lines...)
	}
	n, err := w.file.Write(lines)
	if n > 0 {
		w.broken = lines[n-1] != '\n'
	}
	if err != nil {
		w.lost += bytes.Count(lines[n:], []byte("\n"))
	}
	switch {
	case (err != nil || lost > 0) && !w.failing:
		w.failing = true
		if err == nil {
			err = errors.New("it takes them too slowly")
		}
		w.tell("lines of the log file are lost; requests go on", "file", w.path, "err", withoutPath(err))
	case err == nil && lost == 0 && w.failing:
		w.tell("the log file takes lines again", "file", w.path, "lost", w.lost)
		w.failing, w.lost = false, 0
	}
}

func (w *logWriter) reopen() {
	file, err := appendTo(w.path)
	if err != nil {
		w.tell("the log file cannot be opened again, the old one is kept", "file", w.path, "err", withoutPath(err))
		return
	}
	w.file.Close()
	w.file, w.broken = file, false
}
