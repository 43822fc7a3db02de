package wake

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

const (
	tailKept = 4096 // bytes
	tailLine = 200  // characters of a line that are shown
)

// tail keeps the last lines of what is written to it. It is safe for concurrent use.
type tail struct {
	mu    sync.Mutex
	kept  []byte
	cut   bool          // something came before what is kept
	ended chan struct{} // closed when nothing more can come
}

func newTail() *tail { return &tail{ended: make(chan struct{})} }

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, b...)
	if over := len(t.kept) - tailKept; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
		t.cut = true
	}
	return len(b), nil
}

// follow copies what comes from r to w, until the last process that can write to r has closed it. A failing w is given up,
// but r is read on: the program must not wait for a reader.
func (t *tail) follow(r io.ReadCloser, w io.Writer) {
	defer close(t.ended)
	defer r.Close()
	buffer := make([]byte, 4096)
	for {
		n, err := r.Read(buffer)
		if n > 0 {
			t.Write(buffer[:n])
			if w != nil {
				if _, err := w.Write(buffer[:n]); err != nil {
					w = nil
				}
			}
		}
		if err != nil {
			return
		}
	}
}

// last returns at most n lines, without the empty ones, printable and shortened. It waits for what is on its way, but not
// longer than limit.
func (t *tail) last(n int, limit time.Duration) []string {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-t.ended:
	case <-timer.C:
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := bytes.Split(t.kept, []byte("\n"))
	var shown []string
	for i := len(lines) - 1; i >= 0 && len(shown) < n; i-- {
		if line := printable(lines[i]); line != "" {
			if i == 0 && t.cut {
				line = "…" + line
			}
			shown = append([]string{line}, shown...)
		}
	}
	return shown
}

// printable is the text of a line for a terminal or a log: no control characters, and not too long.
func printable(line []byte) string {
	text := string(bytes.TrimSpace(line))
	short := text
	for i := range text { // by characters, so that none is cut
		if utf8.RuneCountInString(text[:i]) == tailLine {
			short = text[:i] + "…"
			break
		}
	}
	quoted := strconv.Quote(strings.ReplaceAll(short, "\t", " "))
	plain := quoted[1 : len(quoted)-1]
	return strings.ReplaceAll(strings.ReplaceAll(plain, `\"`, `"`), `\\`, `\`)
}
