package server

import "time"

// grace is how long a connection in the lane waits for its next request before it rests.
const grace = 2 * time.Second

// watch begins to look after the connections in the lane, if nobody does. That costs the connections nothing: each notes when it
// began what it does, and what takes too long is ended here. It ends when there are none.
func (s *Server) watch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.watched {
		return
	}
	s.watched = true
	go s.lookAfter()
}

func (s *Server) lookAfter() {
	turn := time.NewTicker(s.turn())
	defer turn.Stop()
	rest := time.AfterFunc(tidyAfter, tidy)
	var lanes []*lane // again and again the same memory
	for range turn.C {
		if lanes = s.lanes(lanes[:0]); len(lanes) == 0 {
			return
		}
		awake := false
		for _, l := range lanes {
			l.look()
			awake = awake || !l.resting()
		}
		clear(lanes) // or what is closed would be held until as many are there again
		if awake {
			rest.Reset(tidyAfter)
		}
	}
}

// tidyAfter is how long all connections have rested, or the last one is gone, when memory is given back to the system.
const tidyAfter = time.Second

// turn is how often the connections are looked at: soon enough for the shortest of their limits.
func (s *Server) turn() time.Duration {
	c := s.config
	shortest := min(c.ClientHeaderTimeout.limit(), c.KeepaliveTimeout.limit(), c.SendTimeout.limit())
	return min(max(shortest/8, 5*time.Millisecond), 500*time.Millisecond)
}

// lanes appends what is in the lane to all. When there is nothing nobody watches any more.
func (s *Server) lanes(all []*lane) []*lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.connections {
		if l := c.inLane(); l != nil {
			all = append(all, l)
		}
	}
	s.watched = len(all) > 0
	return all
}

// look ends what takes too long, and lets rest what is idle.
func (l *lane) look() {
	config := l.server.config
	doing, since := l.now()
	if engine := l.http2engine(); engine != nil && engine.Sweep(time.Now()) {
		l.Close()
		return
	}
	switch doing {
	case active: // on HTTP/2 an idle connection is so since its last reply ended
		if l.http2engine() != nil {
			l.since.Store(int64(l.server.clock()))
		}
	case fresh, receiving:
		if since > config.ClientHeaderTimeout.limit() {
			l.Close()
		}
	case idle:
		if since > config.KeepaliveTimeout.limit() {
			l.expire()
		} else if since > grace {
			l.interruptWait()
		}
	}
}

// interruptWait lets an idle connection go on with nextRest.
func (l *lane) interruptWait() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lane == l && l.parked == nil && !l.restless.Load() { // it may have left meanwhile
		l.transport.Conn.SetReadDeadline(time.Unix(1, 0))
	}
}

// expire ends an idle connection. A client of HTTP/2 is told.
func (l *lane) expire() {
	if engine := l.http2engine(); engine != nil {
		engine.Shutdown()
	}
	l.Close()
}
