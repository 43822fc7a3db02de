package install

import (
	"context"
	"strings"
)

// Listed is a site as people see it.
type Listed struct {
	Name    string
	Command string // serve, run, dispatch or inetd
	URLs    []string
	Units   Units
	State   State
	Log     string // the command that shows its log
	Half    bool   // an installation or removal was cut off: install or uninstall it again
	Shipped bool   // it came with a package
}

// List returns the sites that are installed here, by name, and behind them those of packages. A site that its manager cannot tell
// of says so as its trouble.
func List(ctx context.Context, sys System) ([]Listed, error) {
	found, err := siteNames(sys)
	if err != nil {
		return nil, err
	}
	silent := sys.Manager.Ready(ctx)
	var all []Listed
	for _, name := range found {
		record, err := readRecord(sys, name)
		switch {
		case err != nil:
			all = append(all, Listed{Name: name, Half: true, State: State{Trouble: err.Error()}})
			continue
		case record == nil: // it went meanwhile
			continue
		}
		one := Listed{Name: name, Command: record.Command, URLs: record.URLs, Units: record.Units, Log: record.Log, Half: record.State != installed}
		one.State = stateOf(ctx, one.Units, sys, silent)
		if one.Half && one.State.Trouble == "" {
			one.State.Trouble = "its " + halfWord(record.State) + " was cut off: install it again, or: rouse " + uninstalling(name, sys)
		}
		all = append(all, one)
	}
	if silent != nil {
		if len(all) == 0 {
			return nil, silent
		}
		return all, nil
	}
	shipped, err := sys.Manager.Shipped(ctx)
	if err != nil {
		return all, err
	}
	for _, units := range shipped {
		all = append(all, shippedSite(ctx, units, sys))
	}
	return all, nil
}

func halfWord(state string) string {
	if state == removing {
		return "removal"
	}
	return "installation"
}

// stateOf asks the manager, unless it is known to be silent.
func stateOf(ctx context.Context, units Units, sys System, silent error) State {
	if silent != nil {
		return State{Trouble: silent.Error()}
	}
	state, err := sys.Manager.State(ctx, units)
	if err != nil && state.Trouble == "" {
		state.Trouble = err.Error()
	}
	return state
}

// shippedSite is a site of a package: rouse.service, rouse-dispatch.service, rouse-run@NAME.service or rouse-inetd@NAME.service.
func shippedSite(ctx context.Context, units Units, sys System) Listed {
	one := Listed{Units: units, Shipped: true, Command: "serve", State: stateOf(ctx, units, sys, nil)}
	one.Name = strings.TrimSuffix(units.Service, ".service")
	if rest, ok := strings.CutPrefix(one.Name, "rouse-"); ok {
		one.Command, _, _ = strings.Cut(rest, "@")
	}
	if sys.OS == "linux" {
		one.Log = "journalctl -u " + units.Service
		if sys.User {
			one.Log = "journalctl --user -u " + units.Service
		}
	}
	return one
}
