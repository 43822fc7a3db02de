package route

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rouse-server/rouse/activation/handoff"
)

// sessions are the registered processes of one backend. They are guarded by the outlet's mu.
type sessions struct {
	o     *outlet
	all   []*session
	over  bool
	ended sync.WaitGroup // of them
}

// session is one of them.
type session struct {
	of      *sessions
	session *handoff.Session
	gives   handoff.Kind
	both    bool // it takes connections beside the sockets that it is given
	since   time.Time
	flight  map[uint64]*client // what it was given and did not accept yet
	order   []uint64           // the numbers of those, oldest first, and of some that are gone
	sockets map[*front]uint64  // that it accepts from itself, with their numbers
	owed    []*front           // sockets that it gets when there is room for the message
	leaving bool
	let     bool // it is let go, and ends once it has accepted what it has
	stalled bool
	count   uint64
}

// bothTakes is what a process says that takes listeners and connections at the same time, as rouse serve does.
const bothTakes = "both"

// mostInFlight bounds what one session may hold unaccepted, whatever credit it gives: we keep a duplicate of each.
const mostInFlight = 1024

// Why nobody takes a client.
var (
	errNoSession = errors.New("no process is registered")
	errNoCredit  = errors.New("its processes gave no credit")
	errListeners = errors.New("its processes take listeners, but this listener's rules need connections")
	errStalled   = errors.New("its processes do not acknowledge what they have")
	errEnds      = errors.New("the dispatcher ends")
)

// give passes a client to the session that has the most room left.
func (ss *sessions) give(c *client) error {
	now := time.Now()
	for {
		s, err := ss.pick(now)
		if err != nil {
			return err
		}
		id, err := s.session.Give(c.fd, c.meta)
		switch {
		case err == nil:
			c.given = now
			s.flight[id] = c
			s.order = append(s.order, id)
			s.count++
			return nil
		case errors.Is(err, handoff.ErrAbsent):
			s.leaving = true // its end is about to be told
		case !errors.Is(err, handoff.ErrFull):
			return fmt.Errorf("%w: %w", errUnfit, err)
		case s.session.Credit() > 0:
			return err // the socket has no room; Credit is called when it has
		}
	}
}

// pick returns the session with the most credit beyond what it did not accept yet; without any, why there is none.
func (ss *sessions) pick(now time.Time) (best *session, why error) {
	why = errNoSession
	most := 0
	for _, s := range ss.all {
		switch credit := s.credit(); {
		case s.leaving:
		case s.gives != handoff.Connection && !s.both:
			if why == errNoSession {
				why = errListeners
			}
		case s.late(now, ss.o.b.d.options.AckTime):
			why = errStalled
		case credit <= 0:
			if why != errStalled {
				why = errNoCredit
			}
		case best == nil || credit-len(s.flight) > most:
			best, most = s, credit-len(s.flight)
		}
	}
	if best != nil {
		return best, nil
	}
	return nil, why
}

// credit is how many connections it takes now.
func (s *session) credit() int { return min(s.session.Credit(), mostInFlight-len(s.flight)) }

// late tells whether the oldest connection that it did not accept has waited for longer than it may. The first time a line
// says so.
func (s *session) late(now time.Time, most time.Duration) bool {
	c := s.oldest()
	if c == nil || now.Sub(c.given) <= most {
		return false
	}
	if !s.stalled {
		s.stalled = true
		d := s.of.o.b.d
		go d.log.Warn("a process does not acknowledge its connections; it gets no more until it does", "backend", s.of.o.b.name,
			"process", s.session.Peer().String(), "unacknowledged", len(s.flight), "since", now.Sub(c.given).Round(time.Millisecond))
	}
	return true
}

// oldest is the connection that it has had for longest without accepting it.
func (s *session) oldest() *client {
	for len(s.order) > 0 {
		if c := s.flight[s.order[0]]; c != nil {
			return c
		}
		s.order = s.order[1:]
	}
	return nil
}

func (ss *sessions) ready() bool {
	s, _ := ss.pick(time.Now())
	return s != nil
}

func (ss *sessions) why() error {
	_, why := ss.pick(time.Now())
	return why
}

func (ss *sessions) inFlight() (n int) {
	for _, s := range ss.all {
		n += len(s.flight)
	}
	return n
}

// stalled tells whether all that is in flight has been so for longer than the time.
func (ss *sessions) stalled(now time.Time, most time.Duration) bool {
	for _, s := range ss.all {
		for _, c := range s.flight {
			if now.Sub(c.given) <= most {
				return false
			}
		}
	}
	return true
}

// admit begins a session.
func (ss *sessions) admit(a *handoff.Applicant, gives handoff.Kind, sockets int) (*session, error) {
	s := &session{of: ss, gives: gives, both: a.Takes == bothTakes, since: time.Now(), flight: map[uint64]*client{}, sockets: map[*front]uint64{}}
	ss.o.mu.Lock() // events wait until the session is known
	defer ss.o.mu.Unlock()
	if ss.over {
		a.Later("the dispatcher ends")
		return nil, errEnds
	}
	ss.ended.Add(1)
	var err error
	s.session, err = a.Admit(gives, sockets, handoff.Events{
		Accepted: s.accepted, Credit: s.room, Leaving: s.leaves, Ended: s.gone,
	})
	if err != nil {
		ss.ended.Done()
		return nil, err
	}
	ss.all = append(ss.all, s)
	return s, nil
}

// entrust gives a socket to the session, which accepts from it from now on.
func (s *session) entrust(f *front) error {
	s.of.o.mu.Lock()
	defer s.of.o.mu.Unlock()
	return s.pass(f)
}

// pass is entrust for who holds mu.
func (s *session) pass(f *front) error {
	if _, has := s.sockets[f]; has || s.leaving {
		return nil
	}
	f.give(1)
	id, err := s.session.GiveSocket(f.kind, f.fd, f.listener, f.address)
	switch {
	case err == nil:
		s.sockets[f] = id
		return nil
	case errors.Is(err, handoff.ErrFull):
		s.owed = append(s.owed, f)
		err = nil
	}
	f.give(-1)
	return err
}

// room is called when the process takes more.
func (s *session) room() {
	s.of.o.mu.Lock()
	owed := s.owed
	s.owed = nil
	for _, f := range owed { // in one go: who withdraws a socket, and closes it then, has to find it here or there
		s.pass(f)
	}
	s.of.o.mu.Unlock()
	s.of.o.pump()
}

// oweNothing forgets the sockets that the session has not got yet.
func (s *session) oweNothing() {
	s.of.o.mu.Lock()
	defer s.of.o.mu.Unlock()
	s.owed = nil
}

// has notes that the session holds the socket of a front already, under the number.
func (s *session) has(f *front, id uint64) {
	s.of.o.mu.Lock()
	defer s.of.o.mu.Unlock()
	if s.leaving { // it has ended meanwhile, and nobody would take the socket back
		return
	}
	f.give(1)
	s.sockets[f] = id
}

// withdraw takes a socket back.
func (s *session) withdraw(f *front) {
	s.of.o.mu.Lock()
	id, has := s.sockets[f]
	delete(s.sockets, f)
	s.owed = slices.DeleteFunc(s.owed, func(other *front) bool { return other == f })
	s.of.o.mu.Unlock()
	if has {
		s.session.Withdraw(id)
		f.give(-1)
	}
}

// release takes all its sockets back: it accepts nothing more.
func (s *session) release() {
	s.of.o.mu.Lock()
	all := s.sockets
	s.sockets = map[*front]uint64{}
	s.leaving = true
	s.of.o.mu.Unlock()
	for f := range all {
		f.used.Store(true)
		f.give(-1)
	}
}

// accepted is called when a connection is in good hands.
func (s *session) accepted(id uint64) {
	o := s.of.o
	o.mu.Lock()
	c := s.flight[id]
	delete(s.flight, id)
	if len(s.flight) == 0 {
		s.order = s.order[:0]
	}
	done := s.let && len(s.flight) == 0
	recovered := s.stalled && !s.late(time.Now(), o.b.d.options.AckTime)
	if recovered {
		s.stalled = false
	}
	o.mu.Unlock()
	if c == nil {
		return
	}
	c.delivered()
	o.b.delivered.Add(1)
	if done {
		s.session.Close()
	}
	if recovered {
		o.b.d.log.Info("a process acknowledges its connections again", "backend", o.b.name, "process", s.session.Peer().String())
		o.pump()
	}
}

// leaves is called when the process takes nothing more. What it gives back goes to others.
func (s *session) leaves(returned []uint64) {
	o := s.of.o
	o.mu.Lock()
	s.leaving = true
	back := s.takeBack(returned)
	o.mu.Unlock()
	o.again(back)
	s.release()
	o.b.d.rouse(o.b)
}

// takeBack takes clients out of what is in flight, oldest first. The caller holds the outlet's mu.
func (s *session) takeBack(ids []uint64) (back []*client) {
	slices.Sort(ids)
	for _, id := range ids {
		if c := s.flight[id]; c != nil {
			back = append(back, c)
			delete(s.flight, id)
		}
	}
	return back
}

// gone is called when the process is. What it had not accepted is untouched, and goes to others.
func (s *session) gone(err error) {
	o := s.of.o
	defer s.of.ended.Done()
	o.mu.Lock()
	ids := make([]uint64, 0, len(s.flight))
	for id := range s.flight {
		ids = append(ids, id)
	}
	back := s.takeBack(ids)
	s.of.all = slices.DeleteFunc(s.of.all, func(other *session) bool { return other == s })
	over := s.of.over
	o.mu.Unlock()
	o.b.d.log.Debug("a process left", "backend", o.b.name, "process", s.session.Peer().String(), "err", err, "returned", len(back))
	s.release()
	if over {
		for _, c := range back {
			o.b.drop(c, dropEnd, nil)
		}
		return
	}
	o.again(back)
	o.b.d.rouse(o.b)
}

// end closes all sessions. What they have and did not accept yet stays with them.
func (ss *sessions) end(ctx context.Context) {
	ss.o.mu.Lock()
	ss.over = true
	all := slices.Clone(ss.all)
	for _, s := range all {
		for _, c := range s.flight {
			c.delivered()
		}
		clear(s.flight)
	}
	ss.o.mu.Unlock()
	for _, s := range all {
		s.session.Close()
	}
	ss.ended.Wait()
}

// sessions are those of an outlet for which processes register.
func (o *outlet) sessions() (*sessions, bool) {
	if o == nil {
		return nil, false
	}
	ss, ok := o.giver.(*sessions)
	return ss, ok
}

// list is a copy of all.
func (ss *sessions) list() []*session {
	ss.o.mu.Lock()
	defer ss.o.mu.Unlock()
	return slices.Clone(ss.all)
}

// held lists the fronts whose sockets the session has.
func (s *session) held() []*front {
	s.of.o.mu.Lock()
	defer s.of.o.mu.Unlock()
	return slices.AppendSeq(slices.Clone(s.owed), maps.Keys(s.sockets))
}

// letGo gives the session nothing more, and takes its sockets back. It ends when it has accepted what it has.
func (s *session) letGo() {
	for _, f := range s.held() {
		s.withdraw(f)
	}
	s.of.o.mu.Lock()
	s.leaving, s.let = true, true
	idle := len(s.flight) == 0
	s.of.o.mu.Unlock()
	if idle {
		s.session.Close()
	}
}
