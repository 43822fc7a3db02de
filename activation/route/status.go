package route

import (
	"cmp"
	"slices"
	"time"

	"github.com/rouse-server/rouse/activation/handoff"
)

// Status is what a dispatcher does at a moment. It is written as JSON.
type Status struct {
	Engine    Engine            `json:"engine"`
	Why       string            `json:"why,omitempty"` // why it is this engine
	Since     time.Time         `json:"since"`
	Reloads   int               `json:"reloads"`
	Listeners []ListenerStatus  `json:"listeners"`
	Routes    []RouteStatus     `json:"routes"`
	Backends  []BackendStatus   `json:"backends"`
	Refused   map[string]uint64 `json:"refused,omitempty"` // clients that were reset before a backend was found, by reason
	Looking   int               `json:"looking"`           // clients whose first bytes are awaited
	Notices   []string          `json:"notices,omitempty"` // what does not go as it may have been meant
}

// ListenerStatus is about one socket.
type ListenerStatus struct {
	Name     string `json:"name"`
	Address  string `json:"address"`
	Backend  string `json:"backend,omitempty"` // the one that all its clients go to
	Given    int    `json:"given,omitempty"`   // sessions that accept from it themselves
	Open     bool   `json:"open"`              // clients are accepted here now
	Accepted uint64 `json:"accepted"`          // connections that were accepted here
	Waiting  int    `json:"waiting"`           // clients in the kernel's queue; -1 where it does not tell
	Errors   uint64 `json:"errors"`            // accepts that failed
	Error    string `json:"error,omitempty"`   // the last reason
}

// RouteStatus is about one rule.
type RouteStatus struct {
	Name        string `json:"name,omitempty"`
	At          string `json:"at,omitempty"`
	Backend     string `json:"backend,omitempty"`
	Connections uint64 `json:"connections"`      // that were decided by it here
	Kernel      uint64 `json:"kernel,omitempty"` // that the kernel decided by it: attempts to connect, and datagrams
}

// BackendStatus is about one backend.
type BackendStatus struct {
	Name        string            `json:"name"`
	Way         Way               `json:"way"`
	Sessions    []SessionStatus   `json:"sessions,omitempty"`
	Connections uint64            `json:"connections"`    // delivered
	Again       uint64            `json:"again"`          // given to another session, as the first one had not accepted them
	Open        int               `json:"open,omitempty"` // relayed now
	Waiting     int               `json:"waiting"`
	Oldest      float64           `json:"oldestWaiting,omitempty"` // seconds
	Drops       map[string]uint64 `json:"drops,omitempty"`         // by reason
}

// SessionStatus is about one registered process.
type SessionStatus struct {
	PID         int     `json:"pid,omitempty"`
	UID         uint32  `json:"uid"`
	Protocol    string  `json:"protocol"`
	Gives       string  `json:"gives"` // connection or listener
	Credit      int     `json:"credit"`
	Sockets     int     `json:"sockets,omitempty"` // listeners and packet sockets that it was given
	Unaccepted  int     `json:"unaccepted"`
	Oldest      float64 `json:"oldestUnaccepted,omitempty"` // seconds
	Stalled     bool    `json:"stalled,omitempty"`          // it gets nothing more until it accepts what it has
	Leaving     bool    `json:"leaving,omitempty"`
	Connections uint64  `json:"connections"`
	Age         float64 `json:"age"` // seconds
}

// Status tells what is going on.
func (d *Dispatcher) Status() Status {
	d.changing.Lock()
	defer d.changing.Unlock()
	r := d.rules.Load()
	s := Status{
		Engine: d.engine, Why: d.why, Since: d.since, Reloads: d.reloads, Refused: d.refused.all(),
		Looking: int(d.looking.Load()), Notices: d.notices(r.config),
	}
	for _, f := range d.fronts {
		s.Listeners = append(s.Listeners, f.status())
	}
	kernel := map[*Route]uint64{}
	if d.kernel != nil {
		kernel = d.kernel.counts()
	}
	for i := range r.table.config.Routes {
		route := &r.table.config.Routes[i]
		s.Routes = append(s.Routes, RouteStatus{
			Name: route.Name, At: route.At.String(), Backend: route.Backend,
			Connections: d.count(r, route).Load(), Kernel: kernel[route],
		})
	}
	now := time.Now()
	for _, b := range d.all() {
		s.Backends = append(s.Backends, b.status(now))
	}
	slices.SortStableFunc(s.Backends, func(a, b BackendStatus) int { return cmp.Compare(a.Name, b.Name) })
	return s
}

func (f *front) status() ListenerStatus {
	s := ListenerStatus{
		Name: f.listener, Address: f.address, Backend: f.backend, Given: int(f.given.Load()),
		Open: f.done != nil && f.open(), Accepted: f.accepted.Load(), Waiting: -1, Errors: f.errors.Load(),
	}
	if f.kind == handoff.Listener {
		s.Waiting = waitingAt(f.fd)
	}
	if text := f.lastError.Load(); text != nil {
		s.Error = *text
	}
	return s
}

func (b *backend) status(now time.Time) BackendStatus {
	s := BackendStatus{
		Name: b.name, Way: b.settings().Way, Connections: b.delivered.Load(), Again: b.again.Load(), Drops: b.drops.all(),
	}
	b.each(func(o *outlet) {
		age, waiting := o.oldest(now)
		s.Waiting += waiting
		s.Oldest = max(s.Oldest, age.Seconds())
		switch g := o.giver.(type) {
		case *sessions:
			s.Sessions = append(s.Sessions, g.status(now)...)
		case *relayed:
			s.Open = g.relay.Count()
		}
	})
	return s
}

func (ss *sessions) status(now time.Time) (all []SessionStatus) {
	ss.o.mu.Lock()
	defer ss.o.mu.Unlock()
	for _, s := range ss.all {
		peer := s.session.Peer()
		status := SessionStatus{
			PID: peer.PID, UID: peer.UID, Protocol: s.session.Protocol(), Gives: string(s.gives), Credit: s.session.Credit(),
			Sockets: len(s.sockets), Unaccepted: len(s.flight), Stalled: s.stalled, Leaving: s.leaving, Connections: s.count, Age: now.Sub(s.since).Seconds(),
		}
		if c := s.oldest(); c != nil {
			status.Oldest = now.Sub(c.given).Seconds()
		}
		all = append(all, status)
	}
	return all
}
