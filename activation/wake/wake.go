// Package wake starts a program that knows nothing of activation when somebody knocks, gives it the sockets that others
// opened, and stops it when nobody talks to it.
package wake

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/activation/relay"
	"github.com/rouse-server/rouse/platform/seccomp"
)

// Mode is the way in which the program gets its sockets.
type Mode string

const (
	Auto      Mode = "auto"      // the best that can be had: translate for programs known to ask for sockets, else listener, else proxy
	Listener  Mode = "listener"  // the inherited socket is put in the place of the program's own when it binds (Linux)
	Translate Mode = "translate" // the program asks for sockets itself, and is told of them in its own way
	Proxy     Mode = "proxy"     // clients are accepted here, and their bytes copied to and from the program

	// Connections: as listener mode, but connections arrive open, over a channel, and are what accept(2) gives the program
	// (Linux 5.14). It is taken where one of the sockets is a channel, which no other mode can use.
	Connections Mode = "connections"
)

// Reload is what SIGHUP does.
type Reload string

const (
	ReloadSignal  Reload = "signal"  // the program gets ReloadSignal
	ReloadOverlap Reload = "overlap" // a second instance is started, and the first one stopped when it listens
	ReloadRestart Reload = "restart" // the instance is stopped and another one started; clients wait in the queue
)

// Faking says whether getsockname(2) answers a program with the address that it bound, in place of the socket's own.
type Faking string

const (
	FakeAuto Faking = "auto" // for programs known to compare the ports, where they differ; for others after one ended over it
	FakeYes  Faking = "yes"
	FakeNo   Faking = "no"
)

// Config says which program is started on which sockets, and how it lives. The zero values of strings mean the first of
// their constants.
type Config struct {
	Command []string // the program as it was named, and its arguments
	Path    string   // what is executed; see Resolve
	Env     []string // the environment, without that of the activation protocols
	Sockets []activation.Held
	Maps    []Map

	// NetworkFrom is PATH#BACKEND of a dispatcher that makes sockets for the program where it has no network itself: for its
	// binds that no socket is meant by, and its connects, of TCP and but for loopback. Empty: none.
	NetworkFrom string

	Mode       Mode
	As         string // the adapter of translate mode, one of Adapters; empty: the one that the program is known for
	AnyFamily  bool   // an IPv4 bind may take a dual-stack IPv6 socket
	Faking     Faking
	Privileges seccomp.Privileges
	KeepOpen   bool         // shutdown(2) by the program does nothing to the sockets that it was given
	NoURing    bool         // io_uring_setup(2) does not exist for the program: it could bind unseen
	PassNotify bool         // NOTIFY_SOCKET and WATCHDOG_* stay in the program's environment
	ProxyWith  relay.Header // proxy mode: the PROXY header sent to the program

	Lazy         bool           // nothing is started before a client knocks
	LazyAsked    bool           // Lazy was asked for, and is no default: the program must not take this process's place
	IdleStop     time.Duration  // stop when no connection was there for so long; 0: never
	StartLimit   time.Duration  // the program has to listen within it; 0: it may take its time, and a line says so after 10 s
	StopSignal   syscall.Signal // 0: the graceful one that the program is known for, else SIGTERM
	StopTimeout  time.Duration  // what is left after it is killed
	Reload       Reload
	ReloadSignal syscall.Signal // 0: the one that the program is known for, else SIGHUP

	Log      *slog.Logger
	Manager  activation.Manager
	Stderr   io.Writer // what the program writes to its standard error goes there
	Terminal bool      // standard input is a terminal, and the program gets it
}

// NotStarted is an error about the program itself, before it ran.
type NotStarted struct {
	Status int // the exit status by which shells tell: 127 not found, 126 cannot be executed
	Err    error
}

func (e NotStarted) Error() string { return e.Err.Error() }
func (e NotStarted) Unwrap() error { return e.Err }

// Refused is an error of the configuration: nothing was started, and a change of options, sockets or system mends it.
type Refused struct{ Reason string }

func (e Refused) Error() string { return e.Reason }

func refused(format string, a ...any) error { return Refused{fmt.Sprintf(format, a...)} }

// Run starts, stops and starts again until a signal ends it, or, when it is not lazy, the program ends by itself. It
// returns the exit status to end with: the program's own, or 128+N where signal N ended it. In translate mode it returns
// only with an error: this process has become the program.
func Run(c Config, signals <-chan os.Signal) (status int, err error) {
	if len(c.Command) == 0 {
		return 0, refused("no program is named: rouse run -- CMD")
	}
	way, err := c.decide()
	if err != nil {
		return 0, err
	}
	if way.mode == Translate {
		return 0, c.translate(way)
	}
	c = c.withDefaults()
	c.Sockets = slices.Clone(c.Sockets) // an engine gives channels the numbers by which they are watched
	beat, err := c.Manager.Watchdog()
	if err != nil {
		return 0, refused("%v", err)
	}
	family := newChildren()
	defer family.close(time.Second)
	engine, err := newEngine(c, way.mode, family)
	if err != nil {
		return 0, err
	}
	defer engine.close()
	c.tell(way)
	c.Log.Debug(engine.describe())
	watch := c.watchDispatchers(signals)
	defer watch.end()
	l := &life{Config: c, mode: way.mode, engine: engine, family: family, signals: watch.signals, pace: usualPace()}
	if beat > 0 {
		beats := time.NewTicker(beat)
		defer beats.Stop()
		l.beats = beats.C
	}
	status, err = l.live()
	return status, cmp.Or(err, watch.reason())
}

// tell says which way is taken, and why.
func (c Config) tell(way decision) {
	c.Log.Log(context.Background(), levelNotice, fmt.Sprintf("mode: %s (%s)", way.mode, way.why))
}

func newEngine(c Config, mode Mode, family *children) (engine, error) {
	if mode == Listener || mode == Connections {
		return newListenerEngine(c, family)
	}
	return newProxyEngine(c, family)
}

// withDefaults puts in what the program is known for, where nothing was said.
func (c Config) withDefaults() Config {
	known := KnownProgram(c.Path, c.arguments()...)
	c.StopSignal = cmp.Or(c.StopSignal, known.StopSignal, syscall.SIGTERM)
	c.ReloadSignal = cmp.Or(c.ReloadSignal, known.ReloadSignal, syscall.SIGHUP)
	c.Reload = cmp.Or(c.Reload, ReloadSignal)
	return c
}
