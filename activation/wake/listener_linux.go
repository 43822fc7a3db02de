package wake

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/platform"
	"github.com/rouse-server/rouse/platform/process"
	"github.com/rouse-server/rouse/platform/seccomp"
	"github.com/rouse-server/rouse/platform/socketoptions"
)

// listenerEngine puts the held sockets in the place of those that the program binds (seccomp_unotify(2)): after that it
// listens and accepts without us. Instances that overlap share the sockets.
type listenerEngine struct {
	c         Config
	family    *children
	sockets   []*socket
	inodes    map[uint64]*socket
	rules     []rule
	snapshots []socketoptions.Snapshot // of the sockets in their order, before any program had them
	arrivals  *platform.Arrivals       // nil where nobody asks, or it cannot be known
	faking    atomic.Bool              // getsockname(2) is answered too
	gates     map[*socket]*gate        // of the sockets that are channels: connection mode
	given     map[*instance]*given     // the connections that the running ones got from there
	running   []*instance
	network   *network // nil where the program has no other than its own

	settle     time.Duration                            // a program that listens, and took nothing more for so long, is ready
	patience   time.Duration                            // after which a map that was not used is worth a warning
	descriptor func(*process.Process, int) (int, error) // fetches a descriptor of the program
}

func newListenerEngine(c Config, family *children) (engine, error) {
	return newListener(c, family)
}

func newListener(c Config, family *children) (*listenerEngine, error) {
	e := &listenerEngine{
		c: c, family: family, sockets: newSockets(c.Sockets), inodes: map[uint64]*socket{}, given: map[*instance]*given{},
		settle: 2 * time.Second, patience: 10 * time.Second, descriptor: (*process.Process).Descriptor,
	}
	if len(e.sockets) == 0 {
		return nil, refused("there is no socket to give to the program")
	}
	var err error
	if e.rules, err = resolve(c.Maps, e.sockets); err != nil {
		return nil, err
	}
	if e.network, err = newNetwork(c.NetworkFrom); err != nil {
		return nil, err
	}
	for _, s := range e.sockets {
		if s.Kind == activation.Channel {
			e.snapshots = append(e.snapshots, socketoptions.Snapshot{})
			continue
		}
		var st unix.Stat_t
		if err := unix.Fstat(s.Number, &st); err != nil {
			return nil, fmt.Errorf("%s: %w", s, err)
		}
		e.inodes[st.Ino] = s
		if s.Kind == activation.Listener && s.Info.State == platform.Bound { // nobody could knock
			if err := unix.Listen(s.Number, unix.SOMAXCONN); err != nil {
				return nil, fmt.Errorf("%s: listen on it: %w", s, err)
			}
		}
		e.snapshots = append(e.snapshots, socketoptions.Take(s.Number))
	}
	if c.IdleStop > 0 {
		if e.arrivals, err = platform.NewArrivals(e.listeners()...); err != nil {
			c.Log.Debug("clients that come and go between two looks are not seen", "err", err)
		}
	}
	e.faking.Store(e.fakes())
	if err := e.openGates(); err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

// fakes tells whether getsockname(2) is answered from the first start on.
func (e *listenerEngine) fakes() bool {
	switch e.c.Faking {
	case FakeYes:
		return true
	case FakeNo:
		return false
	}
	if !KnownProgram(e.c.Path, e.c.arguments()...).ComparesPorts {
		return false // each call would cost 10 µs, often one for each client, and a signal may interrupt it, which getsockname(2) knows nothing of
	}
	return len(e.rules) == 0 || slices.ContainsFunc(e.rules, func(r rule) bool {
		return slices.ContainsFunc(r.sockets, func(s *socket) bool { return s.transport == local || s.address.Port() != r.key.port })
	})
}

func (e *listenerEngine) start() (*instance, error) {
	filter := seccomp.Filter{Notify: []int{unix.SYS_BIND, unix.SYS_LISTEN}}
	if e.faking.Load() {
		filter.Notify = append(filter.Notify, unix.SYS_GETSOCKNAME)
	}
	if e.network != nil {
		filter.Notify = append(filter.Notify, unix.SYS_CONNECT)
	}
	if e.c.KeepOpen {
		filter.Notify = append(filter.Notify, unix.SYS_SHUTDOWN)
	}
	if len(e.gates) > 0 {
		filter.Interruptible = true // a blocking accept may wait for hours
		filter.Notify = append(filter.Notify, connectionCalls()...)
	}
	if e.c.NoURing || len(e.gates) > 0 || e.network != nil { // by it a program could accept and connect unseen
		filter.Refuse = []int{unix.SYS_IO_URING_SETUP}
	}
	var one *instance
	thread, err := seccomp.Under(filter, e.c.Privileges, func() (err error) {
		one, err = launch(e.c, e.family)
		return err
	})
	switch {
	case errors.Is(err, seccomp.ErrTaken), errors.Is(err, seccomp.ErrUnsupported), errors.Is(err, seccomp.ErrDenied):
		return nil, refused("listener mode cannot be had: %v; use --mode=proxy, or leave --mode out", err)
	case err != nil:
		return nil, err
	}
	e.running = append(slices.DeleteFunc(e.running, func(i *instance) bool { return over(i.gone) }), one)
	go func() {
		<-one.main.ended // the thread's end would send it its parent-death signal
		thread.End()
	}()
	s := newSwapper(e, one, thread.Notifier)
	for i := range e.given {
		if over(i.gone) {
			delete(e.given, i)
		}
	}
	e.given[one] = &s.given
	go s.run()
	return one, nil
}

// connections looks for one connection: each look at a socket holds it for a moment, also when the program closes it.
func (e *listenerEngine) connections(one *instance) (int, error) {
	pids := e.processes(one)
	if !slices.Contains(pids, one.main.pid) && e.family.signal(one.main, 0) {
		return 0, fmt.Errorf("/proc hides process %d: it is mounted with hidepid= (ProtectProc= in systemd), and the program lets nobody look into it (PR_SET_DUMPABLE)", one.main.pid)
	}
	n, err := process.Connections(pids, e.listeners(), 1)
	if n > 0 || err != nil {
		return n, err
	}
	if has, err := e.hasGiven(one, pids); has || err != nil {
		return 1, err
	}
	return 0, nil
}

// listeners returns the descriptors of the sockets on which connections arrive.
func (e *listenerEngine) listeners() []int {
	var fds []int
	for _, s := range e.sockets {
		if s.Kind == activation.Listener {
			fds = append(fds, s.Number)
		}
	}
	return fds
}

// processes returns those of an instance: all below us, daemons that left their parents too, but for those that are below
// another instance.
func (e *listenerEngine) processes(one *instance) []int {
	all := process.Descendants(os.Getpid())
	for _, other := range e.running {
		if other == one || over(other.gone) {
			continue
		}
		below := append(process.Descendants(other.main.pid), other.main.pid)
		all = slices.DeleteFunc(all, func(pid int) bool { return slices.Contains(below, pid) })
	}
	return all
}

func (e *listenerEngine) arrived() bool {
	arrived := e.arrivals != nil && e.arrivals.Since()
	for _, g := range e.gates {
		arrived = g.arrived() || arrived
	}
	return arrived
}

func (e *listenerEngine) waiting() bool { return false }

func (e *listenerEngine) hold(on bool) {
	for _, g := range e.gates {
		g.hold(on)
	}
}

func (e *listenerEngine) rest() {
	for i, snapshot := range e.snapshots {
		s := e.sockets[i]
		if s.Kind == activation.Channel {
			continue
		}
		changed := snapshot.Restore(s.Number)
		if len(changed) == 0 {
			continue
		}
		if reason, broken := strings.CutPrefix(changed[len(changed)-1], "listen: "); broken {
			e.c.Log.Error(fmt.Sprintf("the program shut %s down, and it cannot listen again (%s): no client gets in any more; restart the socket unit", s, reason))
		}
		e.c.Log.Debug("what the program changed on the socket was put back", "socket", s.String(), "options", strings.Join(changed, " "))
	}
}

func (e *listenerEngine) describe() string {
	if len(e.gates) > 0 {
		return "the program gets the connections when it accepts"
	}
	return "the program gets the socket itself when it binds"
}

func (e *listenerEngine) close() {
	e.closeGates()
	if e.arrivals != nil {
		e.arrivals.Close()
	}
	if e.network != nil {
		e.network.close()
	}
}
