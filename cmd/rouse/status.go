package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/pflag"

	"github.com/rouse-server/rouse/packaging/install"
)

const statusHead = `usage: rouse status [OPTIONS] [NAME]

Shows the sites that rouse install made on this machine, and those whose units came with a package: whether they sleep,
when somebody knocked last, where they are, and how to see their log.

`

// statusTime is how long the service managers may take for an answer.
const statusTime = 10 * time.Second

// showStatus is `rouse status`.
func showStatus(c console) error {
	l, s := statusOptions()
	rest, err := s.readWords(c.args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		_, err = io.WriteString(c.stdout, statusHead+optionsHelp(s.documented()))
		return err
	case err != nil:
		return err
	case len(rest) > 1:
		return usage("rouse status takes one name, or none for all sites")
	}
	ctx, stop := context.WithTimeout(context.Background(), statusTime)
	defer stop()
	all, err := l.sites(ctx)
	if err != nil {
		return installFailure(err)
	}
	if len(rest) == 1 {
		all = slices.DeleteFunc(all, func(one installed) bool { return one.Name != rest[0] })
		if len(all) == 0 {
			return usage("there is no site %s: rouse status lists them", rest[0])
		}
	}
	switch {
	case l.JSON:
		return writeJSON(c.stdout, statusJSON(all))
	case len(all) == 0:
		_, err = fmt.Fprintln(c.stdout, "no sites: rouse install makes one")
		return err
	}
	return writeSites(c.stdout, all, time.Now())
}

// installed is a site of the machine's manager, or of the user's.
type installed struct {
	install.Listed
	user bool
}

// sites lists those of the machine, and the user's own. Where there is no manager for users, there are none of those.
func (l *listing) sites(ctx context.Context) ([]installed, error) {
	var all []installed
	var failed error
	for _, user := range []bool{false, true} {
		if l.User && !user {
			continue
		}
		system, err := install.Here(user, os.Getenv)
		if err == nil {
			var some []install.Listed
			some, err = install.List(ctx, system)
			for _, one := range some {
				all = append(all, installed{one, user})
			}
		}
		if !user || l.User {
			failed = cmp.Or(failed, err)
		}
	}
	if len(all) > 0 {
		failed = nil
	}
	return all, failed
}

// shape says how a site is, in a few words.
func (one installed) shape(now time.Time) string {
	state := one.State
	switch {
	case one.Half:
		return "half installed"
	case state.Sockets == "failed":
		return "failed"
	case state.Failing, one.Command == "run" && state.Awake && strings.Contains(state.Status, "starting again in"):
		return "failing"
	case one.sleeps():
		return "asleep"
	case state.Awake && !state.Knocked.IsZero():
		return "awake since " + when(state.Knocked, now)
	case state.Awake:
		return "awake"
	case state.Sockets != "open" && state.Sockets != "":
		return state.Sockets
	case len(one.Units.Sockets) == 0:
		return "stopped"
	}
	return "asleep"
}

// sleeps tells of a program under `rouse run` that sleeps while rouse itself stays, and says so.
func (one installed) sleeps() bool {
	return one.Command == "run" && one.State.Awake && strings.HasPrefix(one.State.Status, "asleep")
}

// trouble is what somebody has to do something about, in one line.
func (one installed) trouble() string {
	switch {
	case one.Half:
		return "its installation or removal was cut off: install it again, or rouse uninstall " + one.Name
	case one.State.Trouble == "" && one.shape(time.Time{}) == "failing":
		return one.State.Status
	}
	return one.State.Trouble
}

// when is a time as one says it on the same day, or on another.
func when(t, now time.Time) string {
	if t.Local().Format(time.DateOnly) == now.Local().Format(time.DateOnly) {
		return t.Local().Format(time.TimeOnly)
	}
	return t.Local().Format("2006-01-02 15:04")
}

func writeSites(w io.Writer, all []installed, now time.Time) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NAME\tSTATE\tLAST KNOCK\tWHERE\tLOG")
	var troubles strings.Builder
	for _, one := range all {
		knocked := "-"
		if !one.State.Knocked.IsZero() {
			knocked = when(one.State.Knocked, now)
		}
		where := strings.Join(one.URLs, " ")
		if where == "" {
			where = strings.Join(one.State.Listen, " ")
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", printable(one.Name), one.shape(now), knocked, printable(cmp.Or(where, "-")), printable(one.Log))
		if trouble := one.trouble(); trouble != "" {
			troubles.WriteString(printable(one.Name+": "+trouble) + "\n")
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, troubles.String())
	return err
}

// statusLine is a site in JSON.
type statusLine struct {
	Name      string     `json:"name"`
	Command   string     `json:"command,omitempty"`
	User      bool       `json:"user"`
	Package   bool       `json:"package"`          // its units came with a package
	State     string     `json:"state"`            // asleep, awake, failing, failed, closed, half open, stopped, half installed
	Status    string     `json:"status,omitempty"` // what the service says of itself
	PID       int        `json:"pid,omitempty"`
	LastKnock *time.Time `json:"last_knock,omitempty"`
	URLs      []string   `json:"urls"`
	Listen    []string   `json:"listen"`
	Units     []string   `json:"units"`
	Log       string     `json:"log"`
	Trouble   string     `json:"trouble,omitempty"`
}

func statusJSON(all []installed) []statusLine {
	lines := []statusLine{}
	for _, one := range all {
		state, _, _ := strings.Cut(one.shape(time.Now()), " since ")
		line := statusLine{Name: one.Name, Command: one.Command, User: one.user, Package: one.Shipped, State: state, Status: one.State.Status, PID: one.State.PID,
			URLs: append([]string{}, one.URLs...), Listen: append([]string{}, one.State.Listen...), Log: one.Log, Trouble: one.trouble(),
			Units: slices.Concat(one.Units.Sockets, []string{one.Units.Service}, one.Units.Timers)}
		if !one.State.Knocked.IsZero() {
			line.LastKnock = &one.State.Knocked
		}
		lines = append(lines, line)
	}
	return lines
}
