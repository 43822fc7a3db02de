// Package inetd starts one process for each connection, as inetd and its family do, or one for each listening socket that has
// clients.
package inetd

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"time"

	"github.com/rouse-server/rouse/activation"
)

// Stderr is where standard error of a process goes.
type Stderr string

const (
	Log    Stderr = "log"    // line by line into the log, with the client's address
	Client Stderr = "client" // to the client, as inetd(8) has it
	Null   Stderr = "null"
)

// Service says which program serves, as whom and within which limits. Zero values are no limit.
type Service struct {
	Name    string   // in messages; empty: the program's name
	Command []string // the name under which it runs, and its arguments
	Path    string   // what is executed; see wake.Resolve. Empty: Command[0], which then is a path
	Env     []string // without what tells about the client, which each process gets. Nil: that of this process
	Dir     string   // where it starts; empty: /

	User   *uint32 // nil: as this process. HOME, USER and LOGNAME go with it
	Group  *uint32
	Groups []uint32 // the other groups; looked at where User or Group is set
	Limits []Limit  // Linux

	Wait   bool   // the program gets the listening socket itself, as it does a packet socket in any case
	Stderr Stderr // empty: Log

	Most       int           // processes at once; further clients wait in the kernel's queue, or with the dispatcher
	PerClient  int           // processes at once for one client's address; further connections are reset
	Rate       Rate          // starts of all; further clients wait
	ClientRate Rate          // connections of one client's address; further ones are reset
	Time       time.Duration // a process that takes longer gets SIGTERM, and SIGKILL after another 5 s, with its process group
}

// Rate is so many within a time. The zero value is no limit.
type Rate struct {
	Number int
	Within time.Duration
}

// Bound is a service with its sockets: listeners, packet sockets and, without Wait, channels.
type Bound struct {
	Service Service
	Sockets []activation.Held
}

// Options is what all services of a process have in common.
type Options struct {
	Log     *slog.Logger
	Manager activation.Manager
	Grace   time.Duration   // at the end: how long the processes that run may go on before they get SIGTERM
	AtOnce  <-chan struct{} // closed: at the end there is neither Grace nor time after SIGTERM; may be nil
}

// Refused is an error of the configuration: nothing was started, and a change of options, sockets or system mends it.
type Refused struct{ Reason string }

func (e Refused) Error() string { return e.Reason }

func refused(format string, a ...any) error { return Refused{fmt.Sprintf(format, a...)} }

// killAfter is how long a process that was asked to end (SIGTERM) may take for it.
const killAfter = 5 * time.Second

// Run starts processes until the context ends. Then it takes no more clients, lets the processes go on for Options.Grace, ends
// those that are left (SIGTERM, and 5 s later SIGKILL; those of Wait at once, as they would take more clients), and returns nil
// when all have ended. The listeners stay the caller's; channels are closed when the context ends. It returns before that with
// Refused, when nothing was started, or with io.EOF when each socket was a channel whose other side ended for good.
func Run(ctx context.Context, services []Bound, o Options) error {
	h, err := openHouse(o.Log)
	if err != nil {
		return err
	}
	defer h.close()
	inetds, err := h.prepare(services)
	if err != nil {
		return err
	}
	beat, err := o.Manager.Watchdog()
	if err != nil {
		return refused("%v", err)
	}
	closeOnExec()
	time.Now().Zone() // package time reads the zone from a file that is not closed on exec: now, and not at the first line of a log
	defaultSignals()
	// A goroutine that starts a process keeps its processor until the process has been executed (vfork(2)): with twice as many
	// the others go on meanwhile.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(4, 2*runtime.NumCPU(), runtime.GOMAXPROCS(0))))
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer reapStrangers(h, inetds)()
	go alive(ctx, o.Manager, beat)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		serveAll(ctx, inetds)
	}()
	for _, s := range inetds {
		for _, h := range s.sockets {
			if h.Channel != nil { // a dispatcher's socket is not bound where the clients connect to
				s.log.Info("waits for clients", "socket", h.String())
				continue
			}
			s.log.Info("waits for clients", "socket", h.String(), "address", h.Info.Local)
		}
	}
	o.Manager.Ready(status(services))
	select {
	case <-ctx.Done():
		err = nil
	case <-ended: // all of them were channels, and none of them is left
		if err = io.EOF; ctx.Err() != nil {
			err = nil
		}
		stop(err)
	}
	o.Manager.Stopping("waits for the processes that run")
	<-ended
	finish(inetds, o)
	return err
}

// status is what the manager shows.
func status(services []Bound) string {
	sockets := 0
	for _, s := range services {
		sockets += len(s.Sockets)
	}
	return fmt.Sprintf("waits for clients on %d sockets", sockets)
}

// alive beats the manager's watchdog.
func alive(ctx context.Context, m activation.Manager, beat time.Duration) {
	if beat <= 0 {
		return
	}
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			m.Alive()
		}
	}
}
