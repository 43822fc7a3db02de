package wake

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/activation/handoff"
)

// dispatched tells whether a dispatcher gave the socket, and may take it away again.
func dispatched(h activation.Held) bool { return h.Channel != nil && !isChannel(h) }

// leaveDispatchers ends the registrations by which the sockets came.
func (c Config) leaveDispatchers() {
	for _, h := range c.Sockets {
		if dispatched(h) {
			h.Channel.Close()
		}
	}
}

// dispatchers watches whether those who gave sockets take them away. A program cannot give up one of its sockets: it is ended
// then, as by SIGTERM.
type dispatchers struct {
	signals <-chan os.Signal // those of Run, and ours
	ours    chan os.Signal
	cancel  context.CancelFunc

	mu  sync.Mutex
	why error
}

func (c Config) watchDispatchers(signals <-chan os.Signal) *dispatchers {
	ctx, cancel := context.WithCancel(context.Background())
	d := &dispatchers{signals: signals, cancel: cancel}
	if !slices.ContainsFunc(c.Sockets, dispatched) {
		return d
	}
	d.ours = make(chan os.Signal, 16)
	d.signals = d.ours
	seen := map[handoff.Channel]bool{}
	for _, h := range c.Sockets {
		if dispatched(h) && !seen[h.Channel] {
			seen[h.Channel] = true
			go d.watch(ctx, h)
		}
	}
	go func() {
		for {
			select {
			case s := <-signals:
				d.ours <- s
			case <-ctx.Done():
				return
			}
		}
	}()
	return d
}

// watch waits for a change of what the dispatcher gives.
func (d *dispatchers) watch(ctx context.Context, h activation.Held) {
	arrival, err := h.Channel.Next(ctx)
	switch {
	case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
		return
	case err != nil:
		err = fmt.Errorf("%s: %w", h.Source, err)
	case arrival.Kind == handoff.Withdrawn:
		err = fmt.Errorf("%s: the dispatcher took the socket away, so the program is ended: start it again to get what is now meant for it", h.Source)
	default:
		unix.Close(arrival.Number)
		err = fmt.Errorf("%s: the dispatcher has another socket for the program, so it is ended: start it again to get that too", h.Source)
	}
	d.mu.Lock()
	d.why = err
	d.mu.Unlock()
	select {
	case d.ours <- syscall.SIGTERM:
	case <-ctx.Done():
	}
}

// reason is why the program was ended, if it was.
func (d *dispatchers) reason() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.why
}

func (d *dispatchers) end() { d.cancel() }
