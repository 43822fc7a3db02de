package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// size is a build function for a value of so many bytes.
func size(n int) func() ([]byte, error) {
	return func() ([]byte, error) { return make([]byte, n), nil }
}

// get asks for a value that must not fail, and tells whether it was kept.
func get[K comparable](t testing.TB, c *Cache[K], key K, n int) bool {
	t.Helper()
	value, hit, err := c.Get(t.Context(), key, size(n))
	if err != nil || len(value) != n {
		t.Fatalf("%v: %d bytes, %v", key, len(value), err)
	}
	return hit
}

// check compares the lists with the map and the limits.
func check[K comparable](t testing.TB, c *Cache[K]) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	entries := 0
	for _, l := range []*list[K]{&c.probation, &c.protected} {
		var sum int64
		n := 0
		var newer *entry[K]
		for e := l.newest; e != nil; newer, e = e, e.older {
			if e.newer != newer || e.in != l || c.kept[e.key] != e {
				t.Fatalf("entry %v is linked wrong", e.key)
			}
			sum += e.bytes
			n++
		}
		if l.oldest != newer || sum != l.bytes || n != l.entries {
			t.Fatalf("a list of %d entries and %d bytes counts %d and %d", n, sum, l.entries, l.bytes)
		}
		entries += n
	}
	if entries != len(c.kept) || len(c.making) != 0 || c.full() {
		t.Fatalf("%d entries in lists, %d in the map, %d being made, full: %t", entries, len(c.kept), len(c.making), c.full())
	}
}

func TestKeeps(t *testing.T) {
	t.Parallel()
	c := New[string](Limits{Bytes: 1 << 20})
	if get(t, c, "a", 10) {
		t.Error("hit in an empty cache")
	}
	if !get(t, c, "a", 10) || !get(t, c, "a", 10) {
		t.Error("not kept")
	}
	if get(t, c, "b", 10) {
		t.Error("another key hits")
	}
	check(t, c)
}

func TestEmptyValueIsKept(t *testing.T) {
	t.Parallel()
	c := New[int](Limits{Bytes: 1 << 20})
	none := func() ([]byte, error) { return nil, nil }
	c.Get(t.Context(), 1, none)
	if _, hit, err := c.Get(t.Context(), 1, none); !hit || err != nil {
		t.Errorf("%t, %v", hit, err)
	}
}

func TestBytes(t *testing.T) {
	t.Parallel()
	c := New[string](Limits{Bytes: 100_000})
	for i := range 1000 {
		get(t, c, fmt.Sprint(i), 1000)
		check(t, c)
	}
	if n := len(c.kept); n < 70 || n > 95 {
		t.Errorf("%d values of 1000 bytes are kept in 100000", n)
	}
	// Small ones count with their overhead, long keys with their length.
	for i := range 10_000 {
		get(t, c, fmt.Sprint("empty", i), 0)
	}
	if n := len(c.kept); n > 600 {
		t.Errorf("%d empty values are kept in 100000 bytes", n)
	}
	for i := range 1000 {
		get(t, c, fmt.Sprint(strings.Repeat("x", 1000), i), 0)
	}
	if n := len(c.kept); n > 90 {
		t.Errorf("%d values with keys of 1000 bytes are kept in 100000 bytes", n)
	}
	check(t, c)
}

// A slice with much to spare is not kept as it is.
func TestSpareCapacity(t *testing.T) {
	t.Parallel()
	c := New[int](Limits{Bytes: 10_000})
	c.Get(t.Context(), 1, func() ([]byte, error) { return append(make([]byte, 0, 1<<20), "short"...), nil })
	value, hit, _ := c.Get(t.Context(), 1, size(0))
	if string(value) != "short" || !hit || cap(value) > 64 {
		t.Errorf("%q, %t, cap %d", value, hit, cap(value))
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	for _, l := range []Limits{{Bytes: 10_000, EntryBytes: 100}, {Bytes: 150}, {}} {
		c := New[int](l)
		get(t, c, 1, 101)
		if get(t, c, 1, 101) {
			t.Errorf("%+v: kept", l)
		}
		check(t, c)
	}
	c := New[int](Limits{Bytes: 10_000, EntryBytes: 100})
	get(t, c, 1, 100)
	if !get(t, c, 1, 100) {
		t.Error("100 bytes are not kept although EntryBytes is 100")
	}
}

func TestEntries(t *testing.T) {
	t.Parallel()
	for entries := 1; entries < 8; entries++ {
		c := New[int](Limits{Bytes: 1 << 20, Entries: entries})
		for i := range 50 {
			get(t, c, i, 1)
			get(t, c, i/2, 1)
			check(t, c)
		}
		if len(c.kept) != entries {
			t.Errorf("%d entries, limit %d", len(c.kept), entries)
		}
	}
}

// A walk through everything does not wash out what is in use.
func TestSurvivesScans(t *testing.T) {
	t.Parallel()
	for _, l := range []Limits{{Bytes: 100_000}, {Bytes: 1 << 30, Entries: 100}} {
		c := New[int](l)
		for range 2 {
			for hot := range 50 {
				get(t, c, hot, 1000)
			}
		}
		for cold := range 10_000 {
			get(t, c, 1000+cold, 1000)
		}
		for hot := range 50 {
			if !get(t, c, hot, 1000) {
				t.Errorf("%+v: %d was washed out", l, hot)
			}
		}
		check(t, c)
	}
}

// What was in use once does not stay for ever.
func TestFollowsChange(t *testing.T) {
	t.Parallel()
	c := New[int](Limits{Bytes: 100_000})
	for use := range 2 {
		for range 2 {
			for i := range 70 {
				get(t, c, use*1000+i, 1000)
			}
		}
		// Asked for twice within what probation holds, all of the second use gets in.
		for i := range 70 {
			get(t, c, use*1000+i, 1000)
			get(t, c, use*1000+i, 1000)
		}
		for i := range 60 {
			if key := use*1000 + 69 - i; !get(t, c, key, 1000) {
				t.Fatalf("use %d: %d is not kept", use, key)
			}
		}
		check(t, c)
	}
}

func TestLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := New[int](Limits{Bytes: 1 << 20, Life: time.Minute})
		get(t, c, 1, 1)
		for range 5 {
			time.Sleep(11 * time.Second)
			if !get(t, c, 1, 1) {
				t.Fatal("gone before its time")
			}
		}
		time.Sleep(5 * time.Second)
		if get(t, c, 1, 1) {
			t.Error("kept for longer than its life")
		}
		if !get(t, c, 1, 1) {
			t.Error("not kept anew")
		}
		check(t, c)
	})
}

func TestIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := New[int](Limits{Bytes: 1 << 20, Idle: time.Minute})
		get(t, c, 1, 1)
		get(t, c, 2, 1)
		for range 5 {
			time.Sleep(59 * time.Second)
			if !get(t, c, 1, 1) {
				t.Fatal("gone although in use")
			}
		}
		get(t, c, 3, 1)
		if len(c.kept) != 2 {
			t.Errorf("%d kept: an idle one did not give its place to a new one", len(c.kept))
		}
		time.Sleep(time.Minute)
		if get(t, c, 1, 1) {
			t.Error("kept although idle")
		}
		check(t, c)
	})
}

func TestMadeOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := New[int](Limits{Bytes: 1 << 20})
		var builds atomic.Int32
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				value, _, err := c.Get(t.Context(), 1, func() ([]byte, error) {
					builds.Add(1)
					time.Sleep(time.Second)
					return []byte("made"), nil
				})
				if string(value) != "made" || err != nil {
					t.Errorf("%q, %v", value, err)
				}
			})
		}
		all.Wait()
		if n := builds.Load(); n != 1 {
			t.Errorf("built %d times", n)
		}
	})
}

// Those who wait for a value that is too large to keep get it too.
func TestWaitersOfTooLarge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := New[int](Limits{Bytes: 1 << 20, EntryBytes: 1})
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				value, hit, err := c.Get(t.Context(), 1, func() ([]byte, error) {
					time.Sleep(time.Second)
					return []byte("large"), nil
				})
				if string(value) != "large" || hit || err != nil {
					t.Errorf("%q, %t, %v", value, hit, err)
				}
			})
		}
		all.Wait()
	})
}

func TestErrorIsNotKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := New[int](Limits{Bytes: 1 << 20})
		failed := errors.New("failed")
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				value, hit, err := c.Get(t.Context(), 1, func() ([]byte, error) {
					time.Sleep(time.Second)
					return []byte("half"), failed
				})
				if value != nil || hit || err != failed {
					t.Errorf("%q, %t, %v", value, hit, err)
				}
			})
		}
		all.Wait()
		if get(t, c, 1, 1) {
			t.Error("kept")
		}
		check(t, c)
	})
}

func TestWaiterObeysContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := New[int](Limits{Bytes: 1 << 20})
		go c.Get(context.Background(), 1, func() ([]byte, error) {
			time.Sleep(time.Hour)
			return nil, nil
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		if _, _, err := c.Get(ctx, 1, size(1)); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		// An ended context builds nothing, but takes what is there.
		build := func() ([]byte, error) { t.Error("built"); return nil, nil }
		if _, _, err := c.Get(ctx, 2, build); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		if _, hit, err := c.Get(ctx, 1, build); !hit || err != nil {
			t.Errorf("%t, %v", hit, err)
		}
	})
}

// A builder whose own client goes away does not fail the others.
func TestBuilderGoesAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := New[int](Limits{Bytes: 1 << 20})
		gone, leave := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			_, _, err := c.Get(gone, 1, func() ([]byte, error) { <-gone.Done(); return nil, gone.Err() })
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		synctest.Wait()
		var builds atomic.Int32
		for range 5 {
			all.Go(func() {
				value, _, err := c.Get(t.Context(), 1, func() ([]byte, error) { builds.Add(1); return []byte("made"), nil })
				if string(value) != "made" || err != nil {
					t.Errorf("%q, %v", value, err)
				}
			})
		}
		synctest.Wait()
		leave()
		all.Wait()
		if builds.Load() != 1 {
			t.Errorf("built %d times", builds.Load())
		}
	})
}

func TestPanic(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(){"panic": func() { panic("broken") }, "Goexit": runtime.Goexit} {
		synctest.Test(t, func(t *testing.T) {
			c := New[int](Limits{Bytes: 1 << 20})
			var all sync.WaitGroup
			all.Go(func() {
				defer func() {
					if r := recover(); name == "panic" && r != "broken" {
						t.Errorf("recovered %v", r)
					}
				}()
				c.Get(t.Context(), 1, func() ([]byte, error) { time.Sleep(time.Second); end(); return nil, nil })
				t.Error("Get returned")
			})
			synctest.Wait()
			all.Go(func() {
				if value, _, err := c.Get(t.Context(), 1, size(1)); err == nil {
					t.Errorf("%s: a waiter got %q", name, value)
				}
			})
			all.Wait()
			if get(t, c, 1, 1) {
				t.Errorf("%s: kept", name)
			}
			check(t, c)
		})
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	c := New[int](Limits{Bytes: 20_000, Entries: 30, Life: time.Millisecond, Idle: time.Millisecond / 2})
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 2000 {
				key := (i*7 + worker) % 60
				value, _, err := c.Get(t.Context(), key, func() ([]byte, error) { return fmt.Append(nil, key), nil })
				if string(value) != fmt.Sprint(key) || err != nil {
					t.Errorf("%d: %q, %v", key, value, err)
				}
			}
		})
	}
	all.Wait()
	check(t, c)
}
