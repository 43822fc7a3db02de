package tree

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestComplaintsAreToldNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		c := Complaints{Log: slog.New(slog.NewTextHandler(&lines, nil))}
		complain := func() {
			for _, err := range []error{syscall.EIO, syscall.EACCES, syscall.EMFILE, syscall.ENOENT, ErrLink} {
				c.Answered(t.Context(), "/x", &fs.PathError{Op: "open", Path: "x", Err: err})
			}
			c.BrokenOff(t.Context(), "/y", syscall.EIO)
		}
		for range 5 {
			complain()
		}
		time.Sleep(complainEvery)
		complain()
		for _, text := range []string{"answered 500", "answered 403", "answered 503", "broke a reply off"} {
			for _, times := range []int{1, 5} {
				found := false
				for line := range strings.Lines(lines.String()) {
					found = found || strings.Contains(line, text) && strings.Contains(line, fmt.Sprintf("times=%d\n", times))
				}
				if !found {
					t.Errorf("no line %q with %d times in\n%s", text, times, &lines)
				}
			}
		}
		if n := strings.Count(lines.String(), "\n"); n != 8 {
			t.Errorf("%d lines:\n%s", n, &lines)
		}
		(&Complaints{}).Answered(t.Context(), "/x", syscall.EIO) // nobody is told
	})
}
