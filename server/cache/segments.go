package cache

import "time"

// Four fifths are for values that were asked for again.
const (
	protectedShare = 4
	shares         = 5
)

// entry is a value that is kept, in one of the two lists.
type entry[K comparable] struct {
	key          K
	value        []byte
	bytes        int64     // what it costs
	made, used   time.Time // zero where no limit of time asks for them
	newer, older *entry[K]
	in           *list[K]
}

// list is entries from the one used last to the one not used for longest.
type list[K comparable] struct {
	newest, oldest *entry[K]
	bytes          int64
	entries        int
}

func (l *list[K]) push(e *entry[K]) {
	e.in, e.newer, e.older = l, nil, l.newest
	if l.newest != nil {
		l.newest.newer = e
	} else {
		l.oldest = e
	}
	l.newest = e
	l.bytes += e.bytes
	l.entries++
}

func (l *list[K]) remove(e *entry[K]) {
	if e.newer != nil {
		e.newer.older = e.older
	} else {
		l.newest = e.older
	}
	if e.older != nil {
		e.older.newer = e.newer
	} else {
		l.oldest = e.newer
	}
	e.in, e.newer, e.older = nil, nil, nil
	l.bytes -= e.bytes
	l.entries--
}

// find returns the entry of key if there is one that is not too old, and notes that it was used. The cache is locked.
func (c *Cache[K]) find(key K) *entry[K] {
	e := c.kept[key]
	if e == nil {
		return nil
	}
	if c.limits.Life > 0 || c.limits.Idle > 0 {
		now := c.now()
		if c.tooOld(e, now) {
			c.drop(e)
			return nil
		}
		e.used = now
	}
	if e == c.protected.newest {
		return e
	}
	e.in.remove(e)
	c.protected.push(e)
	for c.protected.oldest != e && c.over(&c.protected, protectedShare) {
		demoted := c.protected.oldest
		c.protected.remove(demoted)
		c.probation.push(demoted)
	}
	return e
}

func (c *Cache[K]) tooOld(e *entry[K], now time.Time) bool {
	return c.limits.Life > 0 && now.Sub(e.made) >= c.limits.Life || c.limits.Idle > 0 && now.Sub(e.used) >= c.limits.Idle
}

// over tells whether a list has more than so many shares of the whole.
func (c *Cache[K]) over(l *list[K], part int64) bool {
	return l.bytes > c.limits.Bytes/shares*part || c.limits.Entries > 0 && l.entries > max(1, c.limits.Entries*int(part)/shares)
}

// add keeps a value and drops others until all limits are kept. The cache is locked.
func (c *Cache[K]) add(key K, value []byte) {
	e := &entry[K]{key: key, value: value, bytes: int64(cap(value)) + c.overhead(key)}
	if e.bytes > c.limits.Bytes {
		return
	}
	if c.limits.Life > 0 || c.limits.Idle > 0 {
		e.made = c.now()
		e.used = e.made
		c.dropOld(&c.probation, e.made)
		c.dropOld(&c.protected, e.made)
	}
	c.kept[key] = e
	c.probation.push(e)
	for c.full() {
		if oldest := c.probation.oldest; oldest != e {
			c.drop(oldest)
		} else {
			c.drop(c.protected.oldest)
		}
	}
}

func (c *Cache[K]) full() bool {
	return c.probation.bytes+c.protected.bytes > c.limits.Bytes ||
		c.limits.Entries > 0 && c.probation.entries+c.protected.entries > c.limits.Entries
}

// dropOld drops what was used last of all as long as it is too old.
func (c *Cache[K]) dropOld(l *list[K], now time.Time) {
	for l.oldest != nil && c.tooOld(l.oldest, now) {
		c.drop(l.oldest)
	}
}

func (c *Cache[K]) drop(e *entry[K]) {
	e.in.remove(e)
	delete(c.kept, e.key)
}
