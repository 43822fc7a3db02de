package main

import (
	"cmp"
	"fmt"
	"maps"
	"runtime"
	"slices"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/activation/route"
)

// dispatched is the sockets of the listeners. At a reload those whose addresses stay are kept.
type dispatched struct {
	options *dispatching
	given   *subcommand
	opener  *activation.Opener
	held    map[string][]activation.Held // by address
	fresh   map[string][]activation.Held // opened since, and in use once settled
	parked  map[string][]activation.Held // inherited ones that no listener takes any more: they cannot be had again
	notices []string
}

// open returns the sockets of all listeners by their names, and opens those that are not open yet.
func (o *dispatched) open(rules *route.Config) (map[string][]activation.Held, error) {
	addresses, err := o.addresses(*rules)
	if err != nil {
		return nil, err
	}
	byListener, all := map[string][]activation.Held{}, map[string][]activation.Held{}
	if len(addresses) == 0 {
		if all[""], err = o.found(); err != nil {
			return nil, err
		}
		for _, h := range all[""] {
			name := cmp.Or(h.Name, "listen")
			byListener[name] = append(byListener[name], h)
		}
	}
	for _, a := range addresses {
		key := a.String() + "?" + a.Options.Encode()
		if _, twice := all[key]; twice {
			o.closeAll(all)
			return nil, config("%s: the listeners have this address twice: leave it out once", a)
		}
		held, ok := o.held[key]
		if !ok {
			held, ok = o.parked[key]
		}
		if !ok {
			if held, _, err = o.opener.Hold([]activation.Address{a}, nil); err != nil {
				o.closeAll(all)
				return nil, socketFailure(err)
			}
		}
		all[key] = held
		byListener[a.Role] = append(byListener[a.Role], held...)
	}
	if o.held == nil {
		o.held = all
	} else {
		o.fresh = all
	}
	o.notices = append(o.notices, o.opener.Store.Settle()...)
	o.complete(rules, byListener)
	return byListener, nil
}

// complete adds the listeners that the rules need not name, and notes what nobody can arrive at.
func (o *dispatched) complete(rules *route.Config, byListener map[string][]activation.Held) {
	for _, left := range o.opener.Left() {
		o.notices = append(o.notices, fmt.Sprintf("%s (descriptor %d) was passed, but no listener takes it: its clients wait for nobody", left.Source, left.Number))
	}
	if len(rules.Listeners) == 0 || len(o.options.Listen) > 0 { // socketbox's directives name none
		for _, name := range slices.Sorted(maps.Keys(byListener)) {
			if !slices.ContainsFunc(rules.Listeners, func(l route.Listener) bool { return l.Name == name }) {
				rules.Listeners = append(rules.Listeners, route.Listener{Name: name})
			}
		}
	}
	for _, l := range rules.Listeners {
		if len(byListener[l.Name]) == 0 {
			o.notices = append(o.notices, fmt.Sprintf("listener %s has no socket, and nobody can arrive there: give it an address, or pass a socket of that name", l.Name))
		}
	}
}

// found is what was passed, where no listener is named.
func (o *dispatched) found() ([]activation.Held, error) {
	if held, ok := o.held[""]; ok {
		return held, nil
	}
	var fd *uint
	if o.options.Fd.Given {
		fd = &o.options.Fd.Value
	}
	held, notices, err := o.opener.Hold(nil, fd)
	o.notices = append(o.notices, notices...)
	if err == nil && len(held) == 0 {
		err = config("no socket was passed, and no listener is named: write [listeners.NAME] with an address in %s, or give --listen NAME=ADDRESS", o.options.Config)
	}
	return held, socketFailure(err)
}

// addresses lists what the listeners take or bind; the listener's name is the role in front. What --listen says stands in
// the place of the file's.
func (o *dispatched) addresses(rules route.Config) ([]activation.Address, error) {
	var all []activation.Address
	for _, text := range o.options.Listen {
		a, err := activation.ParseAddress(text)
		if err != nil {
			return nil, o.given.conflict([]string{"listen"}, "%s: %w", o.given.given["listen"], err)
		}
		a.Role = cmp.Or(a.Role, "listen")
		all = append(all, a)
	}
	if len(all) > 0 || o.options.Fd.Given {
		return all, nil
	}
	written := slices.ContainsFunc(rules.Listeners, func(l route.Listener) bool { return len(l.Addresses) > 0 })
	for _, l := range rules.Listeners {
		texts := l.Addresses
		if len(texts) == 0 && written {
			texts = []string{passedAs(l.Name)}
		}
		for _, text := range texts {
			a, err := activation.ParseAddress(text)
			if err != nil {
				return nil, config("%s: listener %s: %w", l.At, l.Name, err)
			}
			a.Role = l.Name
			all = append(all, a)
		}
	}
	return all, nil
}

// passedAs is the address of a socket that the machine's manager passes under a name.
func passedAs(name string) string {
	if runtime.GOOS == "darwin" {
		return "launchd:" + name
	}
	return "systemd:" + name
}

// settle keeps what was opened last, or, where it is not used, goes back. What is no longer needed is closed.
func (o *dispatched) settle(used bool) {
	if o.fresh == nil {
		return
	}
	kept, left := o.held, o.fresh
	if used {
		kept, left = o.fresh, o.held
	}
	o.held, o.fresh = kept, nil
	for key := range kept {
		delete(o.parked, key)
	}
	o.closeAll(left)
}

// closeAll closes what is not in use. What was inherited is parked.
func (o *dispatched) closeAll(left map[string][]activation.Held) {
	for key, held := range left {
		_, stays := o.held[key]
		inherited := slices.ContainsFunc(held, func(h activation.Held) bool { return !h.Bound })
		switch {
		case stays:
		case inherited:
			if o.parked == nil {
				o.parked = map[string][]activation.Held{}
			}
			o.parked[key] = held
		default:
			o.opener.Release(held)
		}
	}
}

func (o *dispatched) close() {
	for _, all := range []map[string][]activation.Held{o.held, o.parked} {
		for _, held := range all {
			activation.CloseHeld(held)
		}
	}
}

func (o *dispatched) takeNotices() []string {
	notices := o.notices
	o.notices = nil
	return notices
}
