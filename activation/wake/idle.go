package wake

import (
	"time"

	"github.com/rouse-server/rouse/platform"
)

// sampling is how often to look whether somebody is there.
func sampling(span time.Duration) time.Duration {
	return min(max(span/10, 50*time.Millisecond), time.Second)
}

// quiet measures for how long nobody was there.
type quiet struct {
	span  time.Duration
	since time.Time
	next  time.Time // before which nobody looks
}

// restful is how many times longer than a look the time between two is: to look at a thousand processes takes a tenth of a
// second. But on a busy machine, where a look takes long as well, it is not longer than the span, or longestRest.
const (
	restful     = 20
	longestRest = 2 * time.Second
)

// look asks whether somebody is there, unless it was asked a moment ago, and tells whether nobody was there for the whole span.
func (q *quiet) look(busy func() bool) bool {
	began := time.Now()
	if began.Before(q.next) {
		return false
	}
	over := q.seen(began, busy())
	q.next = time.Now().Add(min(restful*time.Since(began), max(q.span, longestRest)))
	return over
}

// seen takes the outcome of one look and tells whether nobody was there for the whole span.
func (q *quiet) seen(now time.Time, busy bool) bool {
	if busy {
		q.since = now
	}
	return now.Sub(q.since) >= q.span
}

// busy tells whether a client is there, waits, or was there since the last question. What cannot be known counts as busy.
func (l *life) busy() bool {
	arrived := l.engine.arrived() // asked always: it is the answer for the time since the last look
	if arrived || l.waiting() {
		return true
	}
	n, err := l.engine.connections(l.current)
	if err != nil && !l.uncounted {
		l.uncounted = true
		l.Log.Warn("the program is not stopped when idle: its connections cannot be counted", "err", err)
	}
	return err != nil || n > 0
}

// waiting tells whether a client waits on one of the sockets, or was accepted and has nobody yet.
func (l *life) waiting() bool { return platform.Readable(l.numbers()...) || l.engine.waiting() }

func (l *life) numbers() []int {
	var numbers []int
	for _, socket := range l.Sockets {
		numbers = append(numbers, socket.Number)
	}
	return numbers
}
