package route

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/activation/handoff"
)

// Engine is what moves the connections.
type Engine string

const (
	Auto     Engine = "auto"      // the kernel where it can, hand-over for the rest
	Kernel   Engine = "kernel"    // bpf-sk_lookup; without it there is no start
	HandOver Engine = "hand-over" // every connection is accepted here, and its descriptor passed on
)

// Options says how a dispatcher works. Zero values mean what stands in brackets.
type Options struct {
	Engine      Engine                  // (Auto)
	Pin         string                  // the folder of a bpf file system where the kernel keeps its part while no dispatcher runs; empty: it is not kept
	Grace       time.Duration           // how long the end waits for what is held to be delivered (10 s)
	HelloTime   time.Duration           // how long a client may take over the bytes by which it is decided (5 s)
	HelloBytes  int                     // how many of them are looked at, at most 64 KiB (64 KiB)
	AckTime     time.Duration           // a session that leaves a connection unacknowledged for longer gets no other one until then (10 s)
	MostWaiting int                     // clients that are held for want of a backend (4096, or a third of the descriptors that may be open)
	Keeper      Keeper                  // keeps the kernel engine's sockets (nobody)
	Kept        []activation.Descriptor // what it had kept, by the names that begin with KeptPrefix
	Log         *slog.Logger
	Manager     activation.Manager // told how many clients wait for whom; may be zero
}

func (o Options) withDefaults() Options {
	o.Engine = cmp.Or(o.Engine, Auto)
	o.Grace = cmp.Or(o.Grace, 10*time.Second)
	o.HelloTime = cmp.Or(o.HelloTime, 5*time.Second)
	o.HelloBytes = min(cmp.Or(o.HelloBytes, mostHello), mostHello)
	o.AckTime = cmp.Or(o.AckTime, 10*time.Second)
	o.MostWaiting = cmp.Or(o.MostWaiting, 4096)
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		o.MostWaiting = int(min(uint64(o.MostWaiting), max(limit.Cur/3, 16)))
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Dispatcher gives connections to backends.
type Dispatcher struct {
	options Options
	log     *slog.Logger
	drops   *dropLog
	kernel  *kernel // nil: hand-over alone
	engine  Engine
	why     string // why it is this engine
	since   time.Time
	accept  func(fd int) (int, syscall.Sockaddr, error)
	spare   spare

	changing sync.Mutex // one reload or admission at a time: the fronts, the backends and who has which socket
	reloads  int
	fronts   []*front // those of the rules first, then the kernel engine's
	ending   []ending // the kernel engine's, of earlier rules
	backends map[string]*backend
	retired  []*backend // of earlier rules, with connections that are not acknowledged yet
	desks    []*desk
	running  context.Context // of Run; nil before
	ended    bool            // nothing is accepted any more
	closed   bool            // nor registered

	rules   atomic.Pointer[snapshot]
	refused counts         // clients for which there was no backend
	counts  sync.Map       // *atomic.Uint64 by the name of a route
	waiting atomic.Int64   // clients in all queues
	looking atomic.Int64   // clients whose first bytes are awaited
	lookers sync.WaitGroup // the goroutines that await those
	tasks   sync.WaitGroup // of Run: the others that end with it
}

// New compiles the rules, opens the desks, and arranges the kernel's part. The sockets are those of the listeners, by name; they
// stay the caller's, who keeps them open until Run has returned. Nothing is accepted before Run; without Run, Close ends it.
func New(c Config, sockets map[string][]activation.Held, o Options) (*Dispatcher, error) {
	o = o.withDefaults()
	d := &Dispatcher{
		options: o, log: o.Log, drops: newDropLog(o.Log), since: time.Now(), accept: acceptRaw,
		backends: map[string]*backend{},
	}
	d.spare.refill()
	if err := d.chooseEngine(); err != nil {
		d.spare.close()
		return nil, err
	}
	if err := d.Reload(c, sockets); err != nil {
		d.Close()
		return nil, err
	}
	d.reloads = 0
	return d, nil
}

// chooseEngine asks the kernel for its part.
func (d *Dispatcher) chooseEngine() error {
	if d.options.Engine == HandOver {
		d.clearKernel()
		d.dropKept()
		d.engine, d.why = HandOver, "it was asked for"
		return nil
	}
	k, err := newKernel(d.options)
	switch {
	case err == nil:
		d.kernel, d.engine, d.why = k, Kernel, "the kernel has bpf-sk_lookup"
		return nil
	case d.options.Engine == Kernel:
		return refused("--engine kernel: %v: --engine hand-over does without", err)
	}
	d.dropKept()
	d.engine, d.why = HandOver, err.Error()
	return nil
}

// dropKept lets go of what was kept for the kernel engine.
func (d *Dispatcher) dropKept() {
	k := newKeeping(d.options.Keeper, d.options.Kept)
	k.settle()
}

// clearKernel takes away what an earlier dispatcher left in the kernel: it would choose among sockets still.
func (d *Dispatcher) clearKernel() {
	if d.options.Pin == "" {
		return
	}
	if k, err := newKernel(d.options); err == nil {
		k.unpin()
		k.close()
	}
}

// Run dispatches until the context ends. Then nothing is accepted any more; what is held is delivered within the grace, and the
// rest reset. It returns when all that it opened is closed.
func (d *Dispatcher) Run(ctx context.Context) error {
	accepting, stop := context.WithCancel(context.Background())
	defer stop()
	d.changing.Lock()
	if d.running != nil {
		d.changing.Unlock()
		return fmt.Errorf("the dispatcher was run already")
	}
	d.running = accepting
	for _, f := range d.fronts {
		f.start(accepting)
	}
	for _, k := range d.desks {
		d.serveDesk(k)
	}
	d.changing.Unlock()
	d.tasks.Go(func() { d.tick(accepting) })
	<-ctx.Done()
	d.changing.Lock()
	d.ended = true
	for _, f := range d.fronts {
		f.stop()
	}
	d.leaveKernel()
	d.changing.Unlock()
	d.drain()
	stop()
	d.lookers.Wait()
	d.Close()
	d.tasks.Wait()
	return nil
}

// leaveKernel lets go of the kernel's part. Clients that wait in the queue of a socket that no backend has would be lost with it:
// they are accepted now. What is pinned goes on for the backends that have sockets. Where none has, all that the rules would do is
// to reject the clients of whoever binds those ports next.
func (d *Dispatcher) leaveKernel() {
	if d.kernel == nil {
		return
	}
	for i := range d.ending {
		d.ending[i].until = time.Time{}
	}
	d.endFronts(time.Now())
	var left []*front
	goesOn := d.kernel.inherited()
	for _, f := range d.fronts {
		goesOn = goesOn || f.backend != "" && f.given.Load() > 0
		if f.backend == "" || f.kind != handoff.Listener || f.given.Load() > 0 {
			continue
		}
		d.kernel.bypass(f) // or clients would come after those who are accepted, and go with the socket
		if fd, err := duplicate(f.fd); err == nil {
			left = append(left, &front{d: d, fd: fd, listener: f.listener, transparent: f.transparent, keep: f.keep})
		}
	}
	switch {
	case d.options.Pin == "":
	case goesOn:
		d.log.Info("the kernel goes on by these rules, for the backends that have sockets; to end that, remove the folder of its pins", "pins", d.options.Pin)
	default:
		d.kernel.forget()
	}
	for _, b := range d.all() {
		if ss, ok := b.single().sessions(); ok {
			for _, s := range ss.list() {
				s.oweNothing()
			}
		}
	}
	d.kernel.close()
	d.kernel = nil
	for _, f := range left {
		f.acceptRest()
		unix.Close(f.fd)
	}
}

// drain waits for what is held to be delivered, and resets what is not within the grace.
func (d *Dispatcher) drain() {
	end, step := time.Now().Add(d.options.Grace), time.NewTicker(5*time.Millisecond)
	defer step.Stop()
	for d.inHand() > 0 && time.Now().Before(end) {
		<-step.C
	}
	d.changing.Lock()
	all := d.all()
	d.changing.Unlock()
	rest := 0
	for _, b := range all {
		rest += b.dropAll(dropEnd)
	}
	if rest > 0 {
		d.log.Warn("connections were reset: no backend took them before the end", "connections", rest, "grace", d.options.Grace)
	}
	within, cancel := context.WithDeadline(context.Background(), end)
	defer cancel()
	var ends sync.WaitGroup
	for _, b := range all {
		ends.Go(func() { b.end(within) })
	}
	ends.Wait()
}

// inHand is the number of clients that nobody else has yet.
func (d *Dispatcher) inHand() int {
	n := int(d.waiting.Load() + d.looking.Load())
	d.changing.Lock()
	defer d.changing.Unlock()
	for _, b := range d.all() {
		n += b.inFlight()
	}
	return n
}

// all are the backends, those of earlier rules included. The caller holds changing.
func (d *Dispatcher) all() []*backend {
	all := append([]*backend(nil), d.retired...)
	for _, b := range d.backends {
		all = append(all, b)
	}
	return all
}

// Close ends a dispatcher that is not run. What backends were given, and what the kernel does by itself, goes on.
func (d *Dispatcher) Close() {
	d.changing.Lock()
	defer d.changing.Unlock()
	d.ended, d.closed = true, true
	for _, f := range d.fronts {
		f.stop()
	}
	for _, k := range d.desks {
		k.close()
	}
	d.desks = nil
	for _, b := range d.all() {
		b.dropAll(dropEnd)
		b.end(over())
	}
	if d.kernel != nil {
		d.kernel.close()
		d.kernel = nil
	}
	d.drops.close()
	d.spare.close()
}

// tellEvery is how often the manager is told.
const tellEvery = 10 * time.Second

// tick looks at the clocks: clients that wait in the kernel's queues too long, backends of earlier rules that are done.
func (d *Dispatcher) tick(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var told time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		if time.Since(told) > tellEvery {
			told = time.Now()
			d.options.Manager.Status(fmt.Sprintf("%s; engine %s; clients that wait: %d", d.rules.Load().config.Summary(), d.engine, d.waiting.Load()))
		}
		for _, b := range d.glance(time.Now()) {
			b.end(over())
		}
		timer.Reset(d.rules.Load().tick)
	}
}

// glance does so once, and returns the backends that are done.
func (d *Dispatcher) glance(now time.Time) []*backend {
	d.changing.Lock()
	defer d.changing.Unlock()
	for _, f := range d.fronts {
		f.expire(now)
		f.roused() // a word that was missed costs a tick at most
	}
	for _, b := range d.backends {
		b.sweep(now)
	}
	for _, e := range d.ending {
		e.roused()
	}
	d.endFronts(now)
	if d.kernel != nil && !d.ended {
		own, err := d.kernel.replace()
		d.join(own...)
		for _, f := range d.fronts {
			if f.used.Swap(false) {
				err = errors.Join(err, d.kernel.mend(f))
			}
		}
		if err != nil {
			d.drops.say("kernel", "the kernel does not get a socket of its own for a backend; its clients are handed over", "err", err)
		}
	}
	d.forward()
	return d.forget()
}

// forget takes out backends of earlier rules that hold nothing any more.
func (d *Dispatcher) forget() (done []*backend) {
	d.retired = slices.DeleteFunc(d.retired, func(b *backend) bool {
		if !b.idle(d.options.AckTime) {
			return false
		}
		done = append(done, b)
		return true
	})
	return done
}

// over is a context that has ended.
func over() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// spare is a descriptor that is kept for the moment when no other one is free: a client that waited too long can be accepted
// and reset then.
type spare struct {
	mu   sync.Mutex
	file *os.File
}

func (s *spare) refill() {
	if s.file == nil {
		s.file, _ = os.Open(os.DevNull)
	}
}

// with runs f while the descriptor is free.
func (s *spare) with(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		s.file.Close()
		s.file = nil
	}
	f()
	s.refill()
}

func (s *spare) close() { s.with(func() {}); s.file.Close() }
