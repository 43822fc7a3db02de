package route

import (
	"sync"
	"time"
)

// samples tell how long the oldest clients in the kernel's queue of a socket have waited. The queue is first in, first out: who
// had arrived at a sample and was not accepted since has waited since then at least.
type samples struct {
	mu      sync.Mutex
	list    []sample
	unknown bool // the kernel does not tell the length of the queue
}

// sample is how many clients had arrived by then: those that were accepted, and those in the queue.
type sample struct {
	at      time.Time
	arrived uint64
}

// samplesOf is how many samples are kept of a patience.
const samplesOf = 32

// known tells whether the length of the queue can be asked for.
func (s *samples) known() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.unknown
}

func (s *samples) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = nil
}

// look notes how many clients were accepted and how many wait, and returns how many of those have waited for the patience.
func (s *samples) look(now time.Time, patience time.Duration, accepted uint64, waiting int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if waiting == 0 {
		s.list = nil
		return 0
	}
	due := 0
	for len(s.list) > 0 && now.Sub(s.list[0].at) >= patience {
		due = max(int(s.list[0].arrived-min(accepted, s.list[0].arrived)), 0)
		if len(s.list) > 1 && now.Sub(s.list[1].at) < patience {
			break // it is needed until the next one is old enough
		}
		s.list = s.list[1:]
	}
	if n := len(s.list); n == 0 || now.Sub(s.list[n-1].at) >= patience/samplesOf {
		s.list = append(s.list, sample{now, accepted + uint64(waiting)})
	}
	return min(due, waiting)
}
