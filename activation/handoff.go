package activation

import (
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os/user"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation/handoff"
	"github.com/rouse-server/rouse/platform"
)

// passage is a channel that was opened.
type passage struct {
	channel handoff.Channel
	name    string // as the activator named it
	source  string
	number  int // -1: opened here
	info    platform.Socket
	keeps   bool // what Next has not returned is not lost when the channel is closed: the dispatcher gives it to another backend
}

// passages opens the channels of an address. With insist a dispatcher that refuses is asked again and again.
func (o *Opener) passages(a Address, insist bool) ([]passage, error) {
	senders, err := a.senders()
	if err != nil {
		return nil, err
	}
	switch a.Source {
	case "handoff":
		p, err := o.bindChannel(a, senders)
		return []passage{p}, err
	case "dispatch":
		p, err := o.register(a, senders, insist)
		return []passage{p}, err
	}
	descriptors, err := o.inherited(a)
	if err != nil {
		return nil, err
	}
	var all []passage
	for _, d := range descriptors {
		p, err := o.inheritChannel(a, d, senders)
		if err != nil {
			for _, p := range all {
				p.channel.Close()
			}
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// bindChannel binds the socket to which others send connections.
func (o *Opener) bindChannel(a Address, senders []uint32) (passage, error) {
	mode, err := a.mode()
	if err != nil {
		return passage{}, err
	}
	uid, gid, err := a.owner()
	if err != nil {
		return passage{}, err
	}
	c, err := handoff.ListenDatagrams(a.Detail, handoff.DatagramOptions{
		Mode: mode, Owner: uid, Group: gid, Senders: senders, Accepts: a.accepts(), Log: o.log(),
	})
	if err != nil {
		return passage{}, err
	}
	info := platform.Socket{Family: platform.Unix, Type: platform.Datagram, Protocol: "unix", State: platform.Bound, Local: a.Detail}
	return passage{channel: c, source: a.String(), number: -1, info: info}, nil
}

// inheritChannel takes a passed socket over which connections are passed.
func (o *Opener) inheritChannel(a Address, d Descriptor, senders []uint32) (passage, error) {
	if o.taken[d.Number] {
		return passage{}, fmt.Errorf("%s: descriptor %d is named by two addresses: leave one out", d.Source, d.Number)
	}
	s, err := Inspect(d)
	if err != nil {
		return passage{}, err
	}
	o.taken[d.Number] = true
	fd := d.Number
	if fd <= 2 {
		if fd, err = o.moveStandard(fd); err != nil {
			return passage{}, err
		}
	}
	unix.CloseOnExec(fd)
	c, err := handoff.InheritDatagrams(fd, s.String(), handoff.DatagramOptions{Senders: senders, Accepts: a.accepts(), Log: o.log()})
	if err != nil {
		unix.Close(fd)
		return passage{}, err
	}
	return passage{channel: c, name: d.Name, source: d.Source, number: d.Number, info: s.Info}, nil
}

func (o *Opener) log() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}

// accepts are the kinds of connections that a channel takes.
func (a Address) accepts() handoff.Accepts {
	return handoff.Accepts{Unix: a.Options.Get("accept") == "unix"}
}

// senders looks up the users of from=, which may be given several times and name several, with commas. None: the default.
func (a Address) senders() ([]uint32, error) {
	var all []uint32
	for _, text := range a.Options["from"] {
		for name := range strings.SplitSeq(text, ",") {
			uid, err := id(name, func() (string, error) {
				u, err := user.Lookup(name)
				if err != nil {
					return "", err
				}
				return u.Uid, nil
			})
			if err != nil {
				return nil, fmt.Errorf("%s: from=%s is neither a user of this machine nor a number: %w", a, name, err)
			}
			all = append(all, uint32(uid))
		}
	}
	return all, nil
}

// openChannels makes sockets of the channels of an address, whose listeners accept what arrives.
func (o *Opener) openChannels(a Address) ([]Socket, error) {
	if a.Source == "dispatch" && !a.Options.Has("takes") && !a.Options.Has("protocol") { // one listener accepts from all that is given
		options := url.Values{"takes": {"both"}}
		maps.Copy(options, a.Options)
		a.Options = options
	}
	all, err := o.passages(a, true) // its other sockets serve meanwhile
	if err != nil {
		return nil, err
	}
	var sockets []Socket
	for _, p := range all {
		sockets = append(sockets, Socket{
			Name: p.name, Source: p.source, Number: p.number, Kind: Channel, Info: p.info,
			Listener: newChannelListener(p.channel, p.keeps, p.info, o.log()),
		})
	}
	return sockets, nil
}

// holdChannels keeps the channels of an address for a program. What a dispatcher gives as listeners is held as such.
func (o *Opener) holdChannels(a Address) ([]Held, error) {
	all, err := o.passages(a, false)
	if err != nil {
		return nil, err
	}
	if r, ok := all[0].channel.(*handoff.Registration); ok {
		held, err := o.holdAssigned(a, all[0], r)
		if err != nil {
			r.Close()
		}
		return held, err
	}
	var held []Held
	for _, p := range all {
		held = append(held, p.held(a))
	}
	return held, nil
}

// held is the channel as a socket for a program.
func (p passage) held(a Address) Held {
	h := Held{Name: p.name, Source: p.source, Number: -1, Kind: Channel, Info: p.info, Bound: p.number < 0, Channel: p.channel}
	h.Passed = p.number >= 0 && a.Source != "fd"
	if a.Role != "" {
		h.Name = a.Role
	}
	return h
}

// isChannel tells whether connections may be passed over a socket (unix(7)).
func isChannel(s platform.Socket) bool {
	return s.Family == platform.Unix && (s.Type == platform.Datagram || s.State == platform.Connected && slices.Contains([]string{platform.Seqpacket, platform.Stream}, s.Type))
}
