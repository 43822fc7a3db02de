package relay

import (
	"bytes"
	"runtime"
	"testing"
	"time"
)

// splicing counts the goroutines that are in package net's splice(2) now.
func splicing() int {
	stacks := make([]byte, 1<<20)
	return bytes.Count(stacks[:runtime.Stack(stacks, true)], []byte("internal/poll.Splice("))
}

// The kernel moves the bytes from TCP to TCP, and between TCP and unix sockets.
func TestSplice(t *testing.T) {
	for _, c := range []struct{ from, to string }{{"tcp4", "tcp4"}, {"tcp4", "unix"}, {"unix", "tcp4"}} {
		before := splicing()
		r := carry(t, c.from, c.to, V1, []byte("peeked"))
		says(t, r.client, "up")
		want := before + 2 // one for each direction
		for until := time.Now().Add(limit); splicing() != want && time.Now().Before(until); {
			time.Sleep(time.Millisecond)
		}
		if n := splicing(); n != want {
			t.Errorf("%v: %d directions are spliced, want %d: the bytes are copied here", c, n-before, want-before)
		}
		r.client.Close()
		r.server.Close()
		r.end(t)
	}
}
