package activation

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation/handoff"
	"github.com/rouse-server/rouse/platform"
)

// usualDesk is where a dispatcher takes registrations, where nothing else was said.
const usualDesk = "/run/rouse/dispatch.sock"

// backend splits the detail of a dispatch: address into the dispatcher's socket and the name to register by. A path may hold
// a #, a name may not.
func (a Address) backend() (path, name string) {
	at := strings.LastIndex(a.Detail, "#")
	if at < 0 {
		return a.Detail, ""
	}
	if at == 0 {
		return usualDesk, a.Detail[1:]
	}
	return a.Detail[:at], a.Detail[at+1:]
}

// checkBackend refuses a dispatch: address that nobody could register by.
func (a Address) checkBackend() error {
	path, name := a.backend()
	if name == "" {
		return fmt.Errorf("%s: names no backend: write dispatch:PATH#NAME, such as dispatch:%s#blog", a, usualDesk)
	}
	if _, err := a.slot(); err != nil {
		return err
	}
	if a.Options.Has("protocol") && a.Options.Get("takes") == "listener" {
		return fmt.Errorf("%s: socketbox's protocol passes connections, no listeners: leave takes= or protocol= out", a)
	}
	return a.checkPath(path)
}

// slot is the number to register by in socketbox's protocol; nil in Rouse's own.
func (a Address) slot() (*uint32, error) {
	if !a.Options.Has("protocol") {
		return nil, nil
	}
	_, name := a.backend()
	n, err := strconv.ParseUint(name, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("%s: in socketbox's protocol a backend is the number of a slot: write dispatch:PATH#3?protocol=socketbox", a)
	}
	slot := uint32(n)
	return &slot, nil
}

// register begins to register at a dispatcher, which need not be there yet.
func (o *Opener) register(a Address, senders []uint32, insist bool) (passage, error) {
	path, name := a.backend()
	slot, err := a.slot()
	if err != nil {
		return passage{}, err
	}
	c := handoff.Register(path, name, handoff.RegisterOptions{
		Takes: a.Options.Get("takes"), Slot: slot, Dispatcher: senders, Insist: insist, Accepts: a.accepts(), Log: o.log(),
	})
	info := platform.Socket{Family: platform.Unix, Type: platform.Seqpacket, Protocol: "unix", State: platform.Connected, Remote: path}
	return passage{channel: c, source: a.String(), number: -1, info: info, keeps: slot == nil}, nil
}

// ErrNoDispatcher says that nobody took the registration in time.
var ErrNoDispatcher = errors.New("no dispatcher answers")

// Times for a dispatcher to answer who registers.
const (
	forRefusal    = time.Second      // a backend that takes connections needs no answer, but is told of a refusal at once
	forAssignment = 30 * time.Second // one that may get listeners has to know
)

// holdAssigned waits for what the dispatcher gives.
func (o *Opener) holdAssigned(a Address, p passage, r *handoff.Registration) ([]Held, error) {
	patience := forAssignment
	if a.Options.Has("protocol") || a.Options.Get("takes") == "connections" {
		patience = forRefusal
	}
	ending := o.Ending
	if ending == nil {
		ending = context.Background()
	}
	ctx, cancel := context.WithTimeout(ending, patience)
	defer cancel()
	kind, arrivals, err := r.Assigned(ctx)
	switch path, _ := a.backend(); {
	case errors.Is(err, context.DeadlineExceeded) && patience == forRefusal:
		return []Held{p.held(a)}, nil // it goes on trying
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("%s: %w at %s: start rouse dispatch, or write ?takes=connections, which waits for it as long as it takes", a, ErrNoDispatcher, path)
	case errors.Is(err, context.Canceled):
		return nil, fmt.Errorf("%s: %w", a, err)
	case err != nil:
		return nil, err // which names the address
	case kind == handoff.Connection:
		return []Held{p.held(a)}, nil
	}
	return p.holdSockets(a, arrivals)
}

// holdSockets keeps the sockets that a dispatcher gave.
func (p passage) holdSockets(a Address, arrivals []*handoff.Arrival) ([]Held, error) {
	if len(arrivals) == 0 {
		return nil, fmt.Errorf("%s: the dispatcher has no socket for it: name the backend in a route, or take connections (?takes=connections)", a)
	}
	var held []Held
	for _, arrival := range arrivals {
		h := p.held(a)
		h.Number, h.ID, h.Kind = arrival.Number, arrival.ID, Listener
		if arrival.Kind == handoff.Packet {
			h.Kind = Packet
		}
		if h.Name == "" {
			h.Name = arrival.Meta.Listener
		}
		info, err := platform.Describe(arrival.Number)
		if err != nil {
			for _, left := range arrivals {
				unix.Close(left.Number)
			}
			return nil, fmt.Errorf("%s: %w", a, err)
		}
		h.Info, h.Bound = info, false
		arrival.Accepted()
		held = append(held, h)
	}
	return held, nil
}
