package inetd

import (
	"bufio"
	"bytes"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/sys/unix"
)

// reportEvery is how often the same thing is told.
const reportEvery = time.Second

// reports writes warnings that may come by the thousand: one line a second for each message, with how many there were.
type reports struct {
	log *slog.Logger

	mu   sync.Mutex
	told map[string]*told
}

type told struct {
	at   time.Time
	more int // since then
}

func newReports(log *slog.Logger) *reports { return &reports{log: log, told: map[string]*told{}} }

// warn writes the message, one of a few, unless it was written a moment ago.
func (r *reports) warn(message string, args ...any) {
	r.mu.Lock()
	t := r.told[message]
	if t == nil {
		t = &told{}
		r.told[message] = t
	}
	if time.Since(t.at) < reportEvery {
		t.more++
		r.mu.Unlock()
		return
	}
	if t.more > 0 {
		args = append(args, "more", t.more)
	}
	t.at, t.more = time.Now(), 0
	r.mu.Unlock()
	r.log.Warn(message, args...)
}

// longestLine is what of a line of standard error goes into one line of the log.
const longestLine = 4096

// listen reads the standard error of a process, to the end. Most write nothing there, and need no goroutine for it.
func (s *service) listen(fd, pid int, who string) {
	s.errors.Add(1)
	first := func() {
		buffer := make([]byte, 512)
		n, err := unix.Read(fd, buffer)
		if n <= 0 && err == nil {
			unix.Close(fd)
			s.errors.Done()
			return
		}
		go s.follow(os.NewFile(uintptr(fd), "standard error"), buffer[:max(n, 0)], pid, who)
	}
	if s.house.watcher.watch(fd, first) != nil {
		go s.follow(os.NewFile(uintptr(fd), "standard error"), nil, pid, who)
	}
}

// follow writes what a process writes to its standard error into the log, until the last process that can write there has
// closed it. begun was read before.
func (s *service) follow(f *os.File, begun []byte, pid int, who string) {
	defer s.errors.Done()
	defer f.Close()
	lines := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(begun), f), longestLine)
	for {
		line, err := lines.ReadSlice('\n') // a full buffer is a line too
		if text := printable(line); text != "" {
			s.log.Info(text, "client", who, "pid", pid)
		}
		if err != nil && err != bufio.ErrBufferFull {
			return
		}
	}
}

// printable is the text of a line for a log, without what would move a terminal's cursor.
func printable(line []byte) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r != '\t' && !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.TrimRight(string(line), "\r\n")))
}
