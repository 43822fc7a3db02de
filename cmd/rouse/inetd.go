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
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/activation/wake"
	"github.com/rouse-server/rouse/activation/wake/inetd"
)

// startForEach is `rouse inetd [OPTIONS] [--] CMD [ARG…]`.
func startForEach(c console) error {
	opener := activation.NewOpener() // before anything else could see LISTEN_FDS
	i, s := inetdOptions()
	command, err := s.read(c.args)
	if len(command) == 0 {
		command = s.command
	}
	if err == nil {
		err = i.check(s, command)
	}
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return inetdHelp(c)
	case err != nil:
		return err
	}
	lines := newSink(c.stderr, i.LogFormat, i.LogLevel.Level())
	lines.to = withoutWaiting(c.stderr)
	log := slog.New(lines.handler())
	opener.Log = log
	services, notices, err := i.services(s, command)
	if err != nil {
		return err
	}
	for _, text := range slices.Concat(s.notices, notices) {
		notice(log, text)
	}
	if i.Check {
		_, err := fmt.Fprintf(c.stdout, "in order; services: %d\n", len(services))
		return err
	}
	return i.run(s, opener, services, log)
}

// run opens the sockets, and starts processes until a signal ends it.
func (i *spawning) run(s *subcommand, opener *activation.Opener, services []inetd.Entry, log *slog.Logger) error {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	var bound []inetd.Bound
	defer func() {
		for _, b := range bound {
			activation.CloseHeld(b.Sockets)
		}
	}()
	interrupted := interruptible(opener)
	for _, e := range services {
		held, notices, err := i.hold(opener, e)
		for _, text := range notices {
			notice(log, text)
		}
		if err != nil {
			if interrupted() {
				return nil
			}
			return err
		}
		bound = append(bound, inetd.Bound{Service: e.Service, Sockets: held})
	}
	for _, text := range opener.Store.Settle() {
		notice(log, text)
	}
	if interrupted() {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	atOnce := make(chan struct{})
	go func() {
		<-signals
		cancel()
		<-signals
		close(atOnce)
	}()
	return inetdFailure(inetd.Run(ctx, bound, inetd.Options{Log: log, Grace: time.Duration(i.Grace), AtOnce: atOnce}))
}

// hold opens the sockets of a service.
func (i *spawning) hold(opener *activation.Opener, e inetd.Entry) ([]activation.Held, []string, error) {
	var fd *uint
	if i.Fd.Given {
		fd = &i.Fd.Value
	}
	held, notices, err := opener.Hold(e.Addresses, fd)
	switch {
	case err != nil && e.File != "":
		return nil, notices, socketFailure(fmt.Errorf("%s:%d: %w", e.File, e.Line, err))
	case err == nil && len(held) == 0:
		err = config("no socket was passed: start this by systemd, launchd or inetd, or name one with --listen, such as --listen tcp:127.0.0.1:2222")
	}
	return held, notices, socketFailure(err)
}

// services is those of the file, or the one of the command line.
func (i *spawning) services(s *subcommand, command []string) ([]inetd.Entry, []string, error) {
	if i.Services != "" {
		entries, notices, err := inetd.ReadServices(i.Services)
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil, config("%s %s: there is no such file", s.given["services"], i.Services)
		}
		if err != nil {
			return nil, nil, failure{exitConfig, problems{withoutPathOf(i.Services, err)}}
		}
		return entries, notices, i.completeAll(s, entries)
	}
	entry := inetd.Entry{Service: inetd.Service{Command: command, Wait: i.Wait}}
	for _, text := range i.Listen {
		a, err := activation.ParseAddress(text)
		if err != nil {
			return nil, nil, s.conflict([]string{"listen"}, "%s: %w", s.given["listen"], err)
		}
		entry.Addresses = append(entry.Addresses, a)
	}
	one := &entry.Service
	var err error
	if one.User, one.Group, one.Groups, err = i.identity(s); err != nil {
		return nil, nil, err
	}
	if err := i.complete(s, one); err != nil {
		return nil, nil, err
	}
	if one.Path, err = wake.Resolve(command[0]); err != nil {
		return nil, nil, wakeFailure(err)
	}
	return []inetd.Entry{entry}, nil, inetdFailure(one.Check())
}

// completeAll puts in what the options say of all services of a file, and tells what is wrong with each.
func (i *spawning) completeAll(s *subcommand, entries []inetd.Entry) error {
	if len(entries) == 0 {
		return config("%s: there is no service in it: write a line for each, or name another file", i.Services)
	}
	var wrong []error
	for n := range entries {
		e := &entries[n]
		if err := i.complete(s, &e.Service); err != nil {
			return err
		}
		if err := e.Service.Check(); err != nil {
			wrong = append(wrong, fmt.Errorf("%s:%d: %w", e.File, e.Line, err))
		}
	}
	if len(wrong) > 0 {
		return failure{exitConfig, problems{errors.Join(wrong...)}}
	}
	return nil
}

// complete puts in what the options say of every service. Limits that stand in the file stay.
func (i *spawning) complete(s *subcommand, one *inetd.Service) error {
	one.Stderr, one.Dir = inetd.Stderr(i.Stderr), i.Dir
	if one.Most == 0 {
		one.Most = int(i.Most.Value)
	}
	if one.Rate.Number == 0 {
		one.Rate = inetd.Rate{Number: i.Rate.n, Within: i.Rate.within}
	}
	if i.Services == "" || !one.Wait { // such a one of a file has no clients of its own to be counted
		one.PerClient = cmp.Or(one.PerClient, int(i.PerClient.Value))
		if one.ClientRate.Number == 0 {
			one.ClientRate = inetd.Rate{Number: i.ClientRate.n, Within: i.ClientRate.within}
		}
	}
	one.Time = time.Duration(i.TimeLimit)
	one.Env = withoutVariables(os.Environ(), s.prefix())
	for _, text := range i.Limit {
		limit, err := inetd.ParseLimit(text)
		if err != nil {
			return s.conflict([]string{"limit"}, "%s %s: %w", s.given["limit"], text, err)
		}
		one.Limits = append(one.Limits, limit)
	}
	return nil
}

// inetdFailure gives an error of package inetd its exit code.
func inetdFailure(err error) error {
	if _, ok := errors.AsType[inetd.Refused](err); ok {
		return failure{exitConfig, err}
	}
	if errors.Is(err, io.EOF) {
		return errors.New("nobody can pass connections any more: the other side has closed the socket")
	}
	return err
}

const inetdHead = `usage: rouse inetd [OPTIONS] [--] CMD [ARG…]
       rouse inetd --services FILE [OPTIONS]

Starts CMD for each client, with the connection as its standard input and output. It has nothing else open, and the
client's address in its environment (TCPREMOTEIP, TCPREMOTEPORT, TCPLOCALIP, TCPLOCALPORT, REMOTE_ADDR, REMOTE_PORT).

    rouse inetd --listen tcp:22 --max-instances 20 --per-client 3 -- /usr/sbin/sshd -i
    rouse inetd --listen dispatch:/run/rouse/dispatch.sock#mail --user mail -- exim4 -bs
    rouse inetd --services /etc/inetd.conf
`

const inetdTail = `
Every option is also a variable, ROUSE_INETD_ and its name in capitals (--per-client is ROUSE_INETD_PER_CLIENT), and a
key of the file of options. Flags win over variables, those over the file. TIME is 90s, 5m, 1h or a number of seconds.

signals: TERM, INT start nothing any more, and end it when those that run have ended (twice: at once).
exit codes: 0 done; 127 CMD not found, 126 not executable, 2 wrong command line, 78 wrong configuration, 1 failed.
`

// inetdHelp prints the options of `rouse inetd`.
func inetdHelp(c console) error {
	_, s := inetdOptions()
	_, err := io.WriteString(c.stdout, inetdHead+optionsHelp(s.documented())+inetdTail)
	return err
}
