package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/activation/wake"
)

// runProgram is `rouse run [OPTIONS] [--] CMD [ARG…]`.
func runProgram(c console) error {
	opener := activation.NewOpener() // before anything else could see LISTEN_FDS
	r, s := runOptions()
	command, err := r.readCommand(s, c.args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return runHelp(c)
	case err != nil:
		return err
	case r.Explain:
		return r.explain(c, s, command, opener)
	}
	signals, listening := make(chan os.Signal, 16), make(chan struct{})
	go func() { // the runtime takes its time for it, and meanwhile there is enough to do
		defer close(listening)
		signal.Notify(signals, syscall.SIGTERM, os.Interrupt, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGQUIT, syscall.SIGWINCH)
	}()
	lines := newSink(c.stderr, r.LogFormat, r.LogLevel.Level())
	lines.to = withoutWaiting(c.stderr)
	opener.Log = slog.New(lines.handler())
	held, notices, err := r.hold(s, opener)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return nil // it was asked to end
		}
		return err
	}
	defer activation.CloseHeld(held)
	config, err := r.wakeConfig(s, command, held)
	if err != nil {
		return wakeFailure(err)
	}
	config.Log = opener.Log
	config.Stderr = c.stderr
	config.Terminal = term.IsTerminal(0)
	for _, text := range append(s.notices, notices...) {
		notice(config.Log, text)
	}
	<-listening
	status, err := wake.Run(config, signals)
	if err == nil && status != 0 {
		return ended(status)
	}
	return wakeFailure(err)
}

// readCommand reads the options, and returns the program with its arguments.
func (r *running) readCommand(s *subcommand, args []string) ([]string, error) {
	command, err := s.read(args)
	if err == nil {
		err = r.check(s)
	}
	if len(command) == 0 {
		command = s.command
	}
	if err == nil && (len(command) == 0 || command[0] == "") {
		err = usage("rouse run needs a program: rouse run [OPTIONS] -- CMD [ARG…]")
	}
	return command, err
}

// ended is the exit status of a program that ran. What it had to say it has said itself.
type ended int

func (e ended) Error() string { return fmt.Sprintf("the program ended with %d", int(e)) }

// hold takes the sockets for the program.
func (r *running) hold(s *subcommand, opener *activation.Opener) ([]activation.Held, []string, error) {
	var addresses []activation.Address
	for _, text := range r.Listen {
		a, err := activation.ParseAddress(text)
		if err != nil {
			return nil, nil, s.conflict([]string{"listen"}, "%s: %w", s.given["listen"], err)
		}
		addresses = append(addresses, a)
	}
	var fd *uint
	if r.Fd.Given {
		fd = &r.Fd.Value
	}
	if slices.ContainsFunc(addresses, func(a activation.Address) bool { return a.Source == "dispatch" }) {
		defer interruptible(opener)()
	}
	held, notices, err := opener.Hold(addresses, fd)
	if err == nil {
		notices = append(notices, opener.Store.Settle()...)
	}
	return held, notices, socketFailure(err)
}

// wakeFailure gives an error of package wake its exit code.
func wakeFailure(err error) error {
	if e, ok := errors.AsType[wake.NotStarted](err); ok {
		return failure{e.Status, err}
	}
	if _, ok := errors.AsType[wake.Refused](err); ok {
		return failure{exitConfig, err}
	}
	return err
}

// explain is `rouse run --explain`.
func (r *running) explain(c console, s *subcommand, command []string, opener *activation.Opener) error {
	held, notices, err := r.hold(s, opener)
	if err != nil {
		return err
	}
	defer activation.CloseHeld(held)
	config, err := r.wakeConfig(s, command, held)
	if _, missing := errors.AsType[wake.NotStarted](err); missing {
		config.Path, err = "", nil // which is among what it tells
	}
	if err != nil {
		return wakeFailure(err)
	}
	e := wake.Explain(config)
	e.Notices = slices.Insert(e.Notices, 0, append(s.notices, notices...)...)
	if !r.JSON {
		return writeExplanation(c.stdout, e)
	}
	return writeJSON(c.stdout, e)
}

// writeExplanation is for people.
func writeExplanation(to io.Writer, e wake.Explanation) error {
	var b strings.Builder
	line := func(name, format string, a ...any) {
		fmt.Fprintf(&b, "%-9s %s\n", name, printable(fmt.Sprintf(format, a...)))
	}
	line("program", "%s (%s)", strings.Join(e.Command, " "), cmp.Or(e.Path, "not found"))
	switch {
	case e.Mode == "":
		line("mode", "none: %s", e.Why)
	default:
		line("mode", "%s (%s)", e.Mode, e.Why)
		if e.Mode != wake.Translate {
			line("starts", "%s", map[bool]string{true: "when a client knocks", false: "at once"}[e.Lazy])
			line("signals", "%s stops it, %s reloads it", e.StopSignal, e.ReloadSignal)
		}
	}
	for _, m := range e.Maps {
		line("map", "%s", m)
	}
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, s := range e.Sockets {
		address := s.Address
		if s.Dual {
			address += " and IPv4"
		}
		kind := string(s.Kind)
		if s.Number >= 0 {
			kind += fmt.Sprintf(", descriptor %d", s.Number)
		}
		fmt.Fprintf(table, "socket    %s\t%s\t%s\t%s\n", printable(cmp.Or(s.Name, "-")), printable(s.Source), kind, printable(address))
	}
	for _, f := range e.System {
		fmt.Fprintf(table, "system    %s\t%s\t%s\n", f.Name, printable(f.Value), printable(f.Means))
	}
	table.Flush()
	for _, text := range e.Notices {
		line("notice", "%s", text)
	}
	_, err := io.WriteString(to, b.String())
	return err
}

const runHead = `usage: rouse run [OPTIONS] [--] CMD [ARG…]

Starts CMD when somebody connects to a socket that systemd, launchd or inetd holds, and gives it that socket: CMD binds
its port as always, and gets the inherited socket in its place. No proxy, no library; clients keep their addresses. With
--idle-stop it ends when nobody is connected, and the next client starts it again.

    rouse run --idle-stop 10m -- nginx -g 'daemon off;'
    rouse run --map 8080=web --map 8443=secure -- caddy run
    rouse run --listen tcp:127.0.0.1:80 --lazy -- node app.js
    rouse run --as argv -- uvicorn --fd {fd} app:app
`

const runTail = `
Every option is also a variable, ROUSE_RUN_ and its name in capitals (--idle-stop is ROUSE_RUN_IDLE_STOP), and a key of
the file of options. Flags win over variables, those over the file. TIME is 90s, 5m, 1h or a number of seconds.

signals: TERM, INT end the program and rouse (twice: at once); HUP reloads; USR1, USR2, QUIT, WINCH are passed on.
exit codes: the program's own, 128+N when signal N ended it; 127 CMD not found, 126 not executable, 2 wrong command
line, 78 wrong configuration, 1 failed.
`

// runHelp prints the options of `rouse run`.
func runHelp(c console) error {
	_, s := runOptions()
	_, err := io.WriteString(c.stdout, runHead+optionsHelp(s.documented())+runTail)
	return err
}
