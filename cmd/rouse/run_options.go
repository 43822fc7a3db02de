package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/activation/relay"
	"github.com/rouse-server/rouse/activation/route/spelling"
	"github.com/rouse-server/rouse/activation/wake"
	"github.com/rouse-server/rouse/platform/seccomp"
	"github.com/rouse-server/rouse/server"
)

// running is the options of `rouse run`.
type running struct {
	ConfigFile string           `section:"Sockets, and which the program gets" flag:"config-file" short:"w" arg:"FILE" key:"-" help:"read options from this TOML file; its key command may name the program"`
	Listen     server.Addresses `flag:"listen" arg:"ADDRESS,…" help:"take or bind a socket: [NAME=]systemd:NAME, launchd:NAME, fd:N, inetd:, tcp:HOST:PORT, udp:HOST:PORT, unix:PATH, dispatch:PATH#BACKEND, handoff:PATH; repeatable; default: what was passed"`
	Fd         server.Number    `flag:"fd" arg:"N" help:"take socket N of LISTEN_FDS, counted from 0, or descriptor N where there is no LISTEN_FDS"`
	Map        server.List      `flag:"map" arg:"BIND=SOCKET,…" help:"the program's bind of BIND (8080, [::]:25/tcp, /run/x.sock) gets the socket of that name or address; repeatable; default: by port and kind"`
	Family     familyRule       `flag:"family" arg:"exact|any" help:"any lets an IPv4 bind take a dual-stack IPv6 socket"`

	Mode       modeWord      `section:"The way in which it gets them" flag:"mode" arg:"MODE" help:"listener (the socket is put in place when the program binds), translate (it asks for sockets itself), proxy, or auto, the best that can be had"`
	As         adapterWord   `flag:"as" arg:"SCHEME" help:"in translate mode, how the program asks for sockets: systemd, nginx, einhorn, server-starter, argv ({fd} in its arguments) or inetd; default: what it is known for, or systemd"`
	Proxy      proxyVersion  `flag:"proxy-protocol" arg:"v1|v2" help:"in proxy mode, tell the program the client's address by a PROXY header"`
	Faking     fakingWord    `flag:"getsockname" arg:"auto|yes|no" help:"answer getsockname with the address that the program asked for; auto: where the port is another one, for programs that compare (node, or one that ended over it)"`
	Privileges privilegeWord `flag:"no-new-privs" arg:"auto|yes|no" help:"set no_new_privs on the program; auto: where the kernel demands it of users without CAP_SYS_ADMIN"`
	KeepOpen   bool          `flag:"guard-shutdown" help:"shutdown(2) of a listening socket does nothing; for programs that call it when they end, with --reload=overlap"`
	NoURing    bool          `flag:"no-io-uring" help:"io_uring does not exist for the program, which could bind by it unseen"`
	Network    string        `flag:"network-from" arg:"PATH#BACKEND" help:"for a program without a network of its own: rouse dispatch at PATH makes the sockets of its outgoing connections and of the ports that it opens, within what the rules allow this backend"`
	PassNotify bool          `flag:"pass-notify" help:"leave NOTIFY_SOCKET and the watchdog's variables to the program"`

	Lazy         server.Automatic `section:"How it lives" flag:"lazy" help:"start the program when somebody knocks, or, with --lazy=false, at once; default: true when a manager passed the sockets"`
	IdleStop     server.Duration  `flag:"idle-stop" arg:"TIME" help:"stop it when no connection was open for so long; 0: never"`
	StartTimeout server.Duration  `flag:"start-timeout" arg:"TIME" help:"it has failed when it does not listen within that time; 0: no limit"`
	StopSignal   signalName       `flag:"stop-signal" arg:"SIGNAL" help:"ends it; default: TERM, or the graceful one of programs that are known (nginx QUIT)"`
	StopTimeout  server.Duration  `flag:"stop-timeout" arg:"TIME" help:"what is left of it after that time is killed"`
	Reload       reloadWord       `flag:"reload" arg:"HOW" help:"what SIGHUP does: signal is passed to it (which ends programs that do not catch it), overlap starts a new one before the old one ends, restart ends the old one first"`
	ReloadSignal signalName       `flag:"reload-signal" arg:"SIGNAL" help:"tells it to reload; default: HUP, or what programs that are known take"`

	LogLevel  server.LogLevel  `section:"Logging" flag:"log-level" short:"g" arg:"LEVEL" help:"error, warn, info (starts and stops), debug or trace"`
	LogFormat server.LogFormat `flag:"log-format" arg:"FORMAT" help:"auto, human, json or logfmt"`

	Explain bool `section:"Without starting anything" ignored:"true" key:"-" flag:"explain" help:"show the sockets, the way that would be taken, and what kernel and privileges allow"`
	JSON    bool `ignored:"true" key:"-" flag:"json" help:"the same for programs, with --explain"`
}

func defaultRunning() *running {
	return &running{Family: "exact", Mode: "auto", Faking: "auto", Privileges: "auto", Reload: "signal",
		StopTimeout: server.Duration(10 * time.Second), LogLevel: "info", LogFormat: "auto"}
}

// The types of options that are one of a few words.
type (
	familyRule    string
	modeWord      string
	adapterWord   string
	proxyVersion  string
	fakingWord    string
	privilegeWord string
	reloadWord    string
)

func (w *familyRule) Set(text string) error    { return oneWord((*string)(w), text, w.Words()) }
func (w *modeWord) Set(text string) error      { return oneWord((*string)(w), text, w.Words()) }
func (w *adapterWord) Set(text string) error   { return oneWord((*string)(w), text, w.Words()) }
func (w *proxyVersion) Set(text string) error  { return oneWord((*string)(w), text, w.Words()) }
func (w *fakingWord) Set(text string) error    { return oneWord((*string)(w), text, w.Words()) }
func (w *privilegeWord) Set(text string) error { return oneWord((*string)(w), text, w.Words()) }
func (w *reloadWord) Set(text string) error    { return oneWord((*string)(w), text, w.Words()) }

func (w familyRule) String() string    { return string(w) }
func (w modeWord) String() string      { return string(w) }
func (w adapterWord) String() string   { return string(w) }
func (w proxyVersion) String() string  { return string(w) }
func (w fakingWord) String() string    { return string(w) }
func (w privilegeWord) String() string { return string(w) }
func (w reloadWord) String() string    { return string(w) }

func (familyRule) Words() []string    { return []string{"exact", "any"} }
func (modeWord) Words() []string      { return []string{"auto", "listener", "translate", "proxy"} }
func (adapterWord) Words() []string   { return wake.Adapters() }
func (proxyVersion) Words() []string  { return []string{"v1", "v2"} }
func (fakingWord) Words() []string    { return []string{"auto", "yes", "no"} }
func (privilegeWord) Words() []string { return []string{"auto", "yes", "no"} }
func (reloadWord) Words() []string    { return []string{"signal", "overlap", "restart"} }

func oneWord(to *string, text string, words []string) error {
	if !slices.Contains(words, text) {
		return fmt.Errorf("not one of %s%s", strings.Join(words, ", "), spelling.Suggestion(text, words))
	}
	*to = text
	return nil
}

// signalName is a signal, as its name with or without SIG in front, or its number. Zero is none.
type signalName syscall.Signal

func (s *signalName) Set(text string) error {
	name := strings.ToUpper(text)
	if !strings.HasPrefix(name, "SIG") {
		name = "SIG" + name
	}
	number := unix.SignalNum(name)
	if number == 0 {
		var n server.Number
		if n.Set(text) != nil || unix.SignalName(syscall.Signal(n.Value)) == "" {
			return fmt.Errorf("not a signal such as TERM, QUIT or 15")
		}
		number = syscall.Signal(n.Value)
	}
	*s = signalName(number)
	return nil
}

func (s signalName) String() string {
	if s == 0 {
		return ""
	}
	return strings.TrimPrefix(unix.SignalName(syscall.Signal(s)), "SIG")
}

// runOptions returns the options of `rouse run`, and the machinery that reads them.
func runOptions() (*running, *subcommand) {
	r := defaultRunning()
	return r, newSubcommand("run", r, true)
}

// wakeConfig is what package wake is told. The sockets are opened; on error they stay open.
func (r *running) wakeConfig(s *subcommand, command []string, held []activation.Held) (wake.Config, error) {
	c := wake.Config{
		Command: command, Env: withoutVariables(os.Environ(), s.prefix()), Sockets: held,
		Mode: wake.Mode(r.Mode), As: string(r.As), AnyFamily: r.Family == "any", Faking: wake.Faking(r.Faking), Privileges: seccomp.Privileges(r.Privileges),
		KeepOpen: r.KeepOpen, NetworkFrom: r.Network, NoURing: r.NoURing, PassNotify: r.PassNotify, ProxyWith: relay.Header(r.Proxy),
		IdleStop: time.Duration(r.IdleStop), StartLimit: time.Duration(r.StartTimeout), StopSignal: syscall.Signal(r.StopSignal), StopTimeout: time.Duration(r.StopTimeout),
		Reload: wake.Reload(r.Reload), ReloadSignal: syscall.Signal(r.ReloadSignal),
	}
	passed := slices.ContainsFunc(held, func(h activation.Held) bool { return h.Passed })
	c.Lazy, c.LazyAsked = r.Lazy.Or(passed), r.Lazy.Or(false)
	for _, text := range r.Map {
		m, err := wake.ParseMap(text)
		if err != nil {
			return c, s.conflict([]string{"map"}, "%s: %w", s.given["map"], err)
		}
		c.Maps = append(c.Maps, m)
	}
	var err error
	c.Path, err = wake.Resolve(command[0])
	return c, err
}

// withoutVariables leaves out those that begin so: they are ours, and a rouse that the program starts has its own.
func withoutVariables(env []string, prefix string) []string {
	return slices.DeleteFunc(env, func(entry string) bool { return strings.HasPrefix(entry, prefix) })
}

// check refuses options that exclude each other.
func (r *running) check(s *subcommand) error {
	for _, pair := range []struct{ a, b, because string }{
		{"listen", "fd", "both say which sockets to take"},
		{"as", "map", "a program that asks for its sockets binds none"},
		{"as", "proxy-protocol", "nothing is relayed to a program that asks for its sockets"},
	} {
		if s.given[pair.a] != "" && s.given[pair.b] != "" {
			return s.conflict([]string{pair.a, pair.b}, "%s and %s exclude each other, leave one out: %s", s.given[pair.a], s.given[pair.b], pair.because)
		}
	}
	switch {
	case r.As != "" && r.Mode != "auto" && r.Mode != "translate":
		return s.conflict([]string{"as", "mode"}, "%s is for --mode=translate, and %s says %s: leave one out", s.given["as"], s.given["mode"], r.Mode)
	case r.Proxy != "" && r.Mode != "auto" && r.Mode != "proxy":
		return s.conflict([]string{"proxy-protocol", "mode"}, "%s is for --mode=proxy, and %s says %s: leave one out", s.given["proxy-protocol"], s.given["mode"], r.Mode)
	case r.JSON && !r.Explain:
		return usage("--json is for --explain: add that, or leave it out")
	}
	return nil
}
