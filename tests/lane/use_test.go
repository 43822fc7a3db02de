package lane

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Without this, a lane that never sends a reply again would be found to be the same.
func TestKeptRepliesAreSent(t *testing.T) {
	t.Parallel()
	p := start(t, setup{args: "--reply-ttl 1h"})
	for _, over := range transports() {
		p.sendsKept(over)
	}
}

// sendsKept changes files after they were asked for, until what comes is what was kept. Files that have only just changed are
// not kept.
func (p *pair) sendsKept(over transport) {
	p.t.Helper()
	const before, after = "as it was\n", "as it is\n"
	for begun, n := time.Now(), 0; time.Since(begun) < limit; n++ {
		name := fmt.Sprintf("kept-%d-%d.txt", over, n)
		c := conversation{name: "kept", requests: thrice(get("/" + name))}
		write(p.t, p.dir, "site/"+name, before)
		time.Sleep(life)
		p.compare(over, c)
		write(p.t, p.dir, "site/"+name, after)
		with, off, _ := p.both(over, c)
		if !strings.Contains(off[0], after) {
			p.t.Errorf("without the lane over %v: %q, want %q", over, off[0], after)
		}
		if strings.Contains(with[0], before) {
			return
		}
	}
	p.t.Errorf("over %v, no reply is sent again", over)
}
