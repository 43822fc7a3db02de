package route

import (
	"errors"
	"sync"
	"time"
)

// outlet is one place where clients are delivered, and the queue of those that wait for it.
type outlet struct {
	b     *backend
	giver giver

	mu     sync.Mutex
	queue  []*client
	why    error // why the first of them waits
	timer  *time.Timer
	next   time.Time // when the timer is due; zero: it is not set
	used   time.Time // when a client came last
	closed bool      // it was idle, and is not used any more
}

// offer delivers a client, or lets it wait. It returns false when the outlet is not used any more.
func (o *outlet) offer(c *client) bool {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return false
	}
	o.used = c.meta.At
	var err error
	if len(o.queue) == 0 {
		if err = o.giver.give(c); err == nil {
			o.mu.Unlock()
			return true
		}
		o.why = err
	}
	switch {
	case errors.Is(err, errUnfit):
		o.mu.Unlock()
		o.b.drop(c, dropUnfit, err)
	case !o.b.holds():
		why := o.why
		o.mu.Unlock()
		o.b.drop(c, dropMany, why)
	default:
		o.push(c)
		o.mu.Unlock()
	}
	return true
}

// push lets a client wait behind the others. The caller holds mu.
func (o *outlet) push(clients ...*client) {
	o.queue = append(o.queue, clients...)
	o.counted(len(clients))
	for _, c := range clients {
		o.remind(c.until)
	}
}

// again puts clients in front of the others: a session had got them, and did not accept them.
func (o *outlet) again(clients []*client) {
	if len(clients) == 0 {
		return
	}
	o.mu.Lock()
	now, patience := time.Now(), o.b.settings().Patience
	for _, c := range clients {
		c.until = now.Add(patience)
	}
	o.queue = append(clients, o.queue...)
	o.counted(len(clients))
	o.b.again.Add(uint64(len(clients)))
	o.remind(now.Add(patience))
	o.mu.Unlock()
	o.pump()
}

// pump delivers those that wait, as far as somebody takes them, and lets others in.
func (o *outlet) pump() {
	var unfit []*client
	var why error
	o.mu.Lock()
	for len(o.queue) > 0 {
		c := o.queue[0]
		err := o.giver.give(c)
		if err != nil && !errors.Is(err, errUnfit) {
			o.why = err
			break
		}
		if err != nil {
			unfit, why = append(unfit, c), err
		}
		o.queue[0] = nil
		o.queue = o.queue[1:]
		o.counted(-1)
	}
	o.mu.Unlock()
	for _, c := range unfit {
		o.b.drop(c, dropUnfit, why)
	}
	o.b.d.rouse(o.b)
}

// takeBack takes out all that wait.
func (o *outlet) takeBack() []*client {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := o.queue
	o.queue = nil
	o.counted(-len(all))
	return all
}

// counted notes a change of the number of those that wait.
func (o *outlet) counted(n int) {
	o.b.waiting.Add(int64(n))
	o.b.d.waiting.Add(int64(n))
}

// remind sees that expire runs at that time. The caller holds mu.
func (o *outlet) remind(at time.Time) {
	if !o.next.IsZero() && !at.Before(o.next) {
		return
	}
	o.next = at
	if o.timer == nil {
		o.timer = time.AfterFunc(time.Until(at), o.expire)
		return
	}
	o.timer.Reset(time.Until(at))
}

// expire resets those whose patience has ended.
func (o *outlet) expire() {
	var over []*client
	o.mu.Lock()
	now, kept, next := time.Now(), o.queue[:0:0], time.Time{}
	for _, c := range o.queue {
		if !c.until.After(now) {
			over = append(over, c)
			continue
		}
		kept = append(kept, c)
		if next.IsZero() || c.until.Before(next) {
			next = c.until
		}
	}
	o.queue, o.next = kept, time.Time{}
	o.counted(-len(over))
	if !next.IsZero() {
		o.remind(next)
	}
	why := o.why
	o.mu.Unlock()
	for _, c := range over {
		o.b.drop(c, dropPatience, why)
	}
	if len(over) > 0 {
		o.b.d.rouse(o.b)
	}
}

// oldest is how long the first has waited since it was accepted.
func (o *outlet) oldest(now time.Time) (age time.Duration, waiting int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, c := range o.queue {
		age = max(age, now.Sub(c.meta.At))
	}
	return age, len(o.queue)
}
