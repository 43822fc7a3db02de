package main

import (
	"context"
	"fmt"
	"time"
)

// loadOnce is one round of load on one server. rate is what the warm-up gave, 0 in the warm-up. Where the machine was so busy that
// clients did not even get to their first replies, the round is a longer one.
func (b *bench) loadOnce(ctx context.Context, s *server, w workload, rate float64) sample {
	got := b.loadFor(ctx, s, w, rate, b.lengthOf(w))
	if got.none && ctx.Err() == nil {
		got = b.loadFor(ctx, s, w, rate, 4*b.lengthOf(w))
	}
	return got
}

func (b *bench) loadFor(ctx context.Context, s *server, w workload, rate float64, length time.Duration) sample {
	before, err := s.cpu()
	if err != nil {
		return sample{fault: err.Error() + s.lastWords()}
	}
	result, err := b.load(ctx, s, w, rate, length)
	if err != nil {
		return sample{fault: err.Error()}
	}
	after, err := s.cpu()
	if err != nil {
		return sample{fault: err.Error() + s.lastWords()}
	}
	if result.server == 0 { // some tools say what was used while they counted
		result.server = after - before
	}
	return loadSample(result, w, b.sizeOf(w))
}

func (b *bench) load(ctx context.Context, s *server, w workload, rate float64, length time.Duration) (loadResult, error) {
	at := s.socketFor(w)
	switch w.tool {
	case newConnections:
		return connectAgain(ctx, at, w.clients, length)
	case handshakes:
		return connectSecurely(ctx, at, w, b.sizeOf(w), length)
	case keptOpen:
		return keepAsking(ctx, at, w, length, s.cpu)
	case largeReplies:
		return readSteadily(ctx, at, w, length, s.cpu)
	}
	return b.tools[w.tool].run(ctx, w, at.url(w.path), length, rate)
}

// sizeOf is the least that a page of the workload has.
func (b *bench) sizeOf(w workload) int {
	if w.files > 0 {
		return 1024
	}
	return len(b.site.pages[w.path])
}

// loadSample turns a tool's result into a sample; size is that of the page asked for.
func loadSample(r loadResult, w workload, size int) sample {
	if r.requests == 0 {
		return sample{none: r.faults == "", fault: "no request was answered; " + r.faults + r.reasons}
	}
	s := sample{
		cost: r.server / time.Duration(r.requests), client: r.client / time.Duration(r.requests), rate: r.rate, p50: r.p50, p99: r.p99,
		attempts: r.attempts, lost: r.lost, reasons: r.reasons, fault: r.faults,
	}
	if s.fault == "" {
		s.fault = wrongSize(r, w, size)
	}
	return s
}

// mostHead is more than the head of any server's reply.
const mostHead = 1024

// wrongSize sees by the bytes that came whether the replies were those that were wanted. wrk rounds them to three digits.
func wrongSize(r loadResult, w workload, size int) string {
	each := float64(r.bytes) / float64(r.requests)
	switch {
	case w.notModified && each > mostHead:
		return fmt.Sprintf("%.0f bytes in each reply are not a 304", each)
	case w.packed && each > float64(size)*0.6:
		return fmt.Sprintf("%.0f bytes in each reply are not a compressed one", each)
	case !w.notModified && !w.packed && w.tool != largeReplies && each < 0.99*float64(size):
		return fmt.Sprintf("%d bytes in %d replies are less than %d each", r.bytes, r.requests, size)
	}
	return ""
}
