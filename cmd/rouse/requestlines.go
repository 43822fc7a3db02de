package main

import (
	"context"
	"io"
	"log/slog"
	"sync"

	"github.com/rouse-server/rouse/server"
)

// requestLines writes the lines of requests in a form of their own, and leaves all others to its handler.
type requestLines struct {
	slog.Handler
	entries slog.Handler // takes the lines of requests; nil: they are written here
	sink    sink
	to      io.Writer
	rooms   *sync.Pool // of *[]byte, for lines
}

// longLine is the room for a line that is kept for the next one.
const longLine = 4 << 10

func (h requestLines) Handle(ctx context.Context, r slog.Record) error {
	entry := entryOf(r)
	switch {
	case entry == nil:
		return h.Handler.Handle(ctx, r)
	case h.entries != nil:
		return h.entries.Handle(ctx, r)
	}
	room := h.rooms.Get().(*[]byte)
	line := append(h.line((*room)[:0], r, entry), '\n')
	_, err := h.to.Write(line)
	if cap(line) <= longLine {
		*room = line
	}
	h.rooms.Put(room)
	return err
}

// line appends the line of a request, without its end.
func (h requestLines) line(b []byte, r slog.Record, e *server.AccessEntry) []byte {
	switch h.sink.requests {
	case "common":
		return e.AppendCommon(b)
	case "combined":
		return e.AppendCombined(b)
	}
	switch {
	case h.sink.prioritized:
	case h.sink.colours:
		b = append(r.Time.AppendFormat(append(b, "\x1b[2m"...), h.sink.clock()), "\x1b[0m "...) // dim, as in the other lines
	default:
		b = append(r.Time.AppendFormat(b, h.sink.clock()), ' ')
	}
	return e.AppendHuman(b, h.sink.terminal, h.sink.colours)
}

// entryOf is the request that a record is about, nil for all other records.
func entryOf(r slog.Record) (entry *server.AccessEntry) {
	if r.NumAttrs() == 1 {
		r.Attrs(func(a slog.Attr) bool {
			if a.Value.Kind() == slog.KindLogValuer {
				entry, _ = a.Value.Any().(*server.AccessEntry)
			}
			return false
		})
	}
	return entry
}

// oneByOne keeps lines of several handlers apart.
type oneByOne struct {
	mu sync.Mutex
	to io.Writer
}

func (o *oneByOne) Write(line []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.to.Write(line)
}
