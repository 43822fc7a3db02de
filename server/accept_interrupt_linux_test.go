package server

import (
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A waiting batch is ended by its deadline and by Close, and goes on when the deadline is lifted.
func TestBatchInterrupted(t *testing.T) {
	noLeaks(t)
	l := listen(t)
	b := batching(t, l)
	ended := make(chan error)
	run := func() {
		_, err := b.run(func(fd int, _ *peer) bool { return unix.Close(fd) == nil })
		ended <- err
	}
	go run()
	b.SetDeadline(time.Unix(1, 0))
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a deadline gives %v", err)
	}
	go run()
	if err := <-ended; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("one that has passed gives %v", err)
	}
	b.SetDeadline(time.Time{})
	go run()
	c := dial(t, l)
	io.ReadAll(c) // it is taken
	b.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("Close gives %v", err)
	}
	if _, err := b.run(nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// Clients without end do not keep a batch from its interruption, and others get their turn.
func TestBatchInterruptedUnderLoad(t *testing.T) {
	l := listen(t)
	b := batching(t, l)
	var taken atomic.Int64
	var clients sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
					c.(*net.TCPConn).SetLinger(0)
					c.Close()
				}
			}
		})
	}
	for range 20 {
		ended := make(chan error)
		go func() {
			for {
				n, err := b.run(func(fd int, _ *peer) bool { return unix.Close(fd) == nil })
				taken.Add(int64(n))
				if err != nil && !errors.Is(err, unix.ECONNABORTED) {
					ended <- err
					return
				}
			}
		}()
		runtime.Gosched()
		b.SetDeadline(time.Unix(1, 0))
		select {
		case err := <-ended:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("ended with %v", err)
			}
		case <-time.After(bound):
			t.Fatal("it is not interrupted")
		}
		before := taken.Load()
		if n, err := b.run(func(int, *peer) bool { t.Error("took one after its deadline"); return false }); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) || taken.Load() != before {
			t.Errorf("afterwards %d, %v", n, err)
		}
		b.SetDeadline(time.Time{})
	}
	close(stop)
	clients.Wait()
}

// More clients than are taken in a row are all taken, each once.
func TestBatchManyWaiting(t *testing.T) {
	l := listen(t)
	const many = 2*inARow + 7
	for range many {
		dial(t, l)
	}
	b := batching(t, l)
	b.SetDeadline(time.Now().Add(bound))
	total, rounds := 0, 0
	for ; total < many; rounds++ {
		got := 0
		n, err := b.run(func(fd int, _ *peer) bool {
			unix.Close(fd)
			if got++; total+got == many {
				b.SetDeadline(time.Unix(1, 0))
			}
			return true
		})
		if n != got || n > inARow {
			t.Errorf("%d of %d are told", n, got)
		}
		if total += n; err != nil && total < many {
			t.Fatal(err)
		}
	}
	if rounds != 3 {
		t.Errorf("%d rounds for %d clients", rounds, many)
	}
}
