package route

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation/handoff"
	"github.com/rouse-server/rouse/platform"
)

// desk is a socket where backends register, while it is open.
type desk struct {
	config Desk
	desk   *handoff.Desk
	cancel context.CancelFunc // of the loop; nil before it runs
}

func openDesk(c Desk) (*desk, error) {
	opened, err := handoff.OpenDesk(c.Path, fs.FileMode(c.Mode), c.Owner, c.Group)
	if err != nil {
		return nil, err
	}
	return &desk{config: c, desk: opened}, nil
}

func (k *desk) close() {
	if k.cancel != nil {
		k.cancel()
	}
	k.desk.Close()
}

// serveDesk lets applicants in until the desk is closed.
func (d *Dispatcher) serveDesk(k *desk) {
	ctx, cancel := context.WithCancel(d.running)
	k.cancel = cancel
	d.tasks.Go(func() {
		var rest rest
		for ctx.Err() == nil {
			a, err := k.desk.Next(ctx)
			switch {
			case err == nil:
				rest.reset()
				d.apply(ctx, k, a)
			case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
				return
			default:
				d.drops.say("desk "+k.config.Path, "cannot take registrations; they wait", "desk", k.config.Path, "err", err)
				rest.wait(ctx, true)
			}
		}
	})
}

// apply gives an applicant what it wants, or says why not. It does not wait for it.
func (d *Dispatcher) apply(ctx context.Context, k *desk, a *handoff.Applicant) {
	var err error
	switch a.Kind {
	case handoff.WantsStatus:
		err = d.tellStatus(a)
	case handoff.WantsNetwork:
		err = d.converse(ctx, k, a)
	default:
		err = d.register(k, a)
	}
	if err != nil {
		d.drops.say("apply "+err.Error(), "refused a process", "desk", k.config.Path, "process", a.Peer.String(), "backend", a.Backend, "err", err)
		a.Refuse(err.Error())
	}
}

// ours tells whether a process is root's or ours.
func ours(p handoff.Peer) bool { return p.UID == 0 || int(p.UID) == os.Geteuid() }

func (d *Dispatcher) tellStatus(a *handoff.Applicant) error {
	if !ours(a.Peer) {
		if os.Geteuid() == 0 {
			return errors.New("the status is told to root alone")
		}
		return fmt.Errorf("the status is told to root and to user %d alone", os.Geteuid())
	}
	text, err := json.Marshal(d.Status())
	if err != nil {
		return err
	}
	d.tasks.Go(func() { a.AnswerStatus(text) })
	return nil
}

// converse answers what a program without a network asks for.
func (d *Dispatcher) converse(ctx context.Context, k *desk, a *handoff.Applicant) error {
	b, err := d.named(k, a)
	if err != nil {
		return err
	}
	network := b.settings().Network
	if network == nil {
		return fmt.Errorf("backend %q may open no sockets: give it listen or connect under [backends.%s.network]", b.name, b.name)
	}
	talk, err := a.Network()
	if err != nil {
		return err
	}
	d.tasks.Go(func() {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel() // what nobody waits for is not connected to any longer
		defer talk.Close()
		for {
			question, err := talk.Next(ctx)
			if err != nil {
				return
			}
			network := b.settings().Network // a reload may have changed it
			if network == nil {
				return
			}
			d.tasks.Go(func() {
				answer := network.answer(ctx, question)
				if answer.Errno != 0 && answer.Number < 0 { // with EINPROGRESS there is a socket
					d.drops.say("network "+b.name+answer.Text, "did not open a socket for a backend", "backend", b.name, "process", a.Peer.String(), "asked", question.Operation, "err", answer.Text)
				}
				talk.Answer(answer)
				if answer.Number >= 0 {
					unix.Close(answer.Number)
				}
			})
		}
	})
	return nil
}

// named finds the backend that an applicant wants to be, and whether it may.
func (d *Dispatcher) named(k *desk, a *handoff.Applicant) (*backend, error) {
	name := a.Backend
	var found *backend
	for _, b := range d.rules.Load().backends {
		c := b.settings()
		if a.Slot != nil && (c.Slot == nil || *c.Slot != *a.Slot || c.Desk != "" && c.Desk != k.config.Path) || a.Slot == nil && c.Name != name {
			continue
		}
		found = b
	}
	switch {
	case found == nil && a.Slot != nil:
		return nil, fmt.Errorf("no backend has slot %d here", *a.Slot)
	case found == nil:
		return nil, fmt.Errorf("there is no backend %q: add it to [backends], or mend the name", name)
	}
	return found, found.settings().admits(k.config.Path, a.Peer)
}

// admits tells whether a process may be this backend.
func (b Backend) admits(desk string, p handoff.Peer) error {
	switch {
	case b.Desk != "" && b.Desk != desk:
		return fmt.Errorf("backend %q registers at %s", b.Name, b.Desk)
	case len(b.Users) == 0 && len(b.Groups) == 0 && ours(p):
		return nil
	case slices.Contains(b.Users, p.UID) || slices.Contains(b.Groups, p.GID):
		return nil
	}
	return fmt.Errorf("user %d may not be backend %q: add it to user or group of [backends.%s]", p.UID, b.Name, b.Name)
}

// register admits a process to a backend.
func (d *Dispatcher) register(k *desk, a *handoff.Applicant) error {
	d.changing.Lock()
	defer d.changing.Unlock()
	b, err := d.named(k, a)
	if err != nil {
		return err
	}
	c := b.settings()
	if c.Way != Registers {
		return fmt.Errorf("backend %q does not register: the rules reach it by %q", b.name, c.Way)
	}
	if d.closed || d.ended && d.nextGivesMore(b, a) {
		a.Later("the dispatcher ends")
		return nil
	}
	returned := d.returned(b, a)
	gives, fronts, err := d.gives(b, a)
	if err != nil {
		return err
	}
	missing := slices.DeleteFunc(slices.Clone(fronts), func(f *front) bool { _, has := returned[f]; return has })
	ss, _ := b.single().sessions()
	s, err := ss.admit(a, gives, len(missing))
	if errors.Is(err, errEnds) {
		return nil // it was told to come again
	}
	if err != nil {
		for _, h := range a.Held {
			unix.Close(h.Number)
		}
		d.log.Warn("a process could not be admitted", "backend", b.name, "process", a.Peer.String(), "err", err)
		return nil
	}
	for f, id := range returned {
		if slices.Contains(fronts, f) {
			s.has(f, id)
			continue
		}
		s.session.Withdraw(id)
	}
	d.closeHeld(a, s, returned)
	for _, f := range missing {
		if err := s.entrust(f); err != nil {
			d.log.Warn("a process could not be given a socket", "backend", b.name, "process", a.Peer.String(), "socket", f.address, "err", err)
		}
	}
	d.log.Debug("a process registered", "backend", b.name, "process", a.Peer.String(), "gets", string(gives), "sockets", len(fronts))
	b.single().pump()
	return nil
}

// nextGivesMore tells whether a process does better to wait for the next dispatcher: this one, which ends, has no sockets of the kernel
// engine to give any more, and a program that begins with connections stays with them. But clients that wait here come first.
func (d *Dispatcher) nextGivesMore(b *backend, a *handoff.Applicant) bool {
	listens := b.settings().Takes != Connections && Takes(a.Takes) != Connections && a.Slot == nil
	return d.engine == Kernel && listens && b.waiting.Load() == 0 && d.looking.Load() == 0
}

// returned finds the fronts of the sockets that a process got from a dispatcher before this one, and holds still.
func (d *Dispatcher) returned(b *backend, a *handoff.Applicant) map[*front]uint64 {
	found := map[*front]uint64{}
	for _, h := range a.Held {
		if d.kernel != nil {
			if f, ok := d.kernel.adopt(b.name, h.Number); ok {
				d.join(f)
				found[f] = h.ID
				continue
			}
		}
		for _, f := range d.fronts {
			if f.fd >= 0 && platform.SameFile(f.fd, h.Number) {
				found[f] = h.ID
			}
		}
	}
	return found
}

// gives decides what a process is given: connections, or the sockets on which all its clients arrive.
func (d *Dispatcher) gives(b *backend, a *handoff.Applicant) (handoff.Kind, []*front, error) {
	config, asked := b.settings().Takes, Takes(a.Takes)
	if a.Slot != nil {
		asked = Connections
	}
	wanted := config == Listeners || asked == Listeners
	if wanted && (config == Connections || asked == Connections) {
		return "", nil, fmt.Errorf("the process takes %q, the rules say that backend %q takes %q", asked, b.name, config)
	}
	if config == Connections || asked == Connections {
		return handoff.Connection, nil, nil
	}
	r := d.rules.Load()
	whole, partly := d.whole(r, b, wanted)
	if len(whole) == 0 && wanted {
		return "", nil, fmt.Errorf("backend %q shares its listeners with others, and only the kernel engine can part them: it can be given connections alone (%s)", b.name, d.why)
	}
	if len(whole) == 0 || (partly || d.early(r, b)) && !wanted && asked != bothTakes {
		return handoff.Connection, nil, nil
	}
	if partly && asked != bothTakes {
		d.log.Warn("some clients of a backend that takes listeners can be passed as connections only: they will be reset", "backend", b.name)
	}
	return handoff.Listener, whole, nil
}

// early tells whether clients of the backend may have come before the kernel sent them to a front of its own: those of an
// inherited socket, from before this start. They can be passed as connections alone.
func (d *Dispatcher) early(r *snapshot, b *backend) bool {
	return b.waiting.Load() > 0 || slices.ContainsFunc(d.fronts, func(f *front) bool {
		return f.backend == "" && f.kind == handoff.Listener && slices.Contains(r.reach[f].backends, b) && waitingAt(f.fd) > 0
	})
}

// whole lists the fronts whose clients all go to the backend, so that it can have them. partly tells that it has clients on others
// too. A TCP socket of the rules is given away only to one that wants listeners.
func (d *Dispatcher) whole(r *snapshot, b *backend, wanted bool) (whole []*front, partly bool) {
	for _, f := range d.fronts {
		reach, ok := r.reach[f]
		switch {
		case !ok || !slices.Contains(reach.backends, b):
		case f.backend != "":
			whole = append(whole, f)
		case d.parted(r, f, b):
		case reach.only == b && f.kind != handoff.Connection && f.proxy == "" && (wanted || f.kind == handoff.Packet):
			whole = append(whole, f)
		default:
			partly = true
		}
	}
	return whole, partly
}

// parted tells whether the kernel sends all clients of the backend to a front of its own.
func (d *Dispatcher) parted(r *snapshot, f *front, b *backend) bool {
	own := slices.ContainsFunc(d.fronts, func(other *front) bool {
		return other.backend == b.name && slices.Contains(other.behind, f)
	})
	if !own {
		return false
	}
	cells := r.table.Cells(f.listener, f.protocol)
	last := -1
	for i, c := range cells {
		if c.Route.Backend == b.name {
			last = i
		}
	}
	return !slices.ContainsFunc(cells[:last+1], func(c Cell) bool { return !c.Exact })
}

// closeHeld closes our duplicates of what the process holds, and tells it to let go of what it should not have.
func (d *Dispatcher) closeHeld(a *handoff.Applicant, s *session, returned map[*front]uint64) {
	for _, h := range a.Held {
		known := false
		for _, id := range returned {
			known = known || id == h.ID
		}
		if !known {
			s.session.Withdraw(h.ID)
		}
		unix.Close(h.Number)
	}
}
