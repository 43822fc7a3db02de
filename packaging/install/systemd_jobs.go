package install

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	systemdbus "github.com/coreos/go-systemd/v22/dbus"
)

// atBoot lists what is enabled: the rest is started by those.
func (u Units) atBoot() []string {
	units := slices.Concat(u.Sockets, u.Timers)
	if u.Boot && u.Service != "" {
		units = append(units, u.Service)
	}
	return units
}

// all lists every unit. Units that a site no longer has may come without their service.
func (u Units) all() []string {
	all := slices.Concat(u.Sockets, u.Timers, []string{u.Service}, u.Others)
	return slices.DeleteFunc(all, func(unit string) bool { return unit == "" })
}

// Open implements [Manager].
func (s systemd) Open(ctx context.Context, u Units, changed []string) error {
	return s.with(ctx, func(ctx context.Context, c *systemdbus.Conn) error {
		if _, _, err := c.EnableUnitFilesContext(ctx, u.atBoot(), false, true); err != nil {
			return fmt.Errorf("enable %v: %w", u.atBoot(), err)
		}
		if err := c.ReloadContext(ctx); err != nil {
			return err
		}
		for _, unit := range u.all() { // or a unit that reached a limit once would not start
			if err := c.ResetFailedUnitContext(ctx, unit); err != nil && !isNoUnit(err) {
				return err
			}
		}
		is := func(unit string) bool { return slices.Contains(changed, unit) }
		fresh := s.notAsNow(ctx, c, u.Sockets, changed)
		if err := s.openSockets(ctx, c, u, fresh); err != nil {
			return err
		}
		if len(fresh) == 0 && is(u.Service) {
			if err := s.jobs(ctx, c, c.TryRestartUnitContext, u.Service); err != nil {
				return err
			}
		}
		if u.Boot {
			if err := s.jobs(ctx, c, c.StartUnitContext, u.Service); err != nil {
				return err
			}
		}
		for _, timer := range u.Timers {
			begin := c.StartUnitContext
			if is(timer) { // it reckons anew only when it is started again
				begin = c.RestartUnitContext
			}
			if err := s.jobs(ctx, c, begin, timer); err != nil {
				return err
			}
		}
		return nil
	})
}

// notAsNow are those of the sockets that are closed, or open by another file than that of now.
func (s systemd) notAsNow(ctx context.Context, c *systemdbus.Conn, sockets, changed []string) []string {
	return slices.DeleteFunc(slices.Clone(sockets), func(unit string) bool {
		state, err := c.GetUnitPropertyContext(ctx, unit, "ActiveState")
		return err == nil && state.Value.Value() == "active" && !slices.Contains(changed, unit)
	})
}

// openSockets opens those of the sockets that are fresh, anew where they are open. A socket opens only while the service does not
// run (systemd.socket(5)), which a client of another socket may have started meanwhile.
func (s systemd) openSockets(ctx context.Context, c *systemdbus.Conn, u Units, fresh []string) error {
	var err error
	for range 5 {
		if len(fresh) > 0 {
			if err := s.jobs(ctx, c, c.StopUnitContext, append(slices.Clone(fresh), u.Service)...); err != nil {
				return err
			}
		}
		if err = s.jobs(ctx, c, c.StartUnitContext, u.Sockets...); err == nil || len(fresh) == 0 {
			return err
		}
		running, stateErr := c.GetUnitPropertyContext(ctx, u.Service, "ActiveState")
		if stateErr != nil || running.Value.Value() != "active" && running.Value.Value() != "activating" {
			return err
		}
	}
	return err
}

// Close implements [Manager].
func (s systemd) Close(ctx context.Context, u Units) error {
	return s.with(ctx, func(ctx context.Context, c *systemdbus.Conn) error {
		var failures []error
		for _, unit := range u.atBoot() {
			if _, err := c.DisableUnitFilesContext(ctx, []string{unit}, false); err != nil && !isNoUnit(err) {
				failures = append(failures, fmt.Errorf("disable %s: %w", unit, s.explain(err)))
			}
		}
		// All at once: systemd stops the service before its sockets, and starts nothing for clients of sockets that are to stop.
		return oneLine(append(failures, s.jobs(ctx, c, c.StopUnitContext, u.all()...))...)
	})
}

// Restart implements [Manager].
func (s systemd) Restart(ctx context.Context, u Units) error {
	return s.with(ctx, func(ctx context.Context, c *systemdbus.Conn) error {
		return s.jobs(ctx, c, c.TryRestartUnitContext, u.Service)
	})
}

// Forget implements [Manager].
func (s systemd) Forget(ctx context.Context, u Units) error {
	err := s.with(ctx, func(ctx context.Context, c *systemdbus.Conn) error {
		if err := c.ReloadContext(ctx); err != nil {
			return err
		}
		for _, unit := range u.all() {
			if err := c.ResetFailedUnitContext(ctx, unit); err != nil && !isNoUnit(err) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.forgetFiles(u)
}

// begin is one of go-systemd's functions that begin a job.
type begin func(ctx context.Context, unit, mode string, result chan<- string) (int, error)

// jobs begins a job for each unit, all at once, and waits for all. Units that systemd does not know have nothing to stop.
func (s systemd) jobs(ctx context.Context, c *systemdbus.Conn, begin begin, units ...string) error {
	results := make(map[string]chan string)
	var failures []error
	for _, unit := range units {
		result := make(chan string, 1)
		_, err := begin(ctx, unit, "replace", result)
		switch {
		case err == nil:
			results[unit] = result
		case !isNoUnit(err):
			failures = append(failures, fmt.Errorf("%s: %w", unit, s.explain(err)))
		}
	}
	for _, unit := range units {
		if results[unit] == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", unit, ctx.Err())
		case result := <-results[unit]:
			if result != "done" && result != "skipped" {
				failures = append(failures, s.jobFailure(ctx, c, unit, result))
			}
		}
	}
	return oneLine(failures...)
}

// jobFailure says why a job was not done: failed, canceled, timeout, dependency.
func (s systemd) jobFailure(ctx context.Context, c *systemdbus.Conn, unit, result string) error {
	if properties, err := c.GetAllPropertiesContext(ctx, unit); err == nil {
		if s.failed(unit, properties) != "" {
			return Problem{Text: fmt.Sprintf("%s %s: %s tells why", unit, failure(unit, properties), s.log(unit))}
		}
	}
	return fmt.Errorf("%s: systemd's job ended as %q: %s tells why", unit, result, s.log(unit))
}

// oneLine joins errors into one; nil ones do not count.
func oneLine(failures ...error) error {
	failures = slices.DeleteFunc(failures, func(err error) bool { return err == nil })
	switch len(failures) {
	case 0:
		return nil
	case 1:
		return failures[0]
	}
	words := make([]string, len(failures))
	for i, err := range failures {
		words[i] = err.Error()
	}
	return errors.New(strings.Join(words, "; "))
}
