package wake

import (
	"errors"
	"runtime"
	"slices"
	"strings"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/platform/process"
	"github.com/rouse-server/rouse/platform/seccomp"
)

// decision is the way that is taken, and why.
type decision struct {
	mode    Mode
	adapter string // of translate mode
	why     string // a clause
}

// decide chooses the way in which the program gets its sockets. Its errors are Refused.
func (c Config) decide() (decision, error) {
	if len(c.Sockets) == 0 {
		return decision{}, refused("there is no socket to give to %s: start rouse by a socket unit, or name a socket, such as --listen tcp:127.0.0.1:8080", c.name())
	}
	for _, h := range c.Sockets {
		if h.Proxy != "" {
			return decision{}, refused("%s: ?proxy= is for sockets that Rouse serves itself: the program has to read the PROXY header here", h.Source)
		}
	}
	if c.IdleStop > 0 && !c.hasListener() {
		return decision{}, refused("--idle-stop counts connections, and %s has none: it needs a stream socket", c.Sockets[0])
	}
	if _, err := newNetwork(c.NetworkFrom); err != nil {
		return decision{}, err
	}
	if c.hasChannel() {
		return c.decideConnections()
	}
	if c.As != "" || c.Mode == Translate {
		return c.decideTranslate()
	}
	d, err := c.decideBeside()
	if err == nil && c.NetworkFrom != "" && d.mode == Proxy {
		return decision{}, refused("--network-from needs listener mode, and this is proxy mode: %s", d.why)
	}
	if why := noProcesses(); err == nil && d.mode != Translate && why != "" {
		return decision{}, refused("%s, so that the processes of the program cannot be found: mount it, or use --mode=translate", why)
	}
	return d, err
}

// decideConnections says whether a program can have what arrives over a channel.
func (c Config) decideConnections() (decision, error) {
	channel := c.Sockets[slices.IndexFunc(c.Sockets, isChannel)]
	switch why := c.noConnections(); {
	case c.As != "", c.Mode != "" && c.Mode != Auto && c.Mode != Connections, c.ProxyWith != "":
		return decision{}, refused("%s passes connections, which a program can have by its accept(2) only: leave --mode, --as and --proxy-protocol out", channel.Source)
	case why != "":
		return decision{}, refused("%s passes connections, and no program can have them here: %s; a dispatcher can relay to it (connect = \"127.0.0.1:8080\" in its backend)", channel.Source, why)
	}
	return decision{mode: Connections, why: channel.Source + " passes connections, and the program's own accept gets them"}, nil
}

func isChannel(h activation.Held) bool { return h.Kind == activation.Channel }

func (c Config) hasChannel() bool { return slices.ContainsFunc(c.Sockets, isChannel) }

// noConnections says why connection mode cannot be had, or nothing.
func (c Config) noConnections() string {
	if why := c.noListener(); why != "" {
		return why
	}
	if seccomp.ProbeAnswer(c.Privileges) != nil {
		return "it needs Linux 5.14"
	}
	return noProcesses()
}

// decideBeside chooses where --mode and --as do not ask for translate mode.
func (c Config) decideBeside() (decision, error) {
	switch c.Mode {
	case Connections:
		return decision{}, refused("--mode=connections is for sockets over which connections are passed, and %s is none: leave it out", c.Sockets[0])
	case Listener:
		if why := c.noListener(); why != "" {
			return decision{}, refused("--mode=listener cannot be had: %s; --mode=auto takes what can be had", why)
		}
		return decision{mode: Listener, why: "as --mode says"}, nil
	case Proxy:
		return decision{mode: Proxy, why: "as --mode says"}, nil
	}
	return c.decideAuto(), nil
}

func (c Config) decideTranslate() (decision, error) {
	if needs := c.beside(); len(needs) > 0 {
		return decision{}, refused("in translate mode the program takes rouse's place, and nobody is left for %s: leave that out, or choose another --mode", strings.Join(needs, ", "))
	}
	known := KnownProgram(c.Path, c.arguments()...)
	switch {
	case c.As != "" && !slices.Contains(Adapters(), c.As):
		return decision{}, refused("--as=%s: there are %s", c.As, strings.Join(Adapters(), ", "))
	case c.As != "":
		return decision{Translate, c.As, "as " + c.As + ", which --as says"}, nil
	case known.Adapter != "":
		return decision{Translate, known.Adapter, "as " + known.Adapter + ", which " + known.name + " knows"}, nil
	}
	return decision{Translate, "systemd", "as systemd, the usual scheme"}, nil
}

func (c Config) decideAuto() decision {
	if c.ProxyWith != "" {
		return decision{mode: Proxy, why: "--proxy-protocol asks for it"}
	}
	known := KnownProgram(c.Path, c.arguments()...)
	if known.asks && len(c.beside()) == 0 {
		return decision{Translate, known.Adapter, "as " + known.Adapter + ": " + known.name + " asks for its sockets itself"}
	}
	if why := c.noListener(); why != "" {
		return decision{mode: Proxy, why: "no listener mode: " + why}
	}
	return decision{mode: Listener, why: "the program's own bind gets the socket, and its clients keep their addresses"}
}

// beside lists the options that need somebody beside the program, as they are written.
func (c Config) beside() []string {
	var needs []string
	for _, option := range []struct {
		name  string
		given bool
	}{
		{"--idle-stop", c.IdleStop > 0},
		{"--lazy", c.LazyAsked}, // where it is the default, the manager did the waiting
		{"--map", len(c.Maps) > 0},
		{"--family=any", c.AnyFamily},
		{"--getsockname=yes", c.Faking == FakeYes},
		{"--network-from", c.NetworkFrom != ""},
		{"--guard-shutdown", c.KeepOpen},
		{"--no-io-uring", c.NoURing},
		{"--proxy-protocol", c.ProxyWith != ""},
		{"--start-timeout", c.StartLimit > 0},
		{"--stop-signal", c.StopSignal != 0},
		{"--reload=" + string(c.Reload), c.Reload == ReloadOverlap || c.Reload == ReloadRestart},
		{"--reload-signal", c.ReloadSignal != 0},
	} {
		if option.given {
			needs = append(needs, option.name)
		}
	}
	return needs
}

// noListener says why listener mode cannot be had, or nothing.
func (c Config) noListener() string {
	if runtime.GOOS != "linux" {
		return "it needs Linux"
	}
	if err := process.Machine(c.Path); err != nil {
		return err.Error() + ", so its calls would pass unseen"
	}
	_, err := seccomp.Probe(c.Privileges)
	switch {
	case errors.Is(err, seccomp.ErrTaken):
		return "a seccomp notifier is above this process already, and the kernel allows one (rouse run inside rouse run, or a container with one)"
	case errors.Is(err, seccomp.ErrDenied) && c.Privileges == seccomp.Kept:
		return "without CAP_SYS_ADMIN the kernel asks for no_new_privs, which --no-new-privs=no excludes"
	case err != nil:
		return err.Error()
	}
	return noReading()
}

func (c Config) hasListener() bool {
	return slices.ContainsFunc(c.Sockets, func(h activation.Held) bool { return h.Kind != activation.Packet })
}

func (c Config) arguments() []string {
	if len(c.Command) == 0 {
		return nil
	}
	return c.Command[1:]
}
