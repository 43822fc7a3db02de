package server

import (
	"encoding/binary"
	"io"
	"sync"
	"testing"
	"time"
)

// What is queued is sent once and in order, whoever flushes meanwhile and whatever is gathered: handlers of HTTP/2 write while the
// rest of what others wrote waits for a slow client.
func TestFlushesAtOnce(t *testing.T) {
	near, far := tcpPair(t)
	near.SetWriteBuffer(16 << 10)
	raw, err := near.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	tr := &transport{Conn: near, sendTimeout: bound}
	tr.beEager(raw, &buffers{}, func() {})
	const numbers = 1 << 20
	var all sync.WaitGroup
	all.Go(func() { // the client
		far.SetDeadline(time.Now().Add(bound))
		part := make([]byte, 64<<10)
		for next := uint32(0); next < numbers; {
			if _, err := io.ReadFull(far, part); err != nil {
				t.Errorf("after %d: %v", next, err)
				far.Close()
				return
			}
			for ; len(part) > 0 && next < numbers; part = part[4:] {
				if got := binary.BigEndian.Uint32(part); got != next {
					t.Errorf("%d in the place of %d", got, next)
					far.Close()
					return
				}
				next++
			}
			part = make([]byte, 64<<10)
		}
	})
	var flushes sync.WaitGroup
	for next := uint32(0); next < numbers; {
		b := make([]byte, 0, 32<<10)
		for ; len(b) < cap(b) && next < numbers; next++ {
			b = binary.BigEndian.AppendUint32(b, next)
		}
		if tr.gathering(true) != nil {
			t.Fatal("it cannot gather")
		}
		tr.Write(b[:len(b)/2])
		tr.Write(b[len(b)/2:])
		if err := tr.gathering(false); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			flushes.Go(func() { tr.flush() })
		}
		if tr.queued() > mostQueued {
			if err := tr.flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	flushes.Wait()
	all.Wait()
	if n := tr.queued(); n > 0 {
		t.Errorf("%d bytes are left", n)
	}
}
