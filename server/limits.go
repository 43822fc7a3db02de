package server

import (
	"cmp"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/server/forwarded"
	"github.com/rouse-server/rouse/server/metrics"
)

const (
	mostConnections = 16 << 10         // unless an option says otherwise; as many with TLS take 150 MiB
	shortestStay    = 2 * time.Second  // of a connection: who said something a moment ago may be saying more
	tellEvery       = 10 * time.Second // of each limit
)

// limits is what all clients together may take, and how often they wanted more.
type limits struct {
	places     int // connections at once
	perClient  int // of one client; 0: no limit
	requests   int64
	handshakes int
	target     int           // bytes
	files      int           // connections and requests at once that there are descriptors for; 0: no limit
	handlers   *atomic.Int64 // of HTTP/2 that all connections together may have now, beside one for each; nil: no limit
	trusted    forwarded.Trusted

	answering atomic.Int64 // requests

	full       limit // connections
	crowded    limit // connections of one client
	busy       limit // requests
	greeting   limit // handshakes
	longTarget limit
	longHead   limit
	exhausted  limit // descriptors or memory, when a connection was to be accepted; told with the accept loop's other troubles
}

// limit counts how often something was too much. It is told in the log, now and then.
type limit struct {
	reached atomic.Int64
	untold  atomic.Int64 // how often since it was told last
	next    atomic.Int64 // when it may be told again, by the server's clock
}

// note counts, and tells.
func (l *limit) note(s *Server, text string, attributes ...any) {
	l.reached.Add(1)
	l.untold.Add(1)
	now, next := s.clock(), l.next.Load()
	if int64(now) >= next && l.next.CompareAndSwap(next, int64(now+tellEvery)) {
		s.log.Error(text, append(attributes, "times", l.untold.Swap(0))...)
	}
}

// newLimits takes what is configured; without a number for all connections it is what descriptors leaves, mostConnections at
// the most. A part of the descriptors is kept for the files that are sent.
func newLimits(c Config, descriptors int) *limits {
	l := &limits{
		perClient: int(c.MaxConnectionsPerClient.Value), requests: int64(c.MaxRequests.Value), handshakes: int(c.MaxHandshakes.Value),
		target: int(c.MaxTargetSize), trusted: forwarded.Trusted(c.TrustedProxies),
	}
	l.places = int(c.MaxConnections.Value)
	if l.places == 0 {
		l.places = mostConnections
	}
	if descriptors > 0 {
		l.places = min(l.places, PlacesOf(descriptors))
		l.files = max(descriptors-ownDescriptors-max(descriptors/32, 4), 1)
		l.handlers = new(atomic.Int64)
		l.handlers.Store(int64(descriptors / 8))
	}
	return l
}

// PlacesOf is how many connections there may be where the process may have so many descriptors open.
func PlacesOf(descriptors int) int {
	return max(descriptors-max(descriptors/8, fewestReserved), 1)
}

// fewestReserved is what the program itself needs, and files on their way to clients.
const fewestReserved = 32

// ownDescriptors is how many the program has open by itself, at the most.
const ownDescriptors = 24

// isShortOfFiles tells whether a request would take descriptors that connections are accepted with: a server without those could not even
// say that it has too much to do. A request counts as one file.
func (s *Server) isShortOfFiles(requests int64) bool {
	return s.limits.files > 0 && int64(s.Open())+requests > int64(s.limits.files)
}

// hasRoom tells whether another connection may be accepted. When the house is full, some that nobody will miss are closed:
// those that have been idle, or have not got to a request, for the longest.
func (s *Server) hasRoom() bool {
	if s.Open() < s.limits.places {
		return true
	}
	leaving := s.dispensable(max(s.limits.places/32, 1))
	s.limits.full.note(s, "as many connections are open as may be: the longest idle are closed, and new ones wait where there are none; see --max-connections",
		"limit", s.limits.places, "closed", len(leaving))
	for _, c := range leaving {
		c.dismiss()
	}
	return s.Open() < s.limits.places
}

// dispensable returns at most so many of the connections that wait for their clients.
func (s *Server) dispensable(most int) []*connection {
	type one struct {
		c     *connection
		since time.Duration
	}
	var found []one
	for _, c := range s.open() {
		doing, since := c.now()
		switch {
		case c.administers(), doing == active, since < shortestStay, c.readable():
		default:
			found = append(found, one{c, since})
		}
	}
	slices.SortFunc(found, func(a, b one) int { return cmp.Compare(b.since, a.since) })
	leaving := make([]*connection, 0, most)
	for _, o := range found[:min(most, len(found))] {
		leaving = append(leaving, o.c)
	}
	return leaving
}

// dismiss closes a connection that waits for its client. One of HTTP/2 is told.
func (c *connection) dismiss() {
	if l := c.inLane(); l != nil {
		l.expire()
		return
	}
	c.cut()
}

// origin is whom a connection is counted for: an IPv4 address or the /64 of an IPv6 one. It is invalid for those that are not
// counted: peers of unix sockets, this machine itself, and trusted proxies, behind whom are many.
func (l *limits) origin(a net.Addr) netip.Addr {
	address := addressOf(a)
	if l.perClient == 0 || !address.IsValid() || address.IsLoopback() || len(l.trusted) > 0 && l.trusted.Trusts(address) {
		return netip.Addr{}
	}
	if address.Is6() {
		network, _ := address.WithZone("").Prefix(64)
		return network.Addr()
	}
	return address
}

// welcome counts a connection for its client, and reports whether that may have one more.
func (s *Server) welcome(c *connection) bool {
	if c.administers() {
		return true
	}
	origin := s.limits.origin(c.RemoteAddr())
	if !origin.IsValid() {
		return true
	}
	s.mu.Lock()
	welcome := s.origins[origin] < s.limits.perClient
	if welcome {
		s.origins[origin]++
		c.origin = origin
	}
	s.mu.Unlock()
	if !welcome {
		s.limits.crowded.note(s, "a client has as many connections open as it may have: its new ones are closed; see --max-connections-per-client",
			"remote_addr", origin.String(), "limit", s.limits.perClient)
	}
	return welcome
}

// greet notes that a handshake has begun. When too many are under way, the one that began first is ended.
func (s *Server) greet(c *connection) (done func()) {
	s.mu.Lock()
	place := s.greeting.PushBack(c)
	var oldest *connection
	if s.limits.handshakes > 0 && s.greeting.Len() > s.limits.handshakes {
		oldest = s.greeting.Remove(s.greeting.Front()).(*connection)
	}
	s.mu.Unlock()
	if oldest != nil {
		oldest.cut()
		s.limits.greeting.note(s, "as many TLS handshakes are under way as may be: the oldest are broken off; see --max-handshakes", "limit", s.limits.handshakes)
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.greeting.Remove(place)
	}
}

// measurements is how often the limits were reached.
func (l *limits) measurements() []metrics.Value {
	count := func(name, help string, l *limit) metrics.Value {
		return metrics.Value{Name: name, Help: help, Type: metrics.Counter, Value: float64(l.reached.Load())}
	}
	return []metrics.Value{
		{Name: "rouse_connections_limit", Help: "Connections that may be open.", Type: metrics.Gauge, Value: float64(l.places)},
		count("rouse_limited_connections_total", "Times that as many connections were open as may be.", &l.full),
		count("rouse_limited_clients_total", "Connections that were closed because their client had too many.", &l.crowded),
		count("rouse_limited_requests_total", "Requests that were refused with 503 because too many were being answered.", &l.busy),
		count("rouse_limited_handshakes_total", "TLS handshakes that were broken off because too many were under way.", &l.greeting),
		count("rouse_limited_targets_total", "Requests that were refused with 414.", &l.longTarget),
		count("rouse_limited_heads_total", "Requests that were refused with 431.", &l.longHead),
		count("rouse_limited_accepts_total", "Times that no connection could be accepted for want of descriptors or memory.", &l.exhausted),
	}
}

// awaitRoom waits until a connection has ended, or a moment.
func (s *Server) awaitRoom() {
	select {
	case <-s.vacated:
	case <-time.After(roomPatience):
	}
}

// roomPatience is how long an accept loop waits for room before it looks again whether it is to stop.
const roomPatience = 50 * time.Millisecond

// release closes some connections that nobody will miss, when descriptors have run out.
func (s *Server) release() {
	for _, c := range s.dispensable(max(s.Open()/32, 1)) {
		c.dismiss()
	}
}

// Descriptors is how many descriptors the process may have open; 0 if that is not known.
func Descriptors() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || limit.Cur > 1<<30 {
		return 0
	}
	return int(limit.Cur)
}

// refusedHead notes that a head was too long.
func (s *Server) refusedHead() {
	s.limits.longHead.note(s, "a request's head is longer than may be: it gets 431; see --max-header-size", "limit", int(s.config.MaxHeaderSize))
}

// headSize is how long a request's head is as HTTP/1.1 has it, in bytes.
func headSize(r *http.Request) int {
	size := len(r.Method) + len(r.RequestURI) + len(r.Proto) + len("Host: ") + len(r.Host) + 8 // spaces and line ends
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + len(value) + 4
		}
	}
	return size
}
