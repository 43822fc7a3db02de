package main

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestBar(t *testing.T) {
	start := time.Now()
	p := &progress{total: 4 << 20, done: 1 << 20, start: start}
	for width, want := range map[int]string{
		80: "[##########..............................]  25%  1m5s",
		27: "[###..........]  25%  1m5s",
		19: "[#....]  25%  1m5s",
		18: "  25%  1m5s",
		4:  "  2",
		1:  "",
	} {
		if got := p.bar(start.Add(65*time.Second+redraw), width); got != want || len(got) >= width {
			t.Errorf("width %d: %q, want %q", width, got, want)
		}
	}
	p.done = 5 << 20 // a file that grew
	if got := p.bar(start, 80); !strings.Contains(got, "100%") || strings.Contains(got, ".]") {
		t.Errorf("%q", got)
	}
}

// Lines stand above the bar, and at the end it is gone.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var terminal, other bytes.Buffer
		p := &progress{terminal: &terminal, width: func() int { return 60 }, stop: make(chan struct{})}
		p.print(&other, "before")
		p.scale(100)
		p.add(50)
		time.Sleep(redraw + redraw/2)
		p.print(&other, "a line")
		p.end()
		if other.String() != "before\na line\n" {
			t.Errorf("%q", other.String())
		}
		if got := terminal.String(); !strings.HasPrefix(got, "\r[####") || !strings.Contains(got, "]  50%") || !strings.HasSuffix(got, "\r\x1b[K") {
			t.Errorf("%q", got)
		}
	})
	silent := newProgress(&bytes.Buffer{}, false)
	silent.scale(1)
	silent.add(1)
	silent.end()
}
