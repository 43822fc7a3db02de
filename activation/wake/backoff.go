package wake

import "time"

// freeEnds is how many times in a row a program may end well, right after its start and with a client still waiting, before
// it is started slower. One that serves a single client and ends is rare, and not to be punished at once.
const freeEnds = 5

// backoff says how long to wait before a program that keeps ending is started again.
type backoff struct {
	first, most time.Duration // the first pause, which doubles, and the longest one
	settled     time.Duration // a program that lived so long starts afresh
	crashes     int           // in a row
	ends        int
}

// crashed returns the pause after a run that failed.
func (b *backoff) crashed(lived time.Duration) time.Duration {
	b.ends = 0
	if lived >= b.settled {
		b.crashes = 0
	}
	b.crashes++
	pause := b.first
	for range b.crashes - 1 {
		pause *= 2
		if pause >= b.most {
			return b.most
		}
	}
	return pause
}

// ended returns the pause after a run that ended well by itself; it listened for as long as it lived, if it did at all.
// waiting tells whether a client has still to be served.
func (b *backoff) ended(lived time.Duration, waiting bool) time.Duration {
	b.crashes = 0
	if lived >= b.settled || !waiting {
		b.ends = 0
		return 0
	}
	b.ends++
	switch {
	case b.ends <= freeEnds:
		return 0
	case lived > 0: // it may serve one client each time
		return b.first / 10
	}
	return b.first
}

func (b *backoff) forget() { b.crashes, b.ends = 0, 0 }
