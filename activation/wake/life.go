package wake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rouse-server/rouse/platform"
)

// levelNotice is for what is always said, whatever the log level; package server has the same.
const levelNotice = slog.Level(12)

// pace holds the times that are not options.
type pace struct {
	patience  time.Duration // after which a program that does not listen is spoken of
	settled   time.Duration // a run that lasted so long was no failed start
	firstWait time.Duration // before the second start after a crash; it doubles
	mostWait  time.Duration
	plain     time.Duration // what a program that was starting has to obey the graceful stop signal
	again     time.Duration // between kills: a process may have forked while its relatives were listed
	despair   time.Duration // after which what survives being killed is given up
	echo      time.Duration // within it the same signal is the first one again: timeout(1) signals its child, then its group
	farewell  time.Duration // what the others of a program have to follow its main process, and its last words to arrive
}

func usualPace() pace {
	return pace{
		patience: 10 * time.Second, settled: 10 * time.Second,
		firstWait: time.Second, mostWait: time.Minute,
		plain: time.Second, again: 200 * time.Millisecond, despair: 10 * time.Second, echo: 100 * time.Millisecond, farewell: 100 * time.Millisecond,
	}
}

// life is a program between its starts and stops. It lives in one goroutine, as a state machine: a state waits for what
// concerns it and returns the next state, nil at the end.
type life struct {
	Config
	mode    Mode
	engine  engine
	family  *children
	signals <-chan os.Signal
	beats   <-chan time.Time // for the manager's watchdog
	pace    pace
	backoff backoff

	current    *instance // the newest one; nil: none
	former     *instance // the one that it replaces
	last       *child    // the main process of the instance that ended last
	signal     os.Signal // what next received
	cause      os.Signal // the signal that ends Run
	caused     time.Time // when it came
	later      []os.Signal
	held       bool   // clients are held back in the kernel's queue
	failure    string // why the program does not run, while it should
	unreplaced string // why the last reload left the old instance
	uncounted  bool   // it was told that connections cannot be counted

	status int
	err    error
}

type state func() state

// live runs the program on the engine until a signal or the program itself ends it.
func (l *life) live() (status int, err error) {
	l.backoff = backoff{first: l.pace.firstWait, most: l.pace.mostWait, settled: l.pace.settled}
	next := l.starting
	if l.Lazy && !l.waiting() {
		next = l.asleep
	}
	for next := state(next); next != nil; {
		next = next()
	}
	return l.status, l.err
}

// happening is what a state waited for.
type happening int

const (
	signalled happening = iota // in life.signal
	knocked                    // a client waits, or life.err tells why that cannot be known
	listens                    // the instance is ready
	mainEnded                  // its main process was reaped
	allGone                    // none of its processes is left
	otherGone                  // none of the other instance's is
	timeUp
	tick
)

// awaited is what a state waits for; nil channels bring nothing.
type awaited struct {
	knock              <-chan error
	ready, ended, gone <-chan struct{}
	otherGone          <-chan struct{}
	timeUp, tick       <-chan time.Time
}

// watch awaits what can happen to an instance.
func watch(one *instance) awaited {
	a := awaited{gone: one.gone}
	if !one.background {
		a.ended = one.main.ended
	}
	return a
}

// next waits for one of the happenings. A signal comes first, and the end of everything before that of the main process.
// The watchdog is kept content meanwhile.
func (l *life) next(a awaited) happening {
	for {
		select {
		case l.signal = <-l.signals:
			l.signal = l.meant(l.signal)
			return signalled
		default:
		}
		select {
		case <-a.gone:
			return allGone
		default:
		}
		select {
		case l.signal = <-l.signals:
			l.signal = l.meant(l.signal)
			return signalled
		case <-a.gone:
			return allGone
		case <-a.ended:
			return mainEnded
		case <-a.otherGone:
			return otherGone
		case <-a.ready:
			return listens
		case l.err = <-a.knock:
			return knocked
		case <-a.timeUp:
			return timeUp
		case <-a.tick:
			return tick
		case <-l.beats:
			l.Manager.Alive()
		case s := <-l.family.stopped:
			l.suspended(s)
		}
	}
}

// asleep: nothing runs, and the kernel queues who comes.
func (l *life) asleep() state {
	if l.waiting() {
		l.say(slog.LevelInfo, "a client waits")
		return l.starting
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	knock := make(chan error, 1)
	go func() { knock <- platform.WaitReadable(ctx, l.numbers()...) }()
	text := "asleep until a client knocks"
	l.say(slog.LevelInfo, "%s", text)
	if l.failure != "" {
		text += "; " + l.failure
	}
	l.tell(text)
	for {
		switch l.next(awaited{knock: knock}) {
		case knocked:
			if l.err != nil {
				return nil
			}
			l.say(slog.LevelInfo, "a client knocks")
			return l.starting
		case signalled:
			if l.withoutProgram() {
				return nil
			}
		}
	}
}

// starting: the program is executed.
func (l *life) starting() state {
	err := l.start()
	var refusal Refused
	switch {
	case err == nil:
		return l.loading
	case !l.Lazy || errors.As(err, &refusal):
		l.err = err
		return nil
	}
	return l.failed(err.Error(), 0)
}

func (l *life) start() error {
	before := map[int]bool{}
	if l.current != nil {
		for _, pid := range l.roots() {
			before[pid] = true
		}
	}
	one, err := l.engine.start()
	if err != nil {
		return err
	}
	one.before = before
	l.former, l.current = l.current, one
	l.hold(false)
	l.say(slog.LevelInfo, "%s is started (pid %d)", l.name(), one.main.pid)
	return nil
}

// loading: the program was executed, and does not listen yet.
func (l *life) loading() state {
	patience := time.NewTimer(l.pace.patience)
	defer patience.Stop()
	limit, stop := timer(l.StartLimit)
	defer stop()
	for {
		a := watch(l.current)
		a.ready, a.timeUp, a.tick = l.current.ready, limit, patience.C
		switch l.next(a) {
		case listens:
			l.say(slog.LevelInfo, "%s listens after %s", l.name(), time.Since(l.current.started).Round(time.Millisecond))
			return l.up
		case signalled:
			if next := l.obligeLoading(); next != nil {
				return next
			}
		case mainEnded:
			if next := l.mainOver(); next != nil {
				return next
			}
		case allGone:
			return l.over
		case timeUp:
			return l.tooSlow()
		case tick:
			l.diagnose()
		}
	}
}

// tooSlow gives a start up.
func (l *life) tooSlow() state {
	reason := fmt.Sprintf("%s did not listen within %s%s; it needs longer (--start-timeout), or listens elsewhere (--map)", l.name(), l.StartLimit, l.lastLines(l.current))
	return l.stop(func() state {
		if l.Lazy {
			return l.failed(reason, 0)
		}
		l.err = errors.New(reason)
		return nil
	}, l.current)
}

// diagnose speaks of a program that takes long to listen.
func (l *life) diagnose() {
	reasons := "it is still loading, or it listens on another port or path (see --map)"
	if l.mode != Proxy && len(l.Maps) == 0 { // a map that is not used is told of with the same reasons
		reasons += ", changes its user before it binds (let systemd set User=), binds through io_uring (--no-io-uring), or is a 32-bit program"
	}
	text := fmt.Sprintf("%s (pid %d) does not listen yet: %s", l.name(), l.current.main.pid, reasons)
	l.say(slog.LevelWarn, "%s", text)
	l.Manager.Status(text)
}

// up: the program serves.
func (l *life) up() state {
	l.failure = ""
	l.tell(l.serving())
	waiting := l.later
	l.later = nil
	for _, s := range waiting {
		l.signal = s
		if next := l.oblige(); next != nil {
			return next
		}
	}
	var looks <-chan time.Time
	if l.IdleStop > 0 {
		ticker := time.NewTicker(sampling(l.IdleStop))
		defer ticker.Stop()
		looks = ticker.C
	}
	idle := quiet{span: l.IdleStop, since: time.Now()}
	for {
		a := watch(l.current)
		a.tick = looks
		switch l.next(a) {
		case signalled:
			if next := l.oblige(); next != nil {
				return next
			}
		case mainEnded:
			if next := l.mainOver(); next != nil {
				return next
			}
		case allGone:
			return l.over
		case tick:
			if idle.look(l.busy) {
				if next := l.leave(); next != nil {
					return next
				}
				idle.since = time.Now()
			}
		}
	}
}

// leave stops an idle program, unless somebody came this very moment.
func (l *life) leave() state {
	l.hold(true)
	if l.busy() {
		l.hold(false)
		return nil
	}
	stopping := l.stop(func() state { l.wellEnded(); return l.asleep }, l.current) // at once: whoever comes now may be let in, and cut off
	l.say(slog.LevelInfo, "%s is stopped: no client for %s", l.name(), l.IdleStop)
	l.Manager.Status(fmt.Sprintf("stopping %s: no client for %s", l.name(), l.IdleStop))
	return stopping
}

// mainOver judges the end of the main process while others of the instance may go on. Nil: the instance goes on.
func (l *life) mainOver() state {
	one := l.current
	bye, stop := timer(l.pace.farewell)
	defer stop()
	select {
	case <-one.gone:
		return l.over
	case <-bye:
	}
	if one.main.status == 0 {
		one.background = true
		l.takeTerminal(one)
		l.say(slog.LevelInfo, "%s goes on in the background", l.name())
		return nil
	}
	l.say(slog.LevelWarn, "%s %s: the processes that it left behind are stopped", l.name(), ended(one.main.status))
	return l.stop(func() state { return l.judge(one) }, one)
}

// over: the instance ended by itself.
func (l *life) over() state {
	one := l.current
	l.bury(one)
	return l.judge(one)
}

// judge decides what follows an instance that was not told to end.
func (l *life) judge(one *instance) state {
	status, lines := one.main.status, l.lastLines(one)+l.deafness(one.main.status)
	var lived time.Duration
	if over(one.ready) {
		lived = time.Since(one.started)
	}
	switch {
	case l.current != nil: // the one that it was to replace still serves
		l.unreplaced = fmt.Sprintf("the new %s %s%s; the old one goes on", l.name(), ended(status), lines)
		l.say(slog.LevelError, "%s", l.unreplaced)
		return l.up
	case l.interrupted(status):
		return l.end
	case !l.Lazy, l.Terminal && status == 0: // at a terminal that may have been Ctrl-C, which only the program saw
		return l.endWithProgram(status, lines)
	case status == 0:
		l.say(slog.LevelInfo, "%s ended by itself", l.name())
		return l.pause("", l.backoff.ended(lived, l.waiting()))
	}
	return l.failed(l.name()+" "+ended(status)+lines, lived)
}

// endWithProgram ends Run as the program did.
func (l *life) endWithProgram(status syscall.WaitStatus, lines string) state {
	l.status = exitStatus(status)
	level := slog.LevelInfo
	if l.status != 0 {
		level = slog.LevelError
	}
	l.Manager.Stopping(l.name() + " " + ended(status) + lines)
	l.say(level, "%s %s%s", l.name(), ended(status), lines)
	return nil
}

// failed tells of a crash, or of a start that went wrong, and waits before the next one.
func (l *life) failed(reason string, lived time.Duration) state {
	l.failure, l.later = reason, nil
	pause := l.backoff.crashed(lived)
	l.say(slog.LevelError, "%s; it is started for the next client, in %s at the earliest", reason, pause)
	return l.pause(reason, pause)
}

// pause: nothing runs, and nobody looks who waits.
func (l *life) pause(reason string, span time.Duration) state {
	if span <= 0 {
		return l.asleep
	}
	if reason == "" {
		reason = fmt.Sprintf("%s ends again and again with its clients still waiting", l.name())
		l.failure = reason
		if l.backoff.ends == freeEnds+1 {
			l.say(slog.LevelWarn, "%s: each time it is started again in %s", reason, span)
		}
	}
	return func() state {
		l.tell(fmt.Sprintf("%s; starting again in %s at the earliest", reason, span))
		limit, stop := timer(span)
		defer stop()
		for {
			switch l.next(awaited{timeUp: limit}) {
			case timeUp:
				return l.asleep
			case signalled:
				if l.withoutProgram() {
					return nil
				}
				if l.signal == syscall.SIGHUP { // what was wrong may have been mended
					l.backoff.forget()
					return l.asleep
				}
			}
		}
	}
}

// end: a signal ended Run, and nothing runs any more.
func (l *life) end() state {
	if l.last != nil && !l.wellEnded() {
		l.status = exitStatus(l.last.status)
	}
	return nil
}

// wellEnded tells whether the instance that ended last did what it was asked for: it ended with 0, or by the signal that
// told it to end, or it caught that and says so as shells do, with 128+N (the JVM). Otherwise it is told of.
func (l *life) wellEnded() bool {
	status := l.last.status
	by := status.Signal()
	if status.Exited() {
		by = syscall.Signal(status.ExitStatus() - 128)
	}
	if status == 0 || by == l.StopSignal || os.Signal(by) == l.cause {
		return true
	}
	l.say(slog.LevelWarn, "%s %s when it was stopped", l.name(), ended(status))
	return false
}

// bury takes leave of an instance, none of whose processes is left.
func (l *life) bury(one *instance) {
	l.last = one.main
	if one == l.current {
		l.current = l.former
	}
	l.former = nil
	if l.current == nil {
		l.takeTerminal(one)
		l.engine.rest()
	}
}

// hold keeps clients in the kernel's queue, or lets them in again.
func (l *life) hold(on bool) {
	if on != l.held {
		l.held = on
		l.engine.hold(on)
	}
}

func (l *life) instances() []*instance {
	var all []*instance
	for _, one := range []*instance{l.current, l.former} {
		if one != nil {
			all = append(all, one)
		}
	}
	return all
}

// tell gives the manager the state, which is good: the first time, that all is ready, and after a reload, that it is done.
func (l *life) tell(text string) { l.Manager.Ready(text) }

func (l *life) serving() string {
	text := fmt.Sprintf("%s is up (pid %d)", l.name(), l.current.main.pid)
	if l.unreplaced != "" {
		text += "; " + l.unreplaced
	}
	return text
}

func (l *life) say(level slog.Level, format string, a ...any) {
	l.Log.Log(context.Background(), level, fmt.Sprintf(format, a...))
}

// name is the program in messages.
func (c Config) name() string { return filepath.Base(c.Command[0]) }

// lastLines is what an instance wrote to standard error at last, to be put behind a reason.
func (l *life) lastLines(one *instance) string {
	lines := one.errors.last(3, l.pace.farewell)
	if len(lines) == 0 {
		return ""
	}
	return ": " + strings.Join(lines, " | ")
}

// deafness tells of a program that was ended by the signal that was to reload it, and what to do.
func (l *life) deafness(status syscall.WaitStatus) string {
	if l.Reload != ReloadSignal || !status.Signaled() || status.Signal() != l.ReloadSignal {
		return ""
	}
	return "; it does not reload by that signal: --reload=restart starts it anew"
}

// ended says how a process ended.
func ended(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "was ended by " + signalName(status.Signal())
	}
	return fmt.Sprintf("ended with status %d", status.ExitStatus())
}

// exitStatus is the status by which shells tell of an ended process.
func exitStatus(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

// timer is a channel that gets a value after a time, unless that is 0.
func timer(after time.Duration) (<-chan time.Time, func() bool) {
	if after <= 0 {
		return nil, func() bool { return true }
	}
	t := time.NewTimer(after)
	return t.C, t.Stop
}
