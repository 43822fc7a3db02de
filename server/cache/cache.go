// Package cache keeps byte slices in bounded memory, and makes each of them once however many ask for it at the same time.
package cache

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"time"
	"unsafe"
)

// Limits bound a cache. What is 0 does not bound it, except Bytes.
type Limits struct {
	Bytes      int64         // of memory altogether, overhead included; 0 keeps nothing
	EntryBytes int64         // a longer value is not kept
	Entries    int           // number of values
	Life       time.Duration // a value is made again this long after it was made
	Idle       time.Duration // a value is dropped when nobody asked for it this long
}

// Cache is a segmented LRU: values that were asked for again are protected from those that were asked for once, so that a
// walk through everything there is does not wash out what is in use. (That holds for values up to a fifth of Limits.Bytes.)
// It has no goroutines: values that are too old go when they are asked for, or when there is need for their place.
// All methods may be called from several goroutines.
type Cache[K comparable] struct {
	limits Limits
	now    func() time.Time

	mu        sync.Mutex
	kept      map[K]*entry[K]
	making    map[K]*making
	probation list[K] // asked for once
	protected list[K] // asked for again; at most protectedShare of the whole
}

// New returns an empty cache.
func New[K comparable](l Limits) *Cache[K] {
	return &Cache[K]{limits: l, now: time.Now, kept: map[K]*entry[K]{}, making: map[K]*making{}}
}

// making is a value that somebody builds now.
type making struct {
	done  chan struct{} // closed when value and err are set
	value []byte
	err   error
}

var errAbandoned = errors.New("making the value ended by a panic")

// Get returns the value of key, and whether it was kept. If it was not, the first to ask builds it; who asks meanwhile waits
// for that, or for ctx to end. The value is shared: it must not be changed.
//
// An error of build goes to all who wait, and is not kept; nor is a panic, which goes to the one who builds while the others
// get an error. Where the builder's error is that its own context ended, those who wait build again.
func (c *Cache[K]) Get(ctx context.Context, key K, build func() ([]byte, error)) (value []byte, hit bool, err error) {
	for {
		c.mu.Lock()
		if e := c.find(key); e != nil {
			value = e.value
			c.mu.Unlock()
			return value, true, nil
		}
		other, waits := c.making[key]
		if !waits {
			break
		}
		c.mu.Unlock()
		select {
		case <-other.done:
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
		if errors.Is(other.err, context.Canceled) || errors.Is(other.err, context.DeadlineExceeded) {
			continue // its client is gone, ours may not be
		}
		return other.value, false, other.err
	}
	if err := ctx.Err(); err != nil {
		c.mu.Unlock()
		return nil, false, err
	}
	m := &making{done: make(chan struct{}), err: errAbandoned}
	c.making[key] = m
	c.mu.Unlock()
	defer c.finish(key, m) // also when build panics
	if value, err = build(); err != nil {
		value = nil
	}
	m.value, m.err = value, err
	return value, false, err
}

// finish keeps what was built, if it can be kept, and lets those who wait have it.
func (c *Cache[K]) finish(key K, m *making) {
	keep := m.err == nil && (c.limits.EntryBytes == 0 || int64(len(m.value)) <= c.limits.EntryBytes)
	kept := m.value
	if keep && cap(kept)-len(kept) > len(kept)/8 {
		kept = bytes.Clone(kept) // a buffer that grew has up to as much again to spare
	}
	c.mu.Lock()
	delete(c.making, key)
	if keep {
		c.add(key, kept)
	}
	c.mu.Unlock()
	close(m.done)
}

// overhead is what an entry costs besides its value: itself, its place in the map, and the allocator's rounding.
func (c *Cache[K]) overhead(key K) int64 {
	n := int64(unsafe.Sizeof(entry[K]{})) + 2*int64(unsafe.Sizeof(key)) + 64
	if s, ok := any(key).(string); ok {
		n += int64(len(s))
	}
	return n
}
