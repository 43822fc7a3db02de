package wake

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"syscall"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/platform"
	"github.com/rouse-server/rouse/platform/process"
)

// Explanation is what Run would do, and with what.
type Explanation struct {
	Command      []string          `json:"command"`
	Path         string            `json:"path,omitempty"`    // what would be executed; empty where it is not found
	Program      string            `json:"program,omitempty"` // what it is known as
	Lazy         bool              `json:"lazy"`              // nothing would be started before a client knocks
	StopSignal   string            `json:"stop_signal"`
	ReloadSignal string            `json:"reload_signal"`
	Sockets      []ExplainedSocket `json:"sockets"`
	Maps         []string          `json:"maps"`
	Mode         Mode              `json:"mode,omitempty"` // empty where nothing would be started
	Adapter      string            `json:"adapter,omitempty"`
	Why          string            `json:"why"` // why this mode, or why none
	System       []Fact            `json:"system"`
	Notices      []string          `json:"notices"` // what would not work, and what to change
}

// ExplainedSocket is a socket that would be given to the program.
type ExplainedSocket struct {
	Source  string          `json:"source"`
	Name    string          `json:"name,omitempty"`
	Number  int             `json:"number"`
	Kind    activation.Kind `json:"kind"`
	Address string          `json:"address"`
	Dual    bool            `json:"dual_stack"` // an IPv6 socket that IPv4 clients reach too
}

// Fact is something about the system, and what follows from it.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Means string `json:"means"`
}

// Explain tells what Run would do. It tries what the kernel allows, and starts nothing.
func Explain(c Config) Explanation {
	c.Log = slog.New(slog.DiscardHandler)
	e := Explanation{Command: c.Command, Path: c.Path, Lazy: c.Lazy, System: c.facts(), Maps: []string{}, Sockets: []ExplainedSocket{}, Notices: []string{}}
	known := KnownProgram(c.Path, c.arguments()...)
	e.Program = known.name
	e.StopSignal = signalName(cmp.Or(c.StopSignal, known.StopSignal, syscall.SIGTERM))
	e.ReloadSignal = signalName(cmp.Or(c.ReloadSignal, known.ReloadSignal, syscall.SIGHUP))
	sockets := newSockets(c.Sockets)
	for _, s := range sockets {
		e.Sockets = append(e.Sockets, ExplainedSocket{s.Source, s.Name, s.Number, s.Kind, s.Info.Local, s.dual()})
	}
	for _, m := range c.Maps {
		e.Maps = append(e.Maps, m.Text)
	}
	d, err := c.decide()
	if err == nil {
		err = c.refusal(d, sockets)
	}
	if err != nil {
		d = decision{why: err.Error()}
	}
	e.Mode, e.Adapter, e.Why = d.mode, d.adapter, d.why
	e.Notices = append(e.Notices, c.notices(d, known, sockets)...)
	return e
}

// refusal says why nothing would be started in the way that was decided on, or nothing.
func (c Config) refusal(d decision, sockets []*socket) error {
	var err error
	switch d.mode {
	case Translate:
		_, err = c.layout(d.adapter, identity{})
	case Listener, Connections:
		_, err = resolve(c.Maps, sockets)
	case Proxy:
		_, err = newPlaces(c)
	}
	return err
}

// notices lists what would not work in the mode that would be taken.
func (c Config) notices(d decision, known Program, sockets []*socket) []string {
	var all []string
	tell := func(err error) {
		if err != nil {
			all = append(all, err.Error())
		}
	}
	if c.Path == "" && len(c.Command) > 0 {
		_, err := Resolve(c.Command[0])
		tell(err)
	}
	switch d.mode {
	case Translate:
		l, _ := c.layout(d.adapter, identity{})
		for _, h := range l.unnamed {
			all = append(all, fmt.Sprintf("%s is named by no {fd}, and the program would not get it", h))
		}
		if d.adapter == "nginx" {
			all = append(all, "nginx takes a socket only where a listen directive has the socket's own address; it binds the others itself")
		}
	case Listener, Connections:
		if c.NetworkFrom != "" {
			all = append(all, "sockets that the program binds or connects to others over TCP are made by the dispatcher, as its list allows; loopback, UDP and the names that it looks up by UDP stay in its own network")
		}
		all = append(all, c.listenerNotices(sockets)...)
	case Proxy:
		all = append(all, "the program sees rouse as its client; --proxy-protocol tells it the real one, where it can read that")
		if known.Adapter != "" && len(c.beside()) == 0 {
			all = append(all, fmt.Sprintf("--as %s would give %s the sockets themselves", known.Adapter, known.name))
		}
	}
	if err := process.Machine(c.Path); err != nil && d.mode == Translate {
		tell(errors.New(err.Error() + ": listener mode would not see its binds"))
	}
	return all
}

func (c Config) listenerNotices(sockets []*socket) []string {
	var all []string
	places := map[transport][]*socket{}
	for _, s := range sockets {
		samePlace := func(other *socket) bool { return s.samePlace(other) }
		if s.dual() && !c.AnyFamily && !slices.ContainsFunc(sockets, func(other *socket) bool { return s.samePlace(other) && other.Info.Family == platform.IPv4 }) {
			_, both := s.instead()
			all = append(all, fmt.Sprintf("%s is one socket for IPv6 and IPv4, and a bind of the program to an IPv4 address would be refused: %s, or --family=any (nginx and Python misread clients' addresses then)", s.Source, both))
		}
		if !slices.ContainsFunc(places[s.transport], samePlace) {
			places[s.transport] = append(places[s.transport], s)
		}
	}
	if len(c.Maps) > 0 {
		return all
	}
	if n := len(places[tcp]); n > 1 && c.hasChannel() {
		all = append(all, fmt.Sprintf("connections have no port, and there are %d places where clients arrive: the program gets them where --map 8080=%s says so only", n, cmp.Or(c.Sockets[slices.IndexFunc(c.Sockets, isChannel)].Name, c.Sockets[slices.IndexFunc(c.Sockets, isChannel)].Source)))
		return all
	}
	for _, t := range []transport{tcp, udp} {
		if n := len(places[t]); n > 1 {
			all = append(all, fmt.Sprintf("there are %d %s ports and no map: the program gets those that it binds by the same number; --map 8080=%s gives it one for another", n, t, cmp.Or(places[t][0].Name, places[t][0].Source)))
		}
	}
	for _, s := range places[local] {
		all = append(all, fmt.Sprintf("%s is a unix socket: without a map the program gets it only where it binds the same path", s.Source))
	}
	return all
}
