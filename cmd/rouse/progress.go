package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// progress is a bar on the terminal's last line. Where there is no terminal, or not until it is scaled, it shows nothing.
type progress struct {
	terminal io.Writer // nil for none
	width    func() int

	mu          sync.Mutex
	total, done int64
	start       time.Time
	shown       bool
	stop        chan struct{}
	stopped     sync.WaitGroup
}

// How often the bar is drawn.
const redraw = 100 * time.Millisecond

// newProgress shows a bar on to if that is a terminal that can move its cursor.
func newProgress(to io.Writer, quiet bool) *progress {
	p := &progress{stop: make(chan struct{})}
	f, ok := to.(*os.File)
	if quiet || !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return p
	}
	p.terminal = f
	p.width = func() int {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return width
		}
		return 80 // a serial line does not know
	}
	return p
}

// scale says how much there is to do, and shows the bar from now on.
func (p *progress) scale(total int64) {
	if p.terminal == nil || total == 0 {
		return
	}
	p.mu.Lock()
	p.total, p.start = total, time.Now()
	p.mu.Unlock()
	p.stopped.Go(func() {
		tick := time.NewTicker(redraw)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				p.mu.Lock()
				p.draw(now)
				p.mu.Unlock()
			case <-p.stop:
				return
			}
		}
	})
}

// add says that so much more is done.
func (p *progress) add(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
}

// print writes a line to any stream, above the bar.
func (p *progress) print(to io.Writer, line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintln(to, line)
}

// end takes the bar away.
func (p *progress) end() {
	close(p.stop)
	p.stopped.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

func (p *progress) clear() {
	if p.shown {
		io.WriteString(p.terminal, "\r\x1b[K")
		p.shown = false
	}
}

func (p *progress) draw(now time.Time) {
	io.WriteString(p.terminal, "\r"+p.bar(now, p.width())+"\x1b[K")
	p.shown = true
}

// bar is one line that is shorter than width: how much is done, drawn and in per cent, and how long it took. How long the rest
// takes nobody knows while an encoder is busy with what it took in.
func (p *progress) bar(now time.Time, width int) string {
	done := min(max(p.done, 0), p.total)
	text := fmt.Sprintf(" %3d%%  %s", done*100/p.total, now.Sub(p.start).Truncate(time.Second))
	cells := min(width-len(text)-3, 40)
	if cells < 5 {
		return text[:min(len(text), max(width-1, 0))]
	}
	full := int(int64(cells) * done / p.total)
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", cells-full) + "]" + text
}
