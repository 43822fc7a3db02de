package server

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/rouse-server/rouse/server/http2"
	"github.com/rouse-server/rouse/server/reply"
)

// maxStreams is how many requests a connection of HTTP/2 may have under way (RFC 9113 §6.5.2 advises 100 or more); it is net/http's.
const maxStreams = 250

// speakHTTP2 gives what comes from here on to HTTP/2.
func (l *lane) speakHTTP2() {
	l.scope |= reply.HTTP2
	l.output.lane = l
	s := l.server
	l.http2 = http2.New(&http2.Options{
		Repeat:   l.repeat,
		Repeated: l.repeated,
		Answer:   l.answerStream,
		TooLong:  s.refusedHead,
		Context:  l.context(), Scope: l.scope, TLS: l.tls != nil, RemoteAddr: textOf(l.RemoteAddr()),
		Dates: &s.dates, Buffers: &s.buffers.http2,
		MaxStreams: maxStreams, MaxHeaderBytes: int(l.server.config.MaxHeaderSize),
		Extra:       s.limits.handlers,
		SendTimeout: s.config.SendTimeout.limit(), LowestRate: lowestRate, HeaderTimeout: s.config.ClientHeaderTimeout.limit(),
	}, &l.output)
	l.mu.Lock()
	l.engine = l.http2
	l.mu.Unlock()
	if s.draining.Load() {
		l.http2.GoAway()
	}
}

// frames gives what was received to HTTP/2.
func (l *lane) frames() step {
	before := l.http2.Asked()
	used, err := l.http2.Receive(l.received[l.from:l.have])
	l.from += used
	l.asked = true
	if l.was == idle && l.http2.Asked() == before { // it rests on: what is no request does not prolong that
		l.phase.Store(int32(idle))
	} else {
		l.pause(idle) // unless it is busy, which it knows better
	}
	if err != nil {
		l.over = true
		return nextFlush
	}
	if l.transport.queued() > mostQueued { // a client that takes nothing is not listened to either
		return nextFlush
	}
	return nextWait
}

// mostQueued is how many bytes may wait to be sent before nothing more is read, or written by handlers.
const mostQueued = 256 << 10

// output is where HTTP/2 writes to.
type output struct {
	lane    *lane
	sending atomic.Bool // a goroutine sends what is queued
}

// Write sends what it can, and leaves the rest to a goroutine.
func (o *output) Write(b []byte) error {
	switch o.lane.write(b) {
	case nextEnd:
		return http.ErrServerClosed
	case nextFlush:
		if o.sending.CompareAndSwap(false, true) {
			go o.send()
		}
	}
	return nil
}

func (o *output) Queued() int { return o.lane.transport.queued() }

// send sends what is queued, and what is queued meanwhile.
func (o *output) send() {
	for {
		if err := o.lane.transport.flush(); err != nil {
			o.lane.Close()
			return
		}
		o.lane.http2.Sent()
		o.sending.Store(false)
		if o.Queued() == 0 || !o.sending.CompareAndSwap(false, true) {
			return
		}
	}
}

// repeat answers a request of HTTP/2 from a kept reply.
func (l *lane) repeat(r *reply.Request) *reply.Reply {
	site := l.server.serving.Load()
	if site.replies == nil || l.server.vitals.maintenance.On() {
		return nil
	}
	return site.replies.Peek(r, l.server.clock())
}

// repeated logs and counts it.
func (l *lane) repeated(r *reply.Request, sent *reply.Reply, bytes int64, begun time.Time, aborted bool) {
	site := l.server.serving.Load()
	var entry *AccessEntry
	if site.log.enabled() {
		entry = l.entry(site, r, begun)
	}
	l.server.count(site, r.Head, sent.Status, sent.Host, bytes, time.Since(begun), entry, aborted)
}

// answerStream lets the chain answer a request of HTTP/2. What a kept reply may answer is recorded.
func (l *lane) answerStream(w http.ResponseWriter, r *http.Request, plain *reply.Request) {
	s, site := l.server, l.server.serving.Load()
	if plain == nil || site.replies == nil || s.vitals.maintenance.On() {
		s.answer(w, r)
		return
	}
	request, err := plain.HTTP(r.Context())
	if err != nil {
		s.answer(w, r)
		return
	}
	request.TLS, request.RemoteAddr = l.tls, r.RemoteAddr
	l.recordStream(site, w, request, plain)
}

func (l *lane) recordStream(site *serving, w http.ResponseWriter, request *http.Request, plain *reply.Request) {
	s, begun := l.server, time.Now()
	kept, finding := site.replies.Find(plain, begun.Sub(s.begun))
	recording := site.replies.Record(plain, kept, finding, w)
	written := &recorder{ResponseWriter: recording}
	s.vitals.metrics.Begin()
	defer s.vitals.metrics.End()
	whole, complete := run(site.counted, written, request, recording)
	s.remarked(l, site, written, plain, whole, begun, !complete)
	switch {
	case !complete:
		panic(http.ErrAbortHandler)
	case whole != nil:
		w.(sender).SendReply(whole) // a client that went away needs none
	}
}

// sender is a response writer of package http2.
type sender interface{ SendReply(*reply.Reply) error }
