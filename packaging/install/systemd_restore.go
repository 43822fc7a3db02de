package install

import (
	"context"
	"fmt"
	"slices"
	"strings"

	systemdbus "github.com/coreos/go-systemd/v22/dbus"
)

// Standing implements [Manager].
func (s systemd) Standing(ctx context.Context, u Units) (map[string]Standing, error) {
	all := make(map[string]Standing)
	err := s.with(ctx, func(ctx context.Context, c *systemdbus.Conn) error {
		for _, unit := range u.all() {
			state, err := c.GetUnitPropertiesContext(ctx, unit)
			if err != nil {
				return fmt.Errorf("%s: %w", unit, err)
			}
			all[unit] = unitState(state).standing()
		}
		return nil
	})
	return all, err
}

// standing leaves out what is enabled until the next boot alone: neither Open nor Close touches that.
func (u unitState) standing() Standing {
	return Standing{
		Enabled: u.word("UnitFileState") == "enabled",
		Active:  slices.Contains([]string{"active", "reloading", "refreshing", "activating"}, u.word("ActiveState")),
	}
}

// Restore implements [Manager].
func (s systemd) Restore(ctx context.Context, u Units, before map[string]Standing, changed []string) error {
	return s.with(ctx, func(ctx context.Context, c *systemdbus.Conn) error {
		if err := s.enableAsBefore(ctx, c, u, before); err != nil {
			return err
		}
		if err := c.ReloadContext(ctx); err != nil {
			return err
		}
		active := u.where(func(unit string) bool { return before[unit].Active })
		is := func(unit string) bool { return slices.Contains(changed, unit) }
		idle := slices.DeleteFunc(u.all(), func(unit string) bool {
			return before[unit].Active && (!is(unit) || strings.HasSuffix(unit, ".socket")) // those are opened anew below
		})
		if err := s.jobs(ctx, c, c.StopUnitContext, idle...); err != nil {
			return err
		}
		fresh := s.notAsNow(ctx, c, active.Sockets, changed)
		if err := s.openSockets(ctx, c, Units{Sockets: active.Sockets, Service: u.Service}, fresh); err != nil {
			return err
		}
		if err := s.jobs(ctx, c, c.StartUnitContext, active.Timers...); err != nil || active.Service == "" {
			return err
		}
		return s.startAsBefore(ctx, c, active.Service)
	})
}

func (s systemd) enableAsBefore(ctx context.Context, c *systemdbus.Conn, u Units, before map[string]Standing) error {
	for _, unit := range u.atBoot() {
		var err error
		if before[unit].Enabled {
			_, _, err = c.EnableUnitFilesContext(ctx, []string{unit}, false, true)
		} else if _, err = c.DisableUnitFilesContext(ctx, []string{unit}, false); isNoUnit(err) {
			err = nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", unit, err)
		}
	}
	return nil
}

// startAsBefore starts a service that ran. One that was being tried again and again is so now.
func (s systemd) startAsBefore(ctx context.Context, c *systemdbus.Conn, service string) error {
	failed := s.jobs(ctx, c, c.StartUnitContext, service)
	if failed == nil {
		return nil
	}
	state, err := c.GetUnitPropertyContext(ctx, service, "ActiveState")
	if err == nil && state.Value.Value() == "activating" {
		return nil
	}
	return failed
}
