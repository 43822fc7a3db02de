package reply

import (
	"hash/maphash"
	"math/bits"
	"sync"
	"time"
)

// Limits bound a cache.
type Limits struct {
	Bytes int64         // of memory altogether; 0 keeps nothing
	Body  int           // the longest body that is kept, in bytes
	Life  time.Duration // how long a reply is sent without being held against the chain; 0: never
	Trust int           // for how many lives it may be held against its source alone, without the chain
}

// Cache keeps replies. All methods may be called from several goroutines.
type Cache struct {
	limits     Limits
	seed       maphash.Seed
	seen       seen
	shards     [shards]shard
	queue      queue
	recordings sync.Pool // of *Recording
}

// shards is in how many parts the replies are, by their keys, so that who looks for one seldom meets who adds one.
const shards = 64

// shard is one of them.
type shard struct {
	sync.RWMutex
	first map[uint64]*Reply        // by key; others follow by sibling
	tasks map[uint64]time.Duration // what was Wanted and since when, by the full key
	_     [8]byte                  // to 64 in all, the line of a processor's cache
}

// patience is how long who was told Wanted or Due is waited for.
const patience = 10 * time.Second

// NewCache returns an empty cache.
func NewCache(l Limits) *Cache {
	c := &Cache{limits: l, seed: maphash.MakeSeed()}
	c.seen.slots = slotsFor(l.Bytes)
	c.queue.most = l.Bytes - int64(4*c.seen.slots)
	return c
}

// Finding is what a cache knows of a request.
type Finding int

const (
	Unknown Finding = iota // nothing is kept, nor is it to be: the chain answers
	Wanted                 // nothing is kept; the chain answers, and its reply is to be kept
	Due                    // a reply is kept whose life is over: the chain answers, and says whether it still holds
	Good                   // the reply may be sent
)

// Find returns the reply that is kept for a request, nil for Unknown and Wanted. now is a monotonic time. It allocates
// nothing when the finding is Good. Wanted and Due are told to one caller, who runs the chain with a Recording; others get
// Unknown, or the reply as Good, meanwhile: that until its life is over twice.
func (c *Cache) Find(r *Request, now time.Duration) (*Reply, Finding) {
	if c.queue.most <= 0 {
		return nil, Unknown
	}
	r.asked, r.key, r.full = now, c.key(r), 0
	s := c.shard(r)
	found := s.find(r)
	if found == nil {
		return c.missing(s, r)
	}
	return c.judge(found, now)
}

// Peek is Find for somebody who cannot run the chain: it returns the reply where the finding would be Good, and otherwise
// nil, and is not counted as asking.
func (c *Cache) Peek(r *Request, now time.Duration) *Reply {
	if c.queue.most <= 0 {
		return nil
	}
	r.key = c.key(r)
	found := c.shard(r).find(r)
	if found == nil || found.age(now) >= c.limits.Life && (found.checking.Load() == 0 || found.age(now) >= 2*c.limits.Life) {
		return nil
	}
	found.use()
	return found
}

// use notes that a reply is in use, which the shared memory is changed for once only.
func (k *kept) use() {
	if !k.used.Load() {
		k.used.Store(true)
	}
}

// judge tells what is to be done with a reply that is kept.
func (c *Cache) judge(found *Reply, now time.Duration) (*Reply, Finding) {
	found.use()
	age := found.age(now)
	if age < c.limits.Life {
		return found, Good
	}
	if c.limits.Life == 0 {
		return found, Due
	}
	since := found.checking.Load()
	if (since == 0 || int64(now)-since > int64(patience)) && found.checking.CompareAndSwap(since, int64(now)+1) {
		if c.holds(found, now) {
			found.checked.Store(int64(now))
			found.checking.Store(0)
			return found, Good
		}
		return found, Due
	}
	if age < 2*c.limits.Life {
		return found, Good
	}
	return nil, Unknown
}

// holds tells whether a reply holds as far as its source tells, without the chain.
func (c *Cache) holds(found *Reply, now time.Duration) bool {
	return found.holds != nil && int64(now)-found.asked.Load() < int64(c.limits.Trust)*int64(c.limits.Life) && found.kept.holds()
}

// missing tells what is to be done for a request for which nothing is kept. What is asked for once only is not wanted.
func (c *Cache) missing(s *shard, r *Request) (*Reply, Finding) {
	r.full = c.full(r)
	if !c.seen.again(r.full) {
		return nil, Unknown
	}
	s.Lock()
	defer s.Unlock()
	if found := s.search(r); found != nil { // it was added just now
		return c.judge(found, r.asked)
	}
	if since, ok := s.tasks[r.full]; ok && r.asked-since < patience {
		return nil, Unknown
	}
	if s.tasks == nil {
		s.tasks = map[uint64]time.Duration{}
	}
	s.tasks[r.full] = r.asked
	return nil, Wanted
}

// key is a hash of what a request names. Requests that differ may have the same one.
func (c *Cache) key(r *Request) uint64 {
	kind := uint64(r.Scope) << 1
	if r.Head {
		kind |= 1
	}
	return maphash.Bytes(c.seed, r.Target) ^ bits.RotateLeft64(maphash.Bytes(c.seed, r.Host), 32) ^ mix(kind)
}

// full is a hash of the fields of a request, too.
func (c *Cache) full(r *Request) uint64 {
	full := r.key
	for f := range fields {
		if value := r.value(f); value != nil {
			full = mix(full^uint64(f)) + maphash.Bytes(c.seed, value)
		}
	}
	return mix(full)
}

// mix spreads a number over all bits.
func mix(n uint64) uint64 {
	high, low := bits.Mul64(n^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
	return high ^ low
}

func (c *Cache) shard(r *Request) *shard { return &c.shards[r.key%shards] }

func (s *shard) find(r *Request) *Reply {
	s.RLock()
	found := s.search(r)
	s.RUnlock()
	return found
}

// search is find for who holds the lock.
func (s *shard) search(r *Request) *Reply {
	for one := s.first[r.key]; one != nil; one = one.sibling {
		if one.answers(r, one.Host) {
			return one
		}
	}
	return nil
}
