package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/rouse-server/rouse/packaging/install"
)

const uninstallHead = `usage: rouse uninstall [--user] NAME

Stops a site that rouse install made, closes its sockets, and removes exactly what was written. Files that were edited
since are kept as FILE.edited. rouse status lists the sites.

`

// uninstallSite is `rouse uninstall`.
func uninstallSite(c console) error {
	r, s := uninstallOptions()
	rest, err := s.readWords(c.args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		_, err = io.WriteString(c.stdout, uninstallHead+optionsHelp(s.documented()))
		return err
	case err != nil:
		return err
	}
	if len(rest) != 1 || rest[0] == "" {
		return usage("rouse uninstall needs the name of one site: rouse uninstall [--user] NAME; rouse status lists them")
	}
	system, err := install.Here(r.User, os.Getenv)
	if err != nil {
		return installFailure(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := install.Uninstall(ctx, rest[0], system, func(line string) { fmt.Fprintln(c.stdout, printable(line)) }); err != nil {
		return installFailure(err)
	}
	return nil
}
