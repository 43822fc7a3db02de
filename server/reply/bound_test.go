package reply

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Many ask, add and revive at the same time.
func TestTogether(t *testing.T) {
	c := NewCache(Limits{Bytes: 1 << 20, Body: 64 << 10, Life: time.Millisecond})
	begun := time.Now()
	var version atomic.Int64
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 1))
			for range 1000 {
				n := random.IntN(300)
				r := plain(fmt.Sprintf("/%d", n), AcceptEncoding, strconv.Itoa(n%3))
				v := version.Add(int64(random.IntN(50) / 49))
				made, _ := ask(t, c, r, time.Since(begun), func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Vary", "accept-encoding")
					if text := fmt.Sprintf("%d of version %d", n, v); !Mark(w, text) {
						io.WriteString(w, text+strings.Repeat(".", n*10))
					}
				})
				if made != nil && !strings.HasPrefix(string(made.Body), strconv.Itoa(n)+" of version ") {
					t.Errorf("%d is answered with %.30q", n, made.Body)
				}
				if found := c.Peek(r, time.Since(begun)); found != nil && !strings.HasPrefix(string(found.Body), strconv.Itoa(n)+" of ") {
					t.Errorf("%d finds %.30q", n, found.Body)
				}
			}
		})
	}
	group.Wait()
	check(t, c)
}

// The bound holds, and counts all the memory that there is.
func TestBound(t *testing.T) {
	const bytes = 2 << 20
	for _, size := range []int{10, 1000, 30_000} {
		c := NewCache(Limits{Bytes: bytes, Body: 64 << 10, Life: time.Hour})
		h := says(strings.Repeat("x", size), "Content-Length", strconv.Itoa(size), "Etag", `"abcdefghijklmnopqrstuv"`, "Content-Type", "text/html")
		before := heap()
		for i := range 5_000 {
			r := plain("/some/folder/file-" + strconv.Itoa(i) + ".html")
			made, _ := record(t, c, r, nil, wantedFor(c, r), h)
			if made == nil {
				t.Fatal("it went to the stream")
			}
		}
		used := heap() - before
		n := check(t, c)
		t.Logf("bodies of %d bytes: %d are kept in %d bytes, counted as %d", size, n, used, c.queue.bytes)
		if n < 50 || used > bytes*11/10 {
			t.Errorf("bodies of %d bytes: %d are kept in %d bytes", size, n, used)
		}
		runtime.KeepAlive(c)
	}
}

// wantedFor makes a cache want a request.
func wantedFor(c *Cache, r *Request) Finding {
	for {
		if _, finding := c.Find(r, 0); finding != Unknown {
			return finding
		}
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// What is in use outlives a walk through everything there is, once or twice.
func TestScan(t *testing.T) {
	for rounds := 1; rounds <= 2; rounds++ {
		c := NewCache(Limits{Bytes: 1 << 20, Body: 64 << 10, Life: time.Hour})
		h := says(strings.Repeat("x", 1000))
		for i := range 200 {
			keep(t, c, plain("/used/"+strconv.Itoa(i)), 0, h)
		}
		for i := range 4_000 {
			for range rounds {
				ask(t, c, plain("/scanned/"+strconv.Itoa(i)), 0, h)
			}
			c.Find(plain("/used/"+strconv.Itoa(i%200)), 0)
		}
		lost := 0
		for i := range 200 {
			if _, finding := c.Find(plain("/used/"+strconv.Itoa(i)), 0); finding != Good {
				lost++
				c.Record(plain("/used/"+strconv.Itoa(i)), nil, Unknown, newStream()).Abandon()
			}
		}
		if lost > 4 {
			t.Errorf("%d of 200 are lost in a scan of %d rounds", lost, rounds)
		}
	}
}

// Those that come round again and again are all to be found, though some have the same place.
func TestSeenInTurn(t *testing.T) {
	const requests = 20_000
	s := seen{slots: slotsFor(64 << 20)}
	found := 0
	for round := range 2 {
		for n := range uint64(requests) {
			if s.again(mix(n)) && round > 0 {
				found++
			}
		}
	}
	if found < requests*97/100 {
		t.Errorf("of %d requests, %d are known when they come again", requests, found)
	}
}
