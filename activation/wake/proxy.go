package wake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation/relay"
	"github.com/rouse-server/rouse/platform"
)

const (
	proxyPatience = 30 * time.Second // how long a client that was accepted waits for a program that listens no more
	settling      = time.Second      // how long hold waits for the program to take what is on its way
	lingering     = 5 * time.Second  // how long connections may go on when the engine is closed
	laterSockets  = 2 * time.Second  // how long after its first socket a program may open another one
)

// proxyEngine accepts the clients of the held sockets and relays them to the program, which listens on sockets of its own.
// Nothing is accepted while the program does not listen.
type proxyEngine struct {
	config   Config
	family   *children
	places   []*place
	relay    *relay.Relay
	arrivals atomic.Uint64
	givenUp  seldom

	mu      sync.Mutex // doors are made, opened and shut by one goroutine at a time
	holding bool
}

// seldom lets one of many equal lines through in ten seconds.
type seldom struct {
	mu   sync.Mutex
	last time.Time
}

func (s *seldom) due() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.last) < 10*time.Second {
		return false
	}
	s.last = time.Now()
	return true
}

func newProxyEngine(c Config, family *children) (engine, error) {
	e := &proxyEngine{config: c, family: family, relay: relay.New()}
	if c.Reload == ReloadOverlap {
		return nil, refused("proxy mode cannot reload by overlap: two instances cannot listen on the same address; use --reload=restart, or signal")
	}
	var err error
	if e.places, err = newPlaces(c); err != nil {
		return nil, err
	}
	for _, p := range e.places {
		for _, s := range p.sockets {
			if s.Info.State != platform.Bound {
				continue
			}
			if err := unix.Listen(s.Number, unix.SOMAXCONN); err != nil {
				return nil, refused("%s: listen on it: %v", s, err)
			}
		}
	}
	return e, nil
}

func (e *proxyEngine) start() (*instance, error) {
	for _, p := range e.places {
		if err := p.free(); err != nil {
			return nil, err
		}
	}
	e.mu.Lock()
	e.holding = false
	e.mu.Unlock()
	one, err := e.launch()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	up := make(chan *place)
	for _, p := range e.places {
		go e.await(ctx, p, one, up)
	}
	go e.readiness(one, up)
	go func() {
		<-one.main.ended
		if one.main.status.ExitStatus() != 0 { // a daemon's first process ends with 0, and others serve
			e.shut()
		}
		e.awaitEnd(one)
		cancel()
		e.shut()
		close(one.gone)
	}()
	return one, nil
}

// launch starts the program from a thread that stays as long as it: when the thread ends that started it, it gets its stop
// signal (PR_SET_PDEATHSIG, prctl(2)), and goroutines elsewhere end threads.
func (e *proxyEngine) launch() (*instance, error) {
	var one *instance
	var err error
	launched := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		one, err = launch(e.config, e.family)
		close(launched)
		if err == nil {
			<-one.main.ended
		}
	}()
	<-launched
	return one, err
}

// await waits until the program listens for a place, and lets its clients in.
func (e *proxyEngine) await(ctx context.Context, p *place, one *instance, up chan<- *place) {
	conn, err := p.reach(ctx, one)
	if err != nil {
		return
	}
	if err := e.open(ctx, p, conn); err != nil {
		e.config.Log.Error("clients cannot be accepted", "err", err)
		return
	}
	select {
	case up <- p:
	case <-one.gone:
	}
	p.lookAgain(ctx, one, e.config.Log)
}

// readiness closes the instance's ready when all places are up, or one is and no other one comes.
func (e *proxyEngine) readiness(one *instance, up <-chan *place) {
	missing := map[*place]bool{}
	for _, p := range e.places {
		missing[p] = true
	}
	var late <-chan time.Time
	for ready := false; len(missing) > 0; {
		select {
		case p := <-up:
			delete(missing, p)
			late = time.After(laterSockets)
		case <-late:
			for p := range missing {
				e.config.Log.Warn(fmt.Sprintf("the program does not listen on %s: clients of %s wait", p.bind, p.names()))
			}
			ready = true
			close(one.ready)
			late = nil
		case <-one.gone:
			e.explainEnd(one, len(missing) == len(e.places))
			return
		}
		if len(missing) == 0 && !ready {
			close(one.ready)
		}
	}
}

// explainEnd says what to change when a program ended because the address that it wants is held here.
func (e *proxyEngine) explainEnd(one *instance, never bool) {
	if !never {
		return
	}
	said := strings.ToLower(strings.Join(one.errors.last(20, 100*time.Millisecond), "\n"))
	if strings.Contains(said, "in use") || strings.Contains(said, "eaddrinuse") {
		e.config.Log.Error(fmt.Sprintf("the program could not bind its address: in proxy mode it must not bind that of %s itself: let it listen on another port of 127.0.0.1, and say which with --map PORT=SOCKET", e.places[0].names()))
	}
}

// open makes the doors of a place and opens them, unless the clients are to wait. The first of them gets the connection.
func (e *proxyEngine) open(ctx context.Context, p *place, conn net.Conn) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if ctx.Err() != nil {
		return conn.Close()
	}
	p.keep(conn, e.config.ProxyWith)
	to := relay.Server{Dial: p.dial, Header: e.config.ProxyWith, Patience: proxyPatience}
	for _, s := range p.sockets {
		listener, err := p.listener(s)
		if err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
		door := relay.NewDoor(listener, s.String(), e.config.Log, func(conn net.Conn) {
			client := e.relay.Take(conn)
			e.arrivals.Add(1)
			go e.carry(client, to)
		})
		p.doors = append(p.doors, door)
		if !e.holding {
			door.Open()
		}
	}
	return nil
}

func (e *proxyEngine) carry(client *relay.Client, to relay.Server) {
	from := client.Conn.RemoteAddr().String()
	err := client.Carry(context.Background(), nil, to)
	switch {
	case err == nil:
	case !errors.Is(err, relay.ErrNoServer):
		e.config.Log.Debug("a relayed connection broke", "client", from, "err", err)
	case e.givenUp.due():
		e.config.Log.Warn("a client was given up", "client", from, "err", err)
	}
}

func (e *proxyEngine) shut() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range e.places {
		for _, d := range p.doors {
			d.Shut()
		}
	}
}

// connections counts the clients, those included that the program has not answered yet.
func (e *proxyEngine) connections(*instance) (int, error) { return e.relay.Count(), nil }

func (e *proxyEngine) arrived() bool { return e.arrivals.Swap(0) > 0 }

// waiting: a program that dies leaves clients behind who were accepted for it.
func (e *proxyEngine) waiting() bool { return e.relay.Waiting() > 0 }

// hold also waits until the program has taken the clients that were accepted: those in the queue of its own socket would
// be reset when it closes that.
func (e *proxyEngine) hold(on bool) {
	if !on {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.holding = false
		for _, p := range e.places {
			for _, d := range p.doors {
				d.Open()
			}
		}
		return
	}
	e.mu.Lock()
	e.holding = true
	e.mu.Unlock()
	e.shut()
	ctx, cancel := context.WithTimeout(context.Background(), settling)
	defer cancel()
	e.relay.Connected(ctx)
	for _, p := range e.places {
		p.dropSpare()
		p.awaitTaken(ctx)
	}
}

// rest closes the doors, and makes the sockets block again where they did.
func (e *proxyEngine) rest() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range e.places {
		for _, d := range p.doors {
			d.Close()
		}
		p.doors = nil
		p.restore()
		p.dropSpare()
	}
}

func (e *proxyEngine) leave() { e.config.leaveDispatchers() }

func (e *proxyEngine) describe() string {
	var all []string
	for _, p := range e.places {
		all = append(all, fmt.Sprintf("%s to %s", p.names(), p.bind))
	}
	with := ""
	if h := e.config.ProxyWith; h != relay.None {
		with = ", with PROXY " + string(h)
	}
	return "clients are relayed" + with + ": " + strings.Join(all, "; ")
}

func (e *proxyEngine) close() {
	e.shut()
	ctx, cancel := context.WithTimeout(context.Background(), min(cmp.Or(e.config.StopTimeout, lingering), lingering))
	defer cancel()
	if err := e.relay.Close(ctx); err != nil {
		e.config.Log.Warn("proxy: " + err.Error())
	}
	e.rest()
}

// nonblocking tells whether O_NONBLOCK is set on what is open under the descriptor (fcntl(2)).
func nonblocking(fd int) (bool, error) {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return flags&syscall.O_NONBLOCK != 0, err
}
