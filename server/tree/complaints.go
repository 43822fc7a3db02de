package tree

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"
)

// Complaints tells of files and folders that are there and cannot be read, which their owner hardly means. A disk that fails does so
// for every request, so each kind is told now and then. It may be used by many goroutines at a time.
type Complaints struct {
	Log *slog.Logger // nil: nobody is told

	forbidden, busy, failing, cut complaint
}

// Answered tells of a request for path that got the Status of err, if that is worth a line.
func (c *Complaints) Answered(ctx context.Context, path string, err error) {
	switch Status(err) {
	case http.StatusForbidden:
		if errors.Is(err, fs.ErrPermission) {
			c.tell(ctx, &c.forbidden, "answered 403: the user that Rouse runs as may not read a file (root without its capabilities is a user as others are)", path, err)
		}
	case http.StatusServiceUnavailable:
		c.tell(ctx, &c.busy, "answered 503: a file cannot be opened for now", path, err)
	case http.StatusInternalServerError:
		c.tell(ctx, &c.failing, "answered 500: a file cannot be read; see to its disk or file system", path, err)
	}
}

// BrokenOff tells of a reply whose file could not be read any more once its head was sent.
func (c *Complaints) BrokenOff(ctx context.Context, path string, err error) {
	c.tell(ctx, &c.cut, "broke a reply off: its file cannot be read any more; see to its disk or file system", path, err)
}

// tell says it with how often that happened since it was said last.
func (c *Complaints) tell(ctx context.Context, kind *complaint, text, path string, err error) {
	if times, due := kind.due(time.Now()); due && c.Log != nil {
		c.Log.ErrorContext(ctx, text, "path", path, "error", err, "times", times)
	}
}

// complaint is one kind of them.
type complaint struct {
	last   atomic.Pointer[time.Time] // when it was told; nil: never
	untold atomic.Int64              // how often since
}

const complainEvery = 10 * time.Second

// due counts one, and tells whether they are to be told now.
func (c *complaint) due(now time.Time) (times int64, due bool) {
	c.untold.Add(1)
	last := c.last.Load()
	if last != nil && now.Sub(*last) < complainEvery || !c.last.CompareAndSwap(last, &now) {
		return 0, false
	}
	return c.untold.Swap(0), true
}
