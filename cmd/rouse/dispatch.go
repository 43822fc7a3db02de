package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/activation/route"
)

// dispatchConnections is `rouse dispatch`.
func dispatchConnections(c console) error {
	opener := activation.NewOpener() // before anything else could see LISTEN_FDS
	d, s := dispatchOptions()
	rest, err := s.read(c.args)
	if err == nil && len(rest) > 0 {
		err = usage("rouse dispatch takes no %q: the rules are in a file (--config), which names the backends", rest[0])
	}
	if err == nil {
		err = d.check(s)
	}
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return dispatchHelp(c)
	case err != nil:
		return err
	case d.Status:
		return d.showStatus(c, s)
	}
	rules, err := d.readRules(s)
	switch {
	case err != nil:
		return err
	case d.Check:
		return d.showChecked(c, rules)
	case d.Explain != "":
		return d.explain(c, rules)
	}
	return d.run(c, s, opener, rules)
}

// readRules reads the file. What is wrong with it is one line each.
func (d *dispatching) readRules(s *subcommand) (route.Config, error) {
	rules, err := route.ReadFile(d.Config)
	switch {
	case errors.Is(err, os.ErrNotExist) && s.given["config"] == "":
		return rules, config("%s: there is no such file: write the rules there, or name another file with --config (man rouse-dispatch has an example)", d.Config)
	case errors.Is(err, os.ErrNotExist):
		return rules, config("%s %s: there is no such file", s.given["config"], d.Config)
	case err != nil:
		return rules, failure{exitConfig, problems{withoutPathOf(d.Config, err)}}
	}
	d.placeSocket(s, &rules)
	return rules, d.take(s, rules.Settings)
}

// placeSocket puts --socket in, where the rules say nothing of it.
func (d *dispatching) placeSocket(s *subcommand, rules *route.Config) {
	switch {
	case d.Socket == "":
	case len(rules.Desks) == 0:
		rules.Desks = []route.Desk{{Path: d.Socket, Mode: 0o600, Owner: -1, Group: -1}}
	case rules.Desks[0].At.Line == 0: // the usual one
		rules.Desks[0].Path = d.Socket
	case rules.Desks[0].Path != d.Socket:
		rules.Notices = append(rules.Notices, fmt.Sprintf("%s %s is not used: the socket is the one at %s", s.given["socket"], d.Socket, rules.Desks[0].At))
	}
}

// take puts in the options that stand in the file of rules, where no flag or variable says otherwise.
func (d *dispatching) take(s *subcommand, settings []route.Setting) error {
	var wrong []error
	for _, one := range settings {
		if s.given[one.Name] != "" && !strings.HasPrefix(s.given[one.Name], d.Config+":") {
			continue
		}
		o, _ := s.option(one.Name)
		if err := o.set(one.Value); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %s = %s: %w", one.At, one.Name, one.Value, err))
			continue
		}
		s.given[one.Name] = fmt.Sprintf("%s: %s", one.At, one.Name)
	}
	if len(wrong) > 0 {
		return failure{exitConfig, problems{errors.Join(wrong...)}}
	}
	return d.checkValues(s)
}

// checkValues refuses values that nothing can be done with.
func (d *dispatching) checkValues(s *subcommand) error {
	if d.Metrics != "" {
		if _, err := activation.ParseAddress(d.Metrics); err != nil {
			return s.conflict([]string{"metrics"}, "%s: %w", s.given["metrics"], err)
		}
	}
	if d.Pin != "auto" && d.Pin != "no" && !filepath.IsAbs(d.Pin) {
		return s.conflict([]string{"pin"}, "%s %s: write auto, no, or the path of a folder from / on", s.given["pin"], d.Pin)
	}
	for _, one := range []struct {
		name string
		none bool
	}{{"hello-time", d.HelloTime == 0}, {"hello-size", d.HelloSize == 0}, {"ack-time", d.AckTime == 0}, {"max-waiting", d.MaxWaiting.Value == 0}} {
		if one.none {
			return s.conflict([]string{one.name}, "%s 0: with nothing at all no client would be served: write more, or leave it out", s.given[one.name])
		}
	}
	if usual := defaultDispatching().HelloSize; d.HelloSize > usual {
		return s.conflict([]string{"hello-size"}, "%s %v: at most %v are looked at", s.given["hello-size"], d.HelloSize, usual)
	}
	return nil
}

// withoutPathOf puts the cause behind the path, where the error is one of opening or reading the file.
func withoutPathOf(path string, err error) error {
	wrapped, ok := errors.AsType[*os.PathError](err)
	switch {
	case !ok:
		return err
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%s: this user may not read it: let it, or name another file: %w", path, wrapped.Err)
	case errors.Is(err, syscall.EISDIR):
		return fmt.Errorf("%s: it is a folder: name a file", path)
	}
	return fmt.Errorf("%s: %w", path, wrapped.Err)
}

// showChecked is `rouse dispatch --check`.
func (d *dispatching) showChecked(c console, rules route.Config) error {
	if _, err := route.Compile(rules); err != nil {
		return failure{exitConfig, problems{err}}
	}
	for _, text := range rules.Notices {
		fmt.Fprintf(c.stdout, "notice: %s\n", printable(text))
	}
	_, err := fmt.Fprintf(c.stdout, "%s is in order: %s\n", printable(d.Config), rules.Summary())
	return err
}

// explain is `rouse dispatch --explain`.
func (d *dispatching) explain(c console, rules route.Config) error {
	tuple, err := route.ParseTuple(d.Explain)
	if err != nil {
		return usage("--explain: %w", err)
	}
	if err := rules.Fits(tuple); err != nil {
		return usage("--explain: %w", err)
	}
	table, err := route.Compile(rules)
	if err != nil {
		return failure{exitConfig, err}
	}
	e := table.Explain(tuple)
	if d.JSON {
		return writeJSON(c.stdout, e)
	}
	_, err = io.WriteString(c.stdout, e.String())
	return err
}

func writeJSON(to io.Writer, value any) error {
	encoder := json.NewEncoder(to)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// run dispatches until a signal ends it.
func (d *dispatching) run(c console, s *subcommand, opener *activation.Opener, rules route.Config) error {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt, syscall.SIGHUP)
	lines := newSink(c.stderr, d.LogFormat, d.LogLevel.Level())
	lines.to = withoutWaiting(c.stderr)
	log := slog.New(lines.handler())
	opener.Log = log
	sockets := &dispatched{options: d, given: s, opener: opener}
	kept := opener.Store.Take(route.KeptPrefix)
	defer sockets.close()
	interrupted := interruptible(opener)
	byListener, err := sockets.open(&rules)
	if interrupted() {
		return nil
	}
	if err != nil {
		return err
	}
	for _, text := range slices.Concat(s.notices, sockets.takeNotices()) {
		notice(log, text)
	}
	options := route.Options{
		Engine: route.Engine(d.Engine), Pin: d.pinFolder(), Grace: max(time.Duration(d.Grace), 1), HelloTime: time.Duration(d.HelloTime),
		HelloBytes: int(d.HelloSize), AckTime: time.Duration(d.AckTime), MostWaiting: int(d.MaxWaiting.Value), Keeper: opener.Store, Kept: kept, Log: log,
	}
	dispatcher, err := route.New(rules, byListener, options)
	if err != nil {
		return dispatchFailure(err)
	}
	if err := become(rules.Daemon); err != nil {
		dispatcher.Close()
		return config("%s: %w", d.Config, err)
	}
	if d.Metrics != "" {
		end, err := d.serveMetrics(s, dispatcher.Status, log)
		if err != nil {
			dispatcher.Close()
			return err
		}
		defer end()
	}
	return d.live(&dispatch{dispatcher, sockets, s, rules, log}, signals)
}

// interruptible has TERM and INT end the waiting for a dispatcher whose backend this is. What it returns ends that, and tells
// whether one came.
func interruptible(o *activation.Opener) (interrupted func() bool) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	o.Ending = ctx
	return func() bool {
		came := ctx.Err() != nil
		stop()
		o.Ending = nil
		return came
	}
}

// dispatch is a dispatcher that runs.
type dispatch struct {
	*route.Dispatcher
	sockets *dispatched
	given   *subcommand
	rules   route.Config
	log     *slog.Logger
}

// live dispatches until a signal ends it.
func (d *dispatching) live(running *dispatch, signals <-chan os.Signal) error {
	manager := activation.Manager{}
	beat, err := manager.Watchdog()
	if err != nil {
		return config("%w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended, beats := make(chan error, 1), ticks(beat)
	go func() { ended <- running.Run(ctx) }()
	now := running.Status()
	notice(running.log, fmt.Sprintf("dispatching; %s; engine %s (%s)", running.rules.Summary(), now.Engine, now.Why))
	manager.Ready(running.rules.Summary())
	for {
		select {
		case err := <-ended:
			return dispatchFailure(err)
		case <-beats:
			manager.Alive()
		case sig := <-signals:
			if sig != syscall.SIGHUP {
				manager.Stopping("handing on the clients that were accepted")
				signal.Reset(syscall.SIGTERM, os.Interrupt) // twice: at once
				cancel()
				return dispatchFailure(<-ended)
			}
			manager.Reloading()
			d.reload(running)
			manager.Ready(running.rules.Summary())
		}
	}
}

// reload reads the rules again. With a mistake in them everything stays as it was.
func (d *dispatching) reload(running *dispatch) {
	rules, err := d.readRules(running.given)
	if err == nil {
		var byListener map[string][]activation.Held
		if byListener, err = running.sockets.open(&rules); err == nil {
			err = running.Reload(rules, byListener)
		}
		running.sockets.settle(err == nil)
	}
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			running.log.Error("the rules were not loaded again, the old ones are kept", "err", line)
		}
		return
	}
	running.rules = rules
	for _, text := range running.sockets.takeNotices() {
		notice(running.log, text)
	}
	notice(running.log, "reloaded; "+rules.Summary())
}

// dispatchFailure gives an error of package route its exit code.
func dispatchFailure(err error) error {
	if _, ok := errors.AsType[route.Refused](err); ok {
		return failure{exitConfig, err}
	}
	return err
}

// bpfFileSystem is where systemd mounts it.
const bpfFileSystem = "/sys/fs/bpf"

// pinFolder is where the kernel engine keeps its programs; empty: nowhere.
func (d *dispatching) pinFolder() string {
	switch d.Pin {
	case "no":
		return ""
	case "auto":
		if !isBPFFileSystem(bpfFileSystem) {
			return ""
		}
		name := filepath.Base(d.Config)
		return filepath.Join(bpfFileSystem, "rouse", strings.ReplaceAll(strings.TrimSuffix(name, filepath.Ext(name)), ".", "_"))
	}
	return d.Pin
}

const dispatchHead = `usage: rouse dispatch [OPTIONS]
       rouse dispatch --check | --explain CLIENT | --status [--json]

Hands each connection to the right server, by local address, port, client, or the name asked for in TLS: in the kernel
where it can, else by passing the connection itself. Servers may live without any network; none of their clients is lost
while they restart. The rules are in a file:

    fallback = "reject"
    [listeners.web]
    address = "tcp:[::]:443"            # IPv4 too
    [backends.blog]                     # rouse serve --listen https=dispatch:/run/rouse/dispatch.sock#blog
    user = "www-data"
    [[routes]]
    sni = ["blog.example.org"]
    to = "blog"

man rouse-dispatch has all that may stand there. Files of socketbox and python-socketbox are read as they are.
`

const dispatchTail = `
Every option is also a variable, ROUSE_DISPATCH_ and its name in capitals (--engine is ROUSE_DISPATCH_ENGINE). Flags win
over variables. TIME is 90s, 5m, 1h or a number of seconds.

signals: TERM, INT end it when all who were accepted are handed on (twice: at once); HUP reads the rules again.
exit codes: 0 done, 1 failed, 2 wrong command line, 78 wrong configuration.
`

// dispatchHelp prints the options of `rouse dispatch`.
func dispatchHelp(c console) error {
	_, s := dispatchOptions()
	_, err := io.WriteString(c.stdout, dispatchHead+optionsHelp(s.documented())+dispatchTail)
	return err
}
