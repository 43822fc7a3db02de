package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
)

// handshakes is the tool of the workloads that make TLS connections with one request each, which bench does by itself.
const handshakes = "handshakes"

// handshakeClients is how many connections are under way at once.
const handshakeClients = 16

// What a workload of handshakes may want, in its arguments; without any they are full ones with X25519.
const (
	resumedOnes = "resumed" // with the ticket of the connection before
	hybridOnes  = "hybrid"  // X25519MLKEM768 is offered first, as browsers do, and X25519 beside it
)

func handshakeWorkloads() []workload {
	kind := func(name, title string, arguments ...string) workload {
		return workload{
			name: name, tool: handshakes, field: servers, role: "https", path: page1k, clients: handshakeClients, arguments: arguments,
			title: fmt.Sprintf("%s, and one request for 1 KiB; %d clients with a new connection for each", title, handshakeClients),
		}
	}
	return []workload{
		kind("handshake-full", "full TLS 1.3 handshake with X25519 and ECDSA P-256"),
		kind("handshake-resumed", "TLS 1.3 handshake resumed by a ticket, with X25519", resumedOnes),
		kind("handshake-hybrid", "full TLS 1.3 handshake, X25519MLKEM768 and X25519 offered, ECDSA P-256", hybridOnes),
	}
}

// A handshaker makes TLS connections one after another, each with one request that asks for the end of the connection.
type handshaker struct {
	address string
	config  *tls.Config
	request []byte
	size    int // of the body that is wanted
	resume  bool

	took   []time.Duration // from connecting to the end of the reply, of those that were answered
	groups map[string]int  // key exchanges by their names
	faults map[string]int  // what went wrong, by its text
}

// connectSecurely loads a server's TLS socket for a time. A connection that fails, is not resumed where it should be, or is
// encrypted otherwise than the other servers' is a fault. reasons of the result names the key exchanges.
func connectSecurely(ctx context.Context, at socket, w workload, size int, length time.Duration) (loadResult, error) {
	// The client's garbage would be collected on the CPU that it has to load the server with.
	defer debug.SetGCPercent(debug.SetGCPercent(800))
	all := make([]*handshaker, w.clients)
	began := time.Now()
	var group sync.WaitGroup
	for i := range all {
		h := newHandshaker(at, w, size)
		all[i] = h
		group.Go(func() { h.run(ctx, began.Add(length)) })
	}
	group.Wait()
	if err := ctx.Err(); err != nil {
		return loadResult{}, err
	}
	return handshakeResult(all, time.Since(began)), nil
}

func newHandshaker(at socket, w workload, size int) *handshaker {
	h := &handshaker{
		address: at.address(), config: clientTLS(), size: size,
		request: fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", w.path),
		resume:  slices.Contains(w.arguments, resumedOnes),
		groups:  map[string]int{}, faults: map[string]int{},
	}
	if h.resume {
		h.config.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	}
	if slices.Contains(w.arguments, hybridOnes) {
		h.config.CurvePreferences = []tls.CurveID{tls.X25519MLKEM768, tls.X25519}
	}
	return h
}

func (h *handshaker) run(ctx context.Context, until time.Time) {
	reply := make([]byte, h.size+4096)
	for first := true; time.Now().Before(until) && ctx.Err() == nil; first = false {
		began := time.Now()
		state, err := h.once(ctx, reply)
		if err != nil {
			h.faults[err.Error()]++
			continue
		}
		h.took = append(h.took, time.Since(began))
		h.groups[state.CurveID.String()]++
		if state.CipherSuite != tls.TLS_AES_128_GCM_SHA256 {
			h.faults["cipher "+tls.CipherSuiteName(state.CipherSuite)]++
		}
		// The first connection of each client gets the first ticket.
		if state.DidResume != (h.resume && !first) {
			h.faults[fmt.Sprintf("resumed: %t", state.DidResume)]++
		}
	}
}

// once makes one connection and reads until the server closes it, which is after the tickets.
func (h *handshaker) once(ctx context.Context, reply []byte) (tls.ConnectionState, error) {
	dialer := net.Dialer{Timeout: drainTime}
	conn, err := dialer.DialContext(ctx, "tcp", h.address)
	if err != nil {
		return tls.ConnectionState{}, unaddressed(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(drainTime)); err != nil {
		return tls.ConnectionState{}, err
	}
	secure := tls.Client(conn, h.config)
	if _, err := secure.Write(h.request); err != nil { // the handshake comes first
		return tls.ConnectionState{}, unaddressed(err)
	}
	length := 0
	for err == nil && length < len(reply) {
		var n int
		n, err = secure.Read(reply[length:])
		length += n
	}
	if !wholeReply(reply[:length], h.size) {
		return tls.ConnectionState{}, fmt.Errorf("an incomplete reply: %w", unaddressed(err))
	}
	return secure.ConnectionState(), nil
}

// wholeReply says whether these are at least the head and the body of a page of size bytes.
func wholeReply(reply []byte, size int) bool {
	_, body, found := bytes.Cut(reply, []byte("\r\n\r\n"))
	return found && bytes.HasPrefix(reply, []byte("HTTP/1.1 200 ")) && len(body) >= size
}

// unaddressed leaves out of a network error the ports, so that equal ones are counted together.
func unaddressed(err error) error {
	if operation, is := errors.AsType[*net.OpError](err); is {
		return fmt.Errorf("%s: %w", operation.Op, operation.Err)
	}
	if err == nil {
		return io.ErrShortBuffer
	}
	return err
}

func handshakeResult(all []*handshaker, took time.Duration) loadResult {
	var times []time.Duration
	groups, faults := map[string]int{}, map[string]int{}
	for _, h := range all {
		times = append(times, h.took...)
		for name, count := range h.groups {
			groups[name] += count
		}
		for text, count := range h.faults {
			faults[text] += count
		}
	}
	slices.Sort(times)
	r := loadResult{requests: int64(len(times)), reasons: strings.Join(slices.Sorted(maps.Keys(groups)), " and ")}
	r.rate = float64(r.requests) / took.Seconds()
	if len(times) > 0 {
		r.bytes = r.requests * int64(all[0].size)
		r.p50, r.p99 = times[len(times)/2], times[len(times)*99/100]
	}
	var texts []string
	for _, text := range slices.Sorted(maps.Keys(faults)) {
		texts = append(texts, fmt.Sprintf("%d connections: %s", faults[text], text))
	}
	r.faults = strings.Join(texts, "; ")
	return r
}

// printKeyExchanges says below the table of a row of handshakes which key exchange each server took: not all know the hybrid one.
func printKeyExchanges(out io.Writer, r row) {
	if r.workload.tool != handshakes {
		return
	}
	var texts []string
	for i, name := range r.names {
		for _, s := range r.samples[i] {
			if s.fault == "" {
				texts = append(texts, name+" "+s.reasons)
				break
			}
		}
	}
	fmt.Fprintf(out, "  key exchange: %s\n", strings.Join(texts, ", "))
}
