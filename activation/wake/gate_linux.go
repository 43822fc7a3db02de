package wake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation/handoff"
)

// inAdvance is how many connections may wait at a gate. With each one that the program accepts another one may come.
const inAdvance = 128

// gate is a channel over which connections arrive, and where they wait until the program accepts them. To the program it looks
// like a listening socket: see mouth.
type gate struct {
	*socket
	channel handoff.Channel
	log     *slog.Logger
	settle  time.Duration // a program that listens, and binds nothing more for so long, does not bind the other family
	end     context.CancelFunc
	ended   chan struct{}

	mu      sync.Mutex
	knock   int       // an eventfd, readable while a client waits; the number by which others know the gate
	clients []*client // that no mouth has
	mouths  []*mouth  // those that listen, of the newest instance first
	held    bool      // nothing is given to the program
	closed  bool
	settled bool // the program bound what it will bind
	timer   *time.Timer
	came    bool // a client came since arrived was asked
	refused int  // clients refused since the last line about them
	told    time.Time
}

// client is a connection that waits.
type client struct {
	*handoff.Arrival
	family int            // AF_INET, AF_INET6 or AF_UNIX, as its socket has it
	peer   netip.AddrPort // of a unix socket invalid
	taken  bool           // the dispatcher was told that it is in good hands
}

// newGate begins to receive.
func newGate(s *socket, log *slog.Logger, settle time.Duration) (*gate, error) {
	knock, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s, err)
	}
	g := &gate{socket: s, channel: s.Channel, log: log, settle: settle, knock: knock, ended: make(chan struct{})}
	s.Number = knock
	g.timer = time.AfterFunc(time.Hour, g.settles)
	g.timer.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	g.end = cancel
	g.channel.Grant(inAdvance)
	go g.receive(ctx)
	return g, nil
}

// receive takes what arrives until the channel ends.
func (g *gate) receive(ctx context.Context) {
	defer close(g.ended)
	for {
		arrival, err := g.channel.Next(ctx)
		switch {
		case ctx.Err() != nil:
			if err == nil && arrival.Kind == handoff.Connection {
				arrival.Decline()
			}
			return
		case errors.Is(err, io.EOF):
			g.log.Warn(fmt.Sprintf("%s: who passed connections over it has closed it: no client comes any more", g.Source))
			return
		case err != nil:
			g.log.Error(fmt.Sprintf("%s: no connections arrive", g.Source), "err", err)
			if !pauseFor(ctx, time.Second) {
				return
			}
		case arrival.Kind == handoff.Connection:
			g.admit(arrival)
		case arrival.Number >= 0:
			unix.Close(arrival.Number)
			g.log.Error(fmt.Sprintf("%s: the dispatcher gives a listening socket to a program that takes connections: restart it (rouse run) to take that", g.Source))
		}
	}
}

// pauseFor waits, and tells whether it was not ended.
func pauseFor(ctx context.Context, span time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(span):
		return true
	}
}

// admit lets one more client wait.
func (g *gate) admit(arrival *handoff.Arrival) {
	family, err := unix.GetsockoptInt(arrival.Number, unix.SOL_SOCKET, unix.SO_DOMAIN)
	if err != nil {
		unix.Close(arrival.Number)
		g.channel.Grant(1)
		return
	}
	c := &client{Arrival: arrival, family: family, peer: arrival.Meta.Client}
	if !c.peer.IsValid() {
		c.peer = peerOf(arrival.Number)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		arrival.Decline()
		return
	}
	g.came = true
	g.clients = append(g.clients, c)
	g.distribute()
}

func peerOf(fd int) netip.AddrPort {
	sa, _ := unix.Getpeername(fd)
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// distribute gives the clients that wait to the mouths that fit. The mutex is held.
func (g *gate) distribute() {
	if g.held || len(g.mouths) == 0 {
		g.signal()
		return
	}
	var left []*client
	for _, c := range g.clients {
		switch m, why := g.mouthFor(c); {
		case m != nil:
			m.take(c)
		case why != "" && g.settled:
			g.refuse(c, why)
		default:
			left = append(left, c)
		}
	}
	g.clients = left
	g.signal()
}

// mouthFor returns the mouth that a client is for, or says why there is none. The newest instance gets all.
func (g *gate) mouthFor(c *client) (found *mouth, why string) {
	for _, m := range g.mouths {
		if m.swapper != g.mouths[0].swapper {
			break
		}
		fits, reason := m.fits(c)
		if fits && (found == nil || m.rank(c) > found.rank(c)) {
			found = m
		}
		why = reason
	}
	return found, why
}

// refuse resets a client that no program can serve, and says why, once in a while.
func (g *gate) refuse(c *client, why string) {
	unix.SetsockoptLinger(c.Number, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	g.drop(c)
	g.refused++
	if time.Since(g.told) > 10*time.Second {
		g.log.Error(fmt.Sprintf("%s: a client (%s) is refused: %s", g.Source, c.peer, why), "refused", g.refused)
		g.told, g.refused = time.Now(), 0
	}
}

// drop closes our descriptor of a connection that was given or refused, and lets another one come.
func (g *gate) drop(c *client) {
	c.tell()
	unix.Close(c.Number)
	g.channel.Grant(1)
}

// tell says that the connection is in good hands, once.
func (c *client) tell() {
	if !c.taken {
		c.taken = true
		c.Accepted()
	}
}

// settles is called when the program bound nothing more for a while.
func (g *gate) settles() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settled = true
	g.distribute()
}

// signal makes knock readable while a client waits. The mutex is held.
func (g *gate) signal() {
	waiting := len(g.clients)
	for _, m := range g.mouths {
		waiting += len(m.clients)
	}
	var value [8]byte
	if waiting == 0 {
		unix.Read(g.knock, value[:]) // to zero; it was zero already where this fails
		return
	}
	value[0] = 1 // in either byte order it is not zero, and far from overflow
	unix.Read(g.knock, make([]byte, 8))
	unix.Write(g.knock, value[:])
}

// open lets clients in to a mouth, whose program listens there now: those that wait at older ones too.
func (g *gate) open(m *mouth) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.listening || g.closed {
		return
	}
	m.listening = true
	var back []*client
	for _, other := range g.mouths {
		if other.swapper != m.swapper || other.family != m.family {
			back = append(back, other.giveBack()...)
		}
	}
	if len(g.mouths) == 0 || g.mouths[0].swapper != m.swapper {
		g.settled = false
	}
	g.mouths = append([]*mouth{m}, g.mouths...)
	g.clients = append(back, g.clients...)
	g.timer.Reset(g.settle)
	g.distribute()
}

// shut takes a mouth away, of which the program is gone. Who waits there waits for the next one.
func (g *gate) shut(m *mouth) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var kept []*mouth
	for _, other := range g.mouths {
		if other != m {
			kept = append(kept, other)
		}
	}
	g.mouths = kept
	g.clients = append(m.giveBack(), g.clients...)
	g.distribute()
	m.close()
}

// hold keeps clients from the program, and lets them in again.
func (g *gate) hold(on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.held = on
	if on {
		for _, m := range g.mouths {
			g.clients = append(m.giveBack(), g.clients...)
		}
	}
	g.distribute()
}

// arrived tells whether a client came since it was asked last.
func (g *gate) arrived() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	came := g.came
	g.came = false
	return came
}

// close gives all who wait back, and takes nobody more: where the channel can, they go to others.
func (g *gate) close() {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return
	}
	g.closed = true
	for _, m := range g.mouths {
		g.clients = append(m.giveBack(), g.clients...)
	}
	left := g.clients
	g.clients = nil
	g.timer.Stop()
	g.signal()
	g.mu.Unlock()
	for _, c := range slices.Backward(left) { // each comes before those that were given back already
		c.Decline()
	}
	g.end()
	<-g.ended
	g.channel.Close()
}
