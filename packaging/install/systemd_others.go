package install

import (
	"context"
	"slices"
	"strings"

	systemdbus "github.com/coreos/go-systemd/v22/dbus"
)

// Holders implements [Manager]. It lists the stream sockets alone.
func (s systemd) Holders(ctx context.Context) (holders []Holder, err error) {
	err = s.with(ctx, func(ctx context.Context, c *systemdbus.Conn) error {
		units, err := c.ListUnitsByPatternsContext(ctx, []string{"active"}, []string{"*.socket"})
		if err != nil {
			return err
		}
		for _, unit := range units {
			socket, err := c.GetUnitTypePropertiesContext(ctx, unit.Name, "Socket")
			if err != nil {
				return err
			}
			for _, address := range unitState(socket).listens("Stream") {
				holders = append(holders, Holder{unit.Name, address})
			}
		}
		return nil
	})
	return holders, err
}

// Shipped implements [Manager].
func (s systemd) Shipped(ctx context.Context) (sites []Units, err error) {
	err = s.with(ctx, func(ctx context.Context, c *systemdbus.Conn) error {
		patterns := []string{"rouse.socket", "rouse-http.socket", "rouse-run@*.socket", "rouse-inetd@*.socket", "rouse-dispatch.service", "rouse-renew.timer"}
		loaded, err := c.ListUnitsByPatternsContext(ctx, nil, patterns) // units that are enabled are loaded
		if err != nil {
			return err
		}
		var units []string
		for _, unit := range loaded {
			if unit.LoadState != "loaded" {
				continue
			}
			file, err := c.GetUnitPropertyContext(ctx, unit.Name, "UnitFileState")
			if err != nil {
				return err
			}
			if unit.ActiveState != "inactive" || strings.HasPrefix(file.Value.Value().(string), "enabled") {
				units = append(units, unit.Name)
			}
		}
		sites = shippedSites(units)
		return nil
	})
	return sites, err
}

// shippedSites puts the units of packages together.
func shippedSites(units []string) []Units {
	slices.Sort(units)
	has := func(unit string) bool { return slices.Contains(units, unit) }
	var sites []Units
	serve := Units{Service: "rouse.service"}
	for _, unit := range []string{"rouse.socket", "rouse-http.socket"} {
		if has(unit) {
			serve.Sockets = append(serve.Sockets, unit)
		}
	}
	if len(serve.Sockets) > 0 {
		if has("rouse-renew.timer") {
			serve.Timers, serve.Others = []string{"rouse-renew.timer"}, []string{"rouse-renew.service"}
		}
		sites = append(sites, serve)
	}
	for _, unit := range units {
		if name, ok := strings.CutSuffix(unit, ".socket"); ok && strings.Contains(name, "@") {
			sites = append(sites, Units{Service: name + ".service", Sockets: []string{unit}})
		}
	}
	if has("rouse-dispatch.service") {
		sites = append(sites, Units{Service: "rouse-dispatch.service", Boot: true})
	}
	return sites
}
