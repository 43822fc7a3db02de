package server

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/rouse-server/rouse/server/http1"
	"github.com/rouse-server/rouse/server/reply"
)

// sentReply is a kept reply that was sent, as far as the log and the counts need it.
type sentReply struct {
	*reply.Reply
	head   bool
	logged bool
	entry  AccessEntry // if it is logged
}

// requests answers requests of HTTP/1.1 as long as there are kept replies for them, all in one write.
func (l *lane) requests() step {
	s, site := l.server, l.server.serving.Load()
	if site.replies == nil || s.draining.Load() { // net/http tells the client to come back on another connection
		return nextLeave
	}
	begun := time.Now()
	date := s.dates.At(begun)
	logs := site.log.enabled()
	buffer := s.buffers.send()
	out, next := (*buffer)[:0], nextWait
	for next == nextWait && l.from < l.have {
		size, verdict := http1.Recognize(l.received[l.from:l.have], &l.request)
		if verdict == http1.Partial || verdict == http1.Odd && l.asked && l.have-l.from < leastHead {
			break
		}
		if verdict == http1.Odd {
			next = nextLeave
			break
		}
		if longest := int(s.config.MaxHeaderSize); longest > 0 && size > longest {
			next = nextLeave
			break
		}
		if l.size, l.request.Scope = size, l.scope; !l.find(site, begun) {
			next = nextAnswer
			break
		}
		out = l.kept.AppendHTTP1(out, date.HTTP1, l.request.Close)
		l.from += size
		l.asked = true
		l.note(site, begun, logs)
		switch {
		case l.request.Close:
			l.over, next = true, nextFlush
		case len(out) >= sentSize/2:
			l.tell(site, begun)
			next = l.write(out)
			out = out[:0]
		}
	}
	l.tell(site, begun)
	if len(out) > 0 {
		if blocked := l.write(out); blocked == nextEnd || blocked == nextFlush && next == nextWait {
			next = blocked
		}
	}
	s.buffers.giveBack(buffer, out)
	if next == nextWait {
		l.pause(l.waiting())
	}
	return next
}

// leastHead is how many bytes net/http waits for behind a request before it looks at what they are: a client who sends fewer, and
// ends, gets no reply.
const leastHead = 4

// waiting is the phase of a connection that waits for its client.
func (l *lane) waiting() phase {
	if l.from < l.have {
		return receiving
	}
	return idle
}

// find looks for a kept reply that may be sent. In maintenance mode there is none.
func (l *lane) find(site *serving, now time.Time) bool {
	if l.server.vitals.maintenance.On() {
		l.kept, l.finding = nil, reply.Unknown
		return false
	}
	l.kept, l.finding = site.replies.Find(&l.request, now.Sub(l.server.begun))
	return l.finding == reply.Good
}

// write sends what it can without waiting. The next step is flush when not all of it went out.
func (l *lane) write(b []byte) step {
	for more := true; more; more = len(b) > 0 {
		part := b[:min(len(b), bulk)]
		if b = b[len(part):]; !l.writePart(part) {
			return nextEnd
		}
	}
	if l.transport.queued() > 0 {
		return nextFlush
	}
	return nextWait
}

// writePart sends at most bulk, the records of TLS together.
func (l *lane) writePart(b []byte) bool {
	large := l.tls != nil && len(b) > tlsRecord
	if large {
		l.transport.gathering(true)
	}
	if _, err := l.Conn.Write(b); err != nil {
		return false
	}
	return !large || l.transport.gathering(false) == nil
}

// tlsRecord is the most that one record of TLS holds (RFC 8446 §5.1).
const tlsRecord = 16 << 10

// note remembers a reply for the log and the counts.
func (l *lane) note(site *serving, begun time.Time, logs bool) {
	l.sent = slices.Grow(l.sent, 1)[:len(l.sent)+1]
	one := &l.sent[len(l.sent)-1]
	if one.Reply, one.head, one.logged = l.kept, l.request.Head, logs; logs {
		l.fill(&one.entry, site, &l.request, begun)
	}
}

// tell counts and logs what was noted.
func (l *lane) tell(site *serving, begun time.Time) {
	took := time.Since(begun)
	for i := range l.sent {
		one, entry := &l.sent[i], (*AccessEntry)(nil)
		if one.logged {
			entry = &one.entry
		}
		l.server.count(site, one.head, one.Status, one.Host, int64(len(one.Body)), took, entry, false)
		if one.Reply = nil; one.logged {
			one.entry = AccessEntry{}
		}
	}
	l.sent = l.sent[:0]
}

// answer lets the chain answer the request that was recognized last.
func (l *lane) answer() step {
	s, site := l.server, l.server.serving.Load()
	l.enter(active)
	ctx, done := l.interruptible()
	defer done()
	request, err := l.request.HTTP(ctx)
	if err != nil || site.replies == nil {
		return nextLeave
	}
	begun := time.Now()
	if l.client == "" {
		l.client = textOf(l.RemoteAddr())
	}
	request.TLS, request.RemoteAddr = l.tls, l.client
	large := l.large.reset(l)
	recording := site.replies.Record(&l.request, l.kept, l.finding, large)
	written := &recorder{ResponseWriter: recording}
	s.vitals.metrics.Begin()
	defer s.vitals.metrics.End()
	whole, complete := run(site.counted, written, request, recording)
	if large.refused {
		return nextLeave
	}
	if whole == nil && complete {
		complete = large.finish() == nil
	}
	s.remarked(l, site, written, &l.request, whole, begun, !complete)
	l.from += l.size
	l.asked = true
	if !complete {
		return nextEnd
	}
	next := nextWait
	if l.over = l.request.Close; whole != nil {
		next = l.write(whole.AppendHTTP1(nil, s.dates.At(time.Now()).HTTP1, l.request.Close))
		l.over = l.over || whole.Close
	}
	if next == nextWait && (l.over || l.transport.queued() > 0) {
		next = nextFlush
	}
	if next != nextWait {
		return next
	}
	l.pause(l.waiting())
	return l.proceed()
}

// interruptible is a context that ends when the connection is closed by us, or by done.
func (l *lane) interruptible() (ctx context.Context, done func()) {
	if l.about == nil {
		l.about = l.context()
	}
	ctx, cancel := context.WithCancel(l.about)
	l.mu.Lock()
	l.interrupt = cancel
	if l.closed {
		cancel()
	}
	l.mu.Unlock()
	return ctx, cancel
}

// run lets a handler answer into a recording, and tells whether it came to its end. whole is nil for a reply that went to the
// stream. What was made for a client who left meanwhile is not kept: a part that takes time may be left out of it.
func run(handler http.Handler, w http.ResponseWriter, r *http.Request, recording *reply.Recording) (whole *reply.Reply, complete bool) {
	finished := false
	defer func() {
		if complete {
			return
		}
		recover() // http.ErrAbortHandler; the chain lets no other one through
		if !finished {
			recording.Abandon()
		}
	}()
	handler.ServeHTTP(w, r)
	if r.Context().Err() != nil {
		reply.Forbid(recording)
	}
	finished = true
	return recording.Finish(), true
}
