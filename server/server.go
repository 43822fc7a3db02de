// Package server is the static server: one http.Handler chain behind every socket it is given, HTTP/1.1, HTTP/2 over TLS and
// in clear text, with time limits on all that a client can hold open, and an end that loses no request.
package server

import (
	"cmp"
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rouse-server/rouse/server/metrics"
	"github.com/rouse-server/rouse/server/password"
	"github.com/rouse-server/rouse/server/reply"
)

// LevelNotice is for what is always said, whatever the log level: sockets taken, what overrode what.
const LevelNotice = slog.Level(12)

// LevelTrace is finer than debug.
const LevelTrace = slog.Level(-8)

// Socket is an open socket and what is spoken on it.
type Socket struct {
	net.Listener
	Name     string    // in log lines
	TLS      bool      // https
	Redirect *Redirect // answer everything with a redirect to https
	Admin    bool      // answer for health, readiness and metrics alone
	Proxy    string    // the PROXY protocol that connections begin with: v1, v2 or any; empty: none
	Bound    bool      // nobody else holds it: what waits in its queue is served before it is closed

	number int // of the sockets of the server
}

// Parts is what a server is made of.
type Parts struct {
	Config      Config
	Version     string                                               // of the program, for the metrics
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error) // for sockets with TLS
	Log         *slog.Logger                                         //
	AccessLog   *slog.Logger                                         // takes the lines of requests; nil: Log does
}

// Server serves HTTP on sockets. Make it with New, run it with Serve, end it with Drain.
type Server struct {
	config  Config
	log     *slog.Logger
	access  *slog.Logger
	tls     *tls.Config
	begun   time.Time               // what the clock counts from
	serving atomic.Pointer[serving] // the site in use
	http    *http.Server
	ready   queue // connections for net/http
	dates   reply.Dates
	buffers buffers

	vitals *vitals         // health, readiness, metrics and maintenance
	guard  *password.Guard // what is known of passwords
	limits *limits

	draining   atomic.Bool
	lastClosed atomic.Int64 // when a client's connection was, by the clock
	strangers  atomic.Int64 // when it may be warned again of peers that are no trusted proxies, by the clock

	mu          sync.Mutex
	accepters   []*accepter
	connections map[*connection]bool
	lot         *lot               // where idle connections rest, once there was one
	noLot       bool               // there cannot be one
	watched     bool               // somebody looks after those in the lane
	clients     int                // of the connections, those that are not on sockets for administration
	emptied     chan struct{}      // gets a value, if there is room, when the last client's connection was closed
	vacated     chan struct{}      // likewise when any was
	origins     map[netip.Addr]int // connections of each client that is counted
	greeting    list.List          // connections whose handshake goes on, oldest first
}

// New makes a server that answers once Use has said what it serves.
func New(p Parts) *Server {
	s := &Server{
		begun:       time.Now(),
		config:      p.Config,
		log:         p.Log,
		access:      cmp.Or(p.AccessLog, p.Log),
		guard:       password.NewGuard(),
		limits:      newLimits(p.Config, Descriptors()),
		connections: map[*connection]bool{},
		emptied:     make(chan struct{}, 1),
		vacated:     make(chan struct{}, 1),
		origins:     map[netip.Addr]int{},
		ready:       newQueue(),
	}
	s.vitals = &vitals{metrics: metrics.New(p.Version), draining: s.draining.Load, maintenance: newMaintenance(p.Config, p.Log)}
	s.vitals.values = func() []metrics.Value { return append(measurements(s.Open(), s.guard), s.limits.measurements()...) }
	s.tls = &tls.Config{GetCertificate: p.Certificate, NextProtos: []string{"h2", "http/1.1", "http/1.0"}, MinVersion: tls.VersionTLS12,
		DynamicRecordSizingDisabled: true} // small records at first cost more than they gain on a reply of one write
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s.http = &http.Server{
		Handler:           http.HandlerFunc(s.answer),
		Protocols:         &protocols,
		ReadHeaderTimeout: time.Duration(p.Config.ClientHeaderTimeout),
		IdleTimeout:       time.Duration(p.Config.KeepaliveTimeout),
		MaxHeaderBytes:    int(p.Config.MaxHeaderSize),
		HTTP2:             &http.HTTP2Config{MaxReadFrameSize: 16 << 10}, // RFC 9113's own; Go's default is 1 MiB for each client
		ConnState:         changed,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connectionKey{}, baseOf(c))
		},
		ErrorLog: slog.NewLogLogger(p.Log.Handler(), slog.LevelDebug),
	}
	return s
}

// UseTicketKeys has all sockets encrypt TLS session tickets by the first of these keys, and accept those of the others
// (tls.Config.SetSessionTicketKeys). Until then crypto/tls makes keys of its own.
func (s *Server) UseTicketKeys(keys [][32]byte) { s.tls.SetSessionTicketKeys(keys) }

func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	s.serving.Load().chain.ServeHTTP(w, r)
}

// clock is a time that does not jump.
func (s *Server) clock() time.Duration { return time.Since(s.begun) }

type connectionKey struct{}

// connectionOf returns the connection that a request came on; nil for one that the server asked itself.
func connectionOf(r *http.Request) *connection {
	c, _ := r.Context().Value(connectionKey{}).(*connection)
	return c
}

// Serve answers clients on the sockets until Drain, or until a socket fails; or, when all sockets are single connections,
// until those are done.
func (s *Server) Serve(sockets []Socket) error {
	loops := s.begin(sockets)
	defer time.AfterFunc(tidyAfter, tidy).Stop() // of the start
	served := make(chan error, 1)
	go func() { served <- s.http.Serve(s.ready) }()
	ended := make(chan error, len(loops))
	for _, a := range loops {
		go func() { ended <- a.run() }()
	}
	for range loops {
		if err := <-ended; err != nil {
			s.Close()
			return err
		}
	}
	if !s.draining.Load() { // single connections: the last one has ended; channels: nobody sends any more
		_ = s.Quiet(context.Background(), 0)
		s.Close()
	}
	if err := <-served; err != nil && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// begin makes the accept loops. A server that was told to end before it began ends at once.
func (s *Server) begin(sockets []Socket) []*accepter {
	s.mu.Lock()
	for i := range sockets {
		sockets[i].number = len(s.accepters)
		s.accepters = append(s.accepters, newAccepter(s, &sockets[i]))
	}
	s.mu.Unlock()
	loops := s.loops()
	if s.draining.Load() {
		for _, a := range loops {
			a.close() // not stop, which would wait for loops that have not begun
		}
	}
	return loops
}

func (s *Server) loops() []*accepter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.accepters)
}

// Close ends everything at once.
func (s *Server) Close() {
	s.draining.Store(true)
	for _, a := range s.loops() {
		a.stop()
	}
	s.http.Close()
	for _, c := range s.open() {
		c.cut()
	}
	s.mu.Lock()
	lot := s.lot
	s.lot, s.noLot = nil, true
	s.mu.Unlock()
	if lot != nil {
		lot.close()
	}
}

// remember and forget keep the list of open connections. remember reports whether the client may have this one.
func (s *Server) remember(c *connection) bool {
	if c.socket != nil && c.socket.Proxy == "" && !s.welcome(c) { // behind a PROXY header it is known later who it is
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connections[c] = true
	if !c.administers() {
		s.clients++
	}
	return true
}

func (s *Server) forget(c *connection) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.connections, c)
	if c.administers() {
		return
	}
	if s.origins[c.origin]--; s.origins[c.origin] <= 0 {
		delete(s.origins, c.origin)
	}
	announce(s.vacated)
	if s.clients--; s.clients == 0 {
		s.lastClosed.Store(int64(s.clock()))
		announce(s.emptied)
	}
}

// announce puts a value into a channel, if there is room.
func announce(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// open returns the open connections.
func (s *Server) open() []*connection {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*connection, 0, len(s.connections))
	for c := range s.connections {
		all = append(all, c)
	}
	return all
}

// queue is the listener that net/http accepts from: connections come to it when they are ready to be read.
type queue struct {
	connections chan net.Conn
	closed      chan struct{}
	close       func()
}

func newQueue() queue {
	closed := make(chan struct{})
	return queue{make(chan net.Conn), closed, sync.OnceFunc(func() { close(closed) })}
}

func (q queue) Accept() (net.Conn, error) {
	select {
	case c := <-q.connections:
		return c, nil
	case <-q.closed:
		return nil, net.ErrClosed
	}
}

// give hands a connection over, or closes it when nobody takes any more.
func (q queue) give(c net.Conn) {
	select {
	case q.connections <- c:
	case <-q.closed:
		c.Close()
	}
}

func (q queue) Close() error { q.close(); return nil }

func (q queue) Addr() net.Addr { return &net.TCPAddr{} }
