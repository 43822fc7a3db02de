package reply

import "sync"

// queue is in what order replies have to make room: by SIEVE (Zhang et al., NSDI 2024). A hand goes from the oldest to the
// newest and removes the first one that was not used since it last came by. Replies that a scan has brought in go so, and those
// in use stay.
type queue struct {
	sync.Mutex     // taken before that of a shard
	most           int64
	bytes          int64
	newest, oldest *Reply
	hand           *Reply // where it goes on; nil: at the oldest
}

// mostVariants is how many replies are kept for one resource.
const mostVariants = 8

// put keeps a reply to r, in the place of what was kept for it.
func (c *Cache) put(r *Request, made, known *Reply) {
	made.checked.Store(int64(r.asked))
	made.asked.Store(int64(r.asked))
	q := &c.queue
	q.Lock()
	defer q.Unlock()
	if made.size > q.most/mostShare {
		c.remove(known)
		return
	}
	s := c.shard(r)
	others, last := 0, (*Reply)(nil)
	for one := s.first[r.key]; one != nil; one = one.sibling { // nobody changes it meanwhile
		if !sameResource(one, made) {
			continue
		}
		if one.answers(r, one.Host) {
			if one.age(r.asked) < 0 {
				return // the chain was asked again since
			}
			known = one
		}
		others, last = others+1, one
	}
	if known != nil && known.used.Load() {
		made.used.Store(true)
	}
	if c.remove(known); known == nil && others >= mostVariants {
		c.remove(last)
	}
	for q.bytes+made.size > q.most {
		c.remove(q.next())
	}
	q.push(made)
	s.Lock()
	if s.first == nil {
		s.first = map[uint64]*Reply{}
	}
	made.sibling = s.first[made.key]
	s.first[made.key] = made
	s.Unlock()
}

// mostShare is the part of the memory that one reply may take.
const mostShare = 8

// renew lets a reply live on that the chain has said again.
func (c *Cache) renew(r *Request, known *Reply) {
	if asked := int64(r.asked); known.checked.Load() < asked {
		known.checked.Store(asked)
		known.asked.Store(asked)
	}
}

// drop forgets what was kept for a request, since the chain has something else to say that is not kept.
func (c *Cache) drop(known *Reply) {
	if known != nil {
		c.queue.Lock()
		c.remove(known)
		c.queue.Unlock()
	}
}

// settle ends what r was told to do.
func (c *Cache) settle(r *Request, known *Reply, finding Finding) {
	switch finding {
	case Due:
		known.checking.Store(0)
	case Wanted:
		s := c.shard(r)
		s.Lock()
		if s.tasks[r.full] == r.asked {
			delete(s.tasks, r.full)
		}
		s.Unlock()
	}
}

// remove forgets a reply, if it is kept. The queue is locked.
func (c *Cache) remove(k *Reply) {
	if k == nil || !k.queued {
		return
	}
	c.queue.cut(k)
	s := &c.shards[k.key%shards]
	s.Lock()
	defer s.Unlock()
	if s.first[k.key] == k {
		if k.sibling == nil {
			delete(s.first, k.key)
		} else {
			s.first[k.key] = k.sibling
		}
		return
	}
	for one := s.first[k.key]; one != nil; one = one.sibling {
		if one.sibling == k {
			one.sibling = k.sibling
			return
		}
	}
}

// next is the reply that has to go; there is one.
func (q *queue) next() *Reply {
	one := q.hand
	for {
		if one == nil {
			one = q.oldest
		}
		if !one.used.Swap(false) {
			q.hand = one.newer
			return one
		}
		one = one.newer
	}
}

func (q *queue) push(k *Reply) {
	k.older, k.newer, k.queued = q.newest, nil, true
	if q.newest != nil {
		q.newest.newer = k
	} else {
		q.oldest = k
	}
	q.newest = k
	q.bytes += k.size
}

func (q *queue) cut(k *Reply) {
	if q.hand == k {
		q.hand = k.newer
	}
	if k.newer != nil {
		k.newer.older = k.older
	} else {
		q.newest = k.older
	}
	if k.older != nil {
		k.older.newer = k.newer
	} else {
		q.oldest = k.newer
	}
	k.older, k.newer, k.queued = nil, nil, false
	q.bytes -= k.size
}
