package server

import (
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// Clients that say something, drains that take connections out and a lot that is closed get into each other's way without
// losing a connection, waking a wrong one or one twice.
func TestParkRaces(t *testing.T) {
	noLeaks(t)
	for range 30 {
		var woken, taken, closed sync.Map
		var served sync.WaitGroup
		l := parking(t, func(p *parked) {
			if _, twice := woken.LoadOrStore(p, true); twice {
				t.Error("woken twice")
			}
			served.Go(func() {
				nc, err := p.unpark()
				if err != nil {
					return
				}
				if _, twice := taken.LoadOrStore(p, true); twice {
					t.Error("taken twice")
				}
				if !hears(nc, p.owner.(string)) {
					t.Error("woken for somebody else's bytes")
				}
				nc.Close()
			})
		})
		var all sync.WaitGroup
		for i := range 40 {
			near, far := tcpPair(t)
			word := strconv.Itoa(1000 + i)
			p, err := l.park(near, word)
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() { io.WriteString(far, word) })
			all.Go(func() {
				if i%3 == 0 {
					p.Close()
					closed.Store(p, true)
				} else if nc, err := p.unpark(); err == nil {
					if _, twice := taken.LoadOrStore(p, true); twice {
						t.Error("taken twice")
					}
					nc.Close()
				}
				p.readable()
			})
		}
		if rand.N(2) == 0 {
			all.Wait()
		}
		l.close()
		all.Wait()
		served.Wait()
		if l.count() != 0 {
			t.Errorf("%d are left", l.count())
		}
	}
}

// Ten thousand connections sleep without a goroutine, and each of them is woken when its client speaks.
func TestParkTenThousand(t *testing.T) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	many := min(10_000, int(limit.Cur)/2-200) // both ends are ours
	var woken atomic.Int64
	l := parking(t, func(p *parked) {
		woken.Add(1)
		p.Close()
	})
	far := make([]int, many)
	noLeaks(t)
	for i := range far {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		far[i] = pair[1]
		if _, err := l.park(resume(pair[0], &net.UnixAddr{}, &net.UnixAddr{}), nil); err != nil {
			t.Fatal(err)
		}
	}
	if l.count() != many || woken.Load() != 0 {
		t.Errorf("%d in the lot, %d woken", l.count(), woken.Load())
	}
	for _, fd := range far {
		unix.Write(fd, []byte("x"))
	}
	eventually(t, "all are woken", func() bool { return woken.Load() == int64(many) })
	for _, fd := range far {
		unix.Close(fd)
	}
	if l.count() != 0 {
		t.Errorf("%d are left", l.count())
	}
}
