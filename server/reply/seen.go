package reply

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// seen remembers, more or less, what was asked for lately: fingerprints of 32 bits in sets of a few, of which the newest are kept.
type seen struct {
	slots int // of fingerprints, a power of two and no fewer than a set has
	once  sync.Once
	sets  []set
}

// set has the fingerprints of requests whose hashes begin alike, the newest first. With one for each hash two popular requests could
// drive each other out for ever.
type set [4]atomic.Uint32

// slotsFor is how many fingerprints a cache of so many bytes has: one for each kilobyte, up to 64 Ki.
func slotsFor(limit int64) int {
	return max(len(set{}), 1<<min(16, bits.Len64(uint64(max(limit, 0)>>10))))
}

// again reports whether the request with this hash was seen before, and remembers it. Of two that come at once one may be forgotten.
func (s *seen) again(hash uint64) bool {
	s.once.Do(func() { s.sets = make([]set, s.slots/len(set{})) })
	marks, mark := &s.sets[hash%uint64(len(s.sets))], uint32(hash>>32)|1
	for i := range marks {
		if marks[i].Load() == mark {
			return true
		}
	}
	for i := len(marks) - 1; i > 0; i-- {
		marks[i].Store(marks[i-1].Load())
	}
	marks[0].Store(mark)
	return false
}
