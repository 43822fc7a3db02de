package wake

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The signals that Run knows: TERM and INT stop, HUP reloads, others are passed on.

func (l *life) stops() bool { return l.signal == syscall.SIGTERM || l.signal == syscall.SIGINT }

// oblige does what a signal asks for while the program is up. Nil: it goes on.
func (l *life) oblige() state {
	switch {
	case l.stops():
		return l.finish()
	case l.signal == syscall.SIGHUP:
		return l.reload()
	}
	l.pass(l.current, l.signal)
	return nil
}

// obligeLoading does what a signal asks for before the program is up. What would end it, because it has not yet said what it
// does with the signal, waits until it listens.
func (l *life) obligeLoading() state {
	switch l.signal {
	case syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2:
		if l.signal == syscall.SIGHUP {
			l.Manager.Reloading()
		}
		if !slices.Contains(l.later, l.signal) {
			l.later = append(l.later, l.signal)
		}
		return nil
	}
	return l.oblige()
}

// withoutProgram takes a signal while nothing runs, and tells whether it ends Run.
func (l *life) withoutProgram() bool {
	switch {
	case l.stops():
		l.cause = l.signal
		l.Manager.Stopping("ending after " + signalName(l.signal))
		return true
	case l.signal == syscall.SIGHUP:
		l.Manager.Reloading()
		l.tell(l.name() + " does not run; it reads its configuration when it is started")
	default:
		l.Log.Debug("the signal is passed to nobody: the program does not run", "signal", signalName(l.signal))
	}
	return false
}

// pass sends a signal to the main process of an instance, or to what it left in the background.
func (l *life) pass(one *instance, s os.Signal) {
	if number, ok := s.(syscall.Signal); ok && !l.family.signal(one.main, number) {
		l.signalOrphans(one, number)
	}
}

// reload does what Config.Reload says. Nil: the instance goes on.
func (l *life) reload() state {
	l.Manager.Reloading()
	l.unreplaced = ""
	switch l.Reload {
	case ReloadRestart:
		l.say(slog.LevelInfo, "%s is restarted; clients wait meanwhile", l.name())
		l.hold(true)
		return l.stop(func() state { l.wellEnded(); return l.starting }, l.current)
	case ReloadOverlap:
		return l.overlap
	}
	l.say(slog.LevelInfo, "%s gets %s", l.name(), signalName(l.ReloadSignal))
	l.pass(l.current, l.ReloadSignal)
	l.tell(l.serving())
	return nil
}

// overlap: a new instance is started beside the one that is up, and replaces it when it listens.
func (l *life) overlap() state {
	l.say(slog.LevelInfo, "a new %s is started beside the old one", l.name())
	if err := l.start(); err != nil {
		l.unreplaced = fmt.Sprintf("%v; the old %s goes on", err, l.name())
		l.say(slog.LevelError, "%s", l.unreplaced)
		return l.up
	}
	limit, stop := timer(l.StartLimit)
	defer stop()
	old := l.former
	for {
		a := watch(l.current)
		a.ready, a.otherGone, a.timeUp = l.current.ready, old.gone, limit
		switch l.next(a) {
		case listens:
			l.say(slog.LevelInfo, "the new %s (pid %d) listens, and the old one is stopped", l.name(), l.current.main.pid)
			return l.stop(l.up, old)
		case otherGone:
			l.bury(old)
			return l.loading
		case mainEnded:
			if next := l.mainOver(); next != nil {
				return next
			}
		case allGone:
			return l.over
		case timeUp:
			l.unreplaced = fmt.Sprintf("the new %s did not listen within %s%s; the old one goes on", l.name(), l.StartLimit, l.lastLines(l.current))
			l.say(slog.LevelError, "%s", l.unreplaced)
			return l.stop(l.up, l.current)
		case signalled:
			if next := l.obligeLoading(); next != nil {
				return next
			}
		}
	}
}

// finish stops everything for good.
func (l *life) finish() state {
	victims := l.joinEnd(nil)
	return func() state { return l.stopping(l.end, victims) }
}

// joinEnd makes the end final, and returns all instances: the victims, which were told to end, and those that are to be told.
func (l *life) joinEnd(victims []*instance) []*instance {
	l.cause, l.caused = l.signal, time.Now()
	l.say(slog.LevelInfo, "%s is stopped after %s", l.name(), signalName(l.signal))
	l.Manager.Stopping("stopping " + l.name() + " after " + signalName(l.signal))
	l.hold(true)
	l.engine.leave()
	for _, one := range l.instances() {
		if !slices.Contains(victims, one) {
			l.ask(one)
			victims = append(victims, one)
		}
	}
	return victims
}

// stop asks instances to end, and returns the state that waits for it.
func (l *life) stop(then state, victims ...*instance) state {
	for _, one := range victims {
		l.ask(one)
	}
	return func() state { return l.stopping(then, victims) }
}

// ask tells an instance to end.
func (l *life) ask(one *instance) {
	l.pass(one, l.StopSignal)
	l.pass(one, syscall.SIGCONT) // one that is stopped by job control would never see it
}

// askLeft tells what outlives the main process of an instance to end as well.
func (l *life) askLeft(one *instance) {
	bye, stop := timer(l.pace.farewell)
	defer stop()
	select {
	case <-one.gone:
	case <-bye:
		one.background = true
		l.ask(one)
	}
}

// stopping: instances were told to end, and are killed when they do not.
func (l *life) stopping(then state, victims []*instance) state {
	limit := time.NewTimer(l.StopTimeout)
	defer limit.Stop()
	plain, stop := timer(l.plainAfter(victims))
	defer stop()
	var killed time.Time
	for len(victims) > 0 {
		one := victims[0]
		a := watch(one)
		a.timeUp, a.tick = limit.C, plain
		switch l.next(a) {
		case tick:
			for _, one := range victims {
				l.pass(one, syscall.SIGTERM)
			}
		case allGone:
			l.bury(one)
			victims = victims[1:]
		case mainEnded:
			l.askLeft(one)
		case timeUp:
			if killed.IsZero() {
				killed = time.Now()
				l.say(slog.LevelWarn, "%s did not end within %s and is killed; --stop-timeout gives it longer", l.name(), l.StopTimeout)
			} else if time.Since(killed) > l.pace.despair {
				return l.immortal(victims)
			}
			l.killAll(victims)
			limit.Reset(l.pace.again)
		case signalled:
			switch {
			case l.stops() && l.cause == nil:
				then, victims = l.end, l.joinEnd(victims)
				limit.Reset(l.StopTimeout)
			case l.stops() && l.signal == l.cause && time.Since(l.caused) < l.pace.echo:
			case l.stops():
				l.say(slog.LevelWarn, "%s is killed by a second signal", l.name())
				killed = time.Now()
				l.killAll(victims)
				limit.Reset(l.pace.again)
			default:
				l.obligeStopping(victims)
			}
		}
	}
	return then
}

// obligeStopping takes a signal other than those that stop. An instance that stays, or comes, gets it later.
func (l *life) obligeStopping(victims []*instance) {
	if l.signal != syscall.SIGHUP {
		l.pass(l.current, l.signal)
		return
	}
	if l.cause == nil {
		l.Manager.Reloading()
	}
	if !slices.Contains(victims, l.current) {
		l.later = append(l.later, l.signal)
	}
}

// plainAfter is the time after which SIGTERM follows the stop signal: a program that was starting has not heard the one that
// is graceful, where that is ignored or means something else by default (Apache's SIGWINCH, HAProxy's SIGUSR1). 0: never.
func (l *life) plainAfter(victims []*instance) time.Duration {
	if l.StopSignal == syscall.SIGTERM || slices.ContainsFunc(victims, func(one *instance) bool { return over(one.ready) }) {
		return 0
	}
	return l.pace.plain
}

func (l *life) killAll(victims []*instance) {
	for _, one := range victims {
		l.kill(one)
	}
}

// immortal gives up processes that not even SIGKILL ends: they hang in the kernel.
func (l *life) immortal(victims []*instance) state {
	one := victims[0]
	l.say(slog.LevelError, "%s (pid %d) cannot be killed: it or a process of it hangs in the kernel", l.name(), one.main.pid)
	l.status = 1
	return nil
}

// interrupted tells whether an instance ended because of a signal that is meant for this process too: all processes of a
// service may get it at once, and Ctrl-C reaches the program first when it has the terminal.
func (l *life) interrupted(status syscall.WaitStatus) bool {
	if !status.Signaled() || status.Signal() != syscall.SIGTERM && status.Signal() != syscall.SIGINT {
		return false
	}
	if l.Terminal && status.Signal() == syscall.SIGINT {
		return true
	}
	soon := time.NewTimer(l.pace.farewell)
	defer soon.Stop()
	for {
		select {
		case l.signal = <-l.signals:
			if l.stops() {
				l.withoutProgram()
				return true
			}
		case <-soon.C:
			return false
		}
	}
}

// signalName is SIGTERM and the like.
func signalName(s os.Signal) string {
	if number, ok := s.(syscall.Signal); ok {
		if name := unix.SignalName(number); name != "" {
			return name
		}
	}
	return s.String()
}
