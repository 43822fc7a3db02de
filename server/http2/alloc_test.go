//go:build !race

package http2

import (
	"testing"
	"time"

	"github.com/rouse-server/rouse/server/reply"
)

// A repeated request costs no memory, whatever its reply is, and all that came together are answered in one write. (Under the race
// detector sync.Pool drops what it is given.)
func TestRepeatedAllocatesNothing(t *testing.T) {
	for _, size := range []int{0, 1000, 10_000} {
		o := repeating(t, make([]byte, size))
		o.Buffers = new(Buffers)
		o.Dates = new(reply.Dates)
		told := 0
		o.Repeated = func(_ *reply.Request, _ *reply.Reply, n int64, _ time.Time, aborted bool) {
			if told++; n != int64(size) || aborted {
				t.Errorf("told of %d bytes, aborted %t", n, aborted)
			}
		}
		c, out, b := asking(t, o, 16)
		next := uint32(3)
		told, out.writes = 0, 0
		allocated := testing.AllocsPerRun(100, func() {
			next = renumber(b, next)
			c.Receive(b)
			c.window, c.options.Scope = maxWindow, 0
		})
		if allocated >= 1 {
			t.Errorf("16 requests for %d bytes allocate %v times", size, allocated)
		}
		if told != 101*16 || out.writes != 101 {
			t.Errorf("%d replies were told of, in %d writes", told, out.writes)
		}
		c.Close()
	}
}
