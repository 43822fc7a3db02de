package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/rouse-server/rouse/activation/handoff"
	"github.com/rouse-server/rouse/activation/route"
)

// statusLimit is how long a dispatcher may take to answer.
const statusLimit = 10 * time.Second

// showStatus is `rouse dispatch --status`.
func (d *dispatching) showStatus(c console, s *subcommand) error {
	path := d.Socket
	if path == "" {
		rules, err := d.readRules(s)
		if err != nil {
			return fmt.Errorf("%w; to ask a dispatcher that runs by older rules, name its socket with --socket", err)
		}
		if len(rules.Desks) == 0 {
			return config("%s names no socket of the dispatcher's own: give it with --socket", d.Config)
		}
		path = rules.Desks[0].Path
	}
	ctx, cancel := context.WithTimeout(context.Background(), statusLimit)
	defer cancel()
	text, err := handoff.AskStatus(ctx, path)
	switch {
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, handoff.ErrAbsent):
		return fmt.Errorf("%s: no dispatcher answers there: start rouse dispatch, or name its socket with --socket", path)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s: this user may not connect to it: %w", path, syscall.EACCES)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: the dispatcher has not answered within %v: it is out of processor time or of descriptors; its log may tell", path, statusLimit)
	case err != nil:
		return err
	}
	var status route.Status
	if err := json.Unmarshal(text, &status); err != nil {
		return fmt.Errorf("%s: what answers there is no dispatcher of this version: %w", path, err)
	}
	if d.JSON {
		return writeJSON(c.stdout, status)
	}
	return writeStatus(c.stdout, status, time.Now())
}

// writeStatus is for people.
func writeStatus(to io.Writer, s route.Status, now time.Time) error {
	var b strings.Builder
	fmt.Fprintf(&b, "engine %s", s.Engine)
	if s.Why != "" {
		fmt.Fprintf(&b, " (%s)", printable(s.Why))
	}
	fmt.Fprintf(&b, ", running for %v", now.Sub(s.Since).Round(time.Second))
	if s.Reloads > 0 {
		fmt.Fprintf(&b, ", reloaded %d times", s.Reloads)
	}
	b.WriteString("\n")
	writeListeners(&b, s)
	writeRoutes(&b, s)
	writeBackends(&b, s)
	_, err := io.WriteString(to, b.String())
	return err
}

func writeListeners(b *strings.Builder, s route.Status) {
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nLISTENER\tADDRESS\tBACKEND\tACCEPTED\tWAITING\tERRORS\t")
	for _, l := range s.Listeners {
		waiting := fmt.Sprint(l.Waiting)
		if l.Waiting < 0 {
			waiting = "?"
		}
		note := ""
		switch {
		case l.Given > 0:
			note = fmt.Sprintf("accepted by the backend itself (%d)", l.Given)
		case !l.Open:
			note = "closed until a backend has room"
		}
		if l.Error != "" {
			note += " last error: " + l.Error
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\t%d\t%s\n", printable(l.Name), printable(l.Address), cmp.Or(printable(l.Backend), "-"), l.Accepted, waiting, l.Errors, printable(strings.TrimSpace(note)))
	}
	table.Flush()
}

func writeRoutes(b *strings.Builder, s route.Status) {
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nRULE\tAT\tBACKEND\tCONNECTIONS\tIN THE KERNEL")
	for n, r := range s.Routes {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\n", printable(cmp.Or(r.Name, fmt.Sprint(n+1))), printable(r.At), printable(cmp.Or(r.Backend, "reject")), r.Connections, r.Kernel)
	}
	table.Flush()
}

func writeBackends(b *strings.Builder, s route.Status) {
	table := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nBACKEND\tWAY\tCONNECTIONS\tWAITING\tDROPPED\tPROCESSES")
	for _, one := range s.Backends {
		waiting, dropped := fmt.Sprint(one.Waiting), "-"
		if one.Waiting > 0 {
			waiting += fmt.Sprintf(" (%.1f s)", one.Oldest)
		}
		var drops []string
		for _, reason := range slices.Sorted(maps.Keys(one.Drops)) {
			drops = append(drops, fmt.Sprintf("%d %s", one.Drops[reason], reason))
		}
		if len(drops) > 0 {
			dropped = strings.Join(drops, ", ")
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%s\t%s\n", printable(one.Name), one.Way, one.Connections, waiting, printable(dropped), processesOf(one))
	}
	table.Flush()
}

// processesOf says who is registered for a backend.
func processesOf(one route.BackendStatus) string {
	if one.Way != route.Registers {
		return "-"
	}
	if len(one.Sessions) == 0 {
		return "none is registered"
	}
	var all []string
	for _, p := range one.Sessions {
		text := fmt.Sprintf("%d of user %d, ", p.PID, p.UID)
		switch {
		case p.Sockets > 0:
			text += "accepts itself"
		case p.Stalled:
			text += fmt.Sprintf("stalled, %d unaccepted for %.0f s", p.Unaccepted, p.Oldest)
		default:
			text += fmt.Sprintf("credit %d", p.Credit)
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}
