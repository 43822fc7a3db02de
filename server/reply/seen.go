package reply

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// seen remembers, more or less, what was asked for lately: a fingerprint of 32 bits in the one slot that each request has.
type seen struct {
	slots int // a power of two
	once  sync.Once
	marks []atomic.Uint32
}

// slotsFor is how many slots a cache of so many bytes has: one for each kilobyte, up to 64 Ki.
func slotsFor(limit int64) int {
	return 1 << min(16, bits.Len64(uint64(max(limit, 0)>>10)))
}

// again reports whether the request with this hash was seen before, and remembers it.
func (s *seen) again(hash uint64) bool {
	s.once.Do(func() { s.marks = make([]atomic.Uint32, s.slots) })
	slot, mark := &s.marks[hash%uint64(s.slots)], uint32(hash>>32)|1
	if slot.Load() == mark {
		return true
	}
	slot.Store(mark)
	return false
}
