package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/rouse-server/rouse/activation"
)

const (
	certificateLook = 2 * time.Second  // how often certificate files are looked at
	inetdIdle       = 60 * time.Second // how long inetd's wait mode goes on without clients, unless told
	hurryTimeout    = time.Second      // what running requests get after Ctrl-C in bare mode
	launchdMinimum  = 10 * time.Second // launchd makes the next client wait when a job ends sooner (launchd.plist(5), ThrottleInterval)
)

// live serves until a signal, the manager or idleness ends it. Here the server's accept loop, the activator's sockets and the
// notices to the manager are joined, and nowhere else.
func (s *site) live(signals <-chan os.Signal) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	manager := activation.Manager{}
	beat, err := manager.Watchdog()
	if err != nil {
		return config("%w", err)
	}
	s.renewTicketKeys(time.Now())
	ended := make(chan error, 1)
	go func() { ended <- s.server.Serve(s.serverSockets()) }()
	s.useCertificates(s.certificate)
	defer s.unwatch()
	manager.Ready(s.status())
	quiet := s.quiet(ctx)
	beats, keys := ticks(beat), ticks(ticketKeysLook)
	for {
		select {
		case err := <-ended:
			return err
		case <-keys:
			s.renewTicketKeys(time.Now())
		case <-beats:
			go s.beat(ctx, manager, beat)
		case <-quiet:
			if s.leave(manager) {
				return <-ended
			}
			quiet = s.quiet(ctx)
		case signal := <-signals:
			if s.oblige(manager, signal) {
				continue
			}
			s.stop(manager, signal, signals)
			return <-ended
		}
	}
}

// oblige does what a signal asks for, unless it asks to end.
func (s *site) oblige(manager activation.Manager, signal os.Signal) bool {
	switch signal {
	case syscall.SIGHUP:
		s.reload(manager)
	case syscall.SIGUSR1:
		s.logs.Reopen()
		notice(s.log, "the log files are opened again")
	case syscall.SIGUSR2:
		word := "off"
		if s.server.ToggleMaintenance() {
			word = "on"
		}
		notice(s.log, "maintenance mode is "+word)
	default:
		return false
	}
	return true
}

func ticks(every time.Duration) <-chan time.Time {
	if every <= 0 {
		return nil
	}
	return time.Tick(every)
}

// beat tells the manager's watchdog that requests are answered, when they are.
func (s *site) beat(ctx context.Context, manager activation.Manager, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := s.server.Alive(ctx); err != nil {
		s.log.Error("no sign of life for the watchdog", "err", err)
		return
	}
	manager.Alive()
}

// idleSpan is how long there must be no connection before the program exits; 0 is never. A socket that nobody holds for us
// would be gone with us.
func (s *site) idleSpan() time.Duration {
	span := time.Duration(s.settings.IdleExit)
	if s.settings.given["idle-exit"] == "" && slices.ContainsFunc(s.sockets, func(one served) bool { return one.Wait }) {
		span = inetdIdle
	}
	if span > 0 && slices.ContainsFunc(s.sockets, func(one served) bool { return one.Bound() }) {
		notice(s.log, s.settings.given["idle-exit"]+" is not used: Rouse bound a socket itself, and nobody would wake it")
		return 0
	}
	if span > 0 && slices.ContainsFunc(s.sockets, func(one served) bool { return strings.HasPrefix(one.Source, "launchd:") }) {
		span = max(span, launchdMinimum)
	}
	return span
}

// quiet returns a channel that gets a value when it is time to leave.
func (s *site) quiet(ctx context.Context) <-chan struct{} {
	span := s.idle
	if span <= 0 {
		return nil
	}
	quiet := make(chan struct{}, 1)
	go func() {
		if s.server.Quiet(ctx, span) == nil {
			quiet <- struct{}{}
		}
	}()
	return quiet
}

// leave ends an idle server, unless somebody knocks now. A client that comes later waits in the activator's queue.
func (s *site) leave(manager activation.Manager) bool {
	s.server.Pause()
	if s.server.Open() > 0 || activation.Pending(s.opened.sockets) {
		s.server.Resume()
		return false
	}
	manager.Stopping("idle for " + s.idle.String())
	notice(s.log, "idle for "+s.idle.String()+": exiting until somebody knocks")
	s.server.Close()
	return true
}

// stop drains: first it goes on for the grace period, then it accepts no more and lets requests finish. Another signal ends it.
func (s *site) stop(manager activation.Manager, signal os.Signal, signals <-chan os.Signal) {
	manager.Stopping("ending after " + signal.String())
	limit := time.Duration(s.settings.DrainTimeout)
	hurry := s.opened.bare && signal == os.Interrupt // somebody waits at the terminal
	if hurry {
		limit = min(limit, hurryTimeout)
	}
	drained := make(chan int, 1)
	go func() {
		time.Sleep(time.Duration(s.settings.GracePeriod) * time.Second)
		drained <- s.server.Drain(limit, hurry)
	}()
	for {
		select {
		case cut := <-drained:
			if cut > 0 && !hurry {
				notice(s.log, fmt.Sprintf("connections cut off after %s: %d; --drain-timeout gives them longer", s.settings.DrainTimeout, cut))
			}
			return
		case again := <-signals:
			if again == os.Interrupt || again == syscall.SIGTERM {
				notice(s.log, "ended by a second signal; running requests were cut off")
				s.server.Close()
				return
			}
		}
	}
}

// status is the line that `systemctl status` shows.
func (s *site) status() string {
	var urls []string
	for _, socket := range s.sockets {
		urls = appendNew(urls, socket.url(false))
	}
	return "serving " + s.showing + " at " + strings.Join(urls, ", ")
}
