// Command rouse puts servers behind sockets that somebody else opened: systemd, launchd, inetd, any supervisor.
//
//	rouse [DIR]       serve a folder for development, over HTTPS on localhost
//	rouse serve       serve a folder on inherited sockets
//	rouse run         start any server when somebody knocks on an inherited socket
//	rouse check       show which options hold and where they come from
//	rouse dispatch    hand each connection to the right server
//	rouse inetd       start one process for each connection
//	rouse install     put servers under systemd or launchd
//	rouse uninstall   take them away again
//	rouse status      show what is installed, and whether it sleeps
//	rouse renew       renew a self-signed certificate
//	rouse health      ask a server whether it is well
//	rouse precompress write the .zst, .br and .gz files beside a folder's files
//	rouse sockets     show which sockets were inherited, and what serve would do with them
//	rouse version     print the version
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/activation/route/spelling"
	"github.com/rouse-server/rouse/platform"
)

// Exit codes. A manager need not restart into what only a change of configuration mends.
const (
	exitOK     = 0
	exitFailed = 1  // everything else: a port in use, input and output
	exitUsage  = 2  // the command line alone is wrong
	exitConfig = 78 // EX_CONFIG of sysexits(3): a change of configuration mends it, whatever its source
)

// failure is an error with the exit code that it ends the program with.
type failure struct {
	code int
	error
}

func (f failure) Unwrap() error { return f.error }

// problems is an error with a line for each thing that is wrong in a file.
type problems struct{ error }

func (p problems) Unwrap() error { return p.error }

func usage(format string, a ...any) error  { return failure{exitUsage, fmt.Errorf(format, a...)} }
func config(format string, a ...any) error { return failure{exitConfig, fmt.Errorf(format, a...)} }

// console is what the program was started with, and where its output goes.
type console struct {
	args   []string
	env    []string
	stdout io.Writer
	stderr io.Writer
	alone  bool // nothing else goes on in this process, so that it may give up rights for good
}

func main() {
	stderr := standardError(activation.CoverErrors(wantsInetd(os.Args[1:], os.Getenv("SERVER_LISTEN"))))
	c := console{os.Args[1:], os.Environ(), os.Stdout, stderr, true}
	standard, err := platform.Describe(1)
	inetdWaits := err == nil && standard.State == platform.Listening // wait mode, or StandardInput=socket
	if inetdWaits {
		c.stdout = stderr // nobody reads what is written to a listening socket
	}
	code := run(c)
	if inetdWaits && code != exitOK {
		time.Sleep(time.Second) // inetd starts us again at once for the client who waits, and gives the service up when that spins
	}
	os.Exit(code)
}

// wantsInetd tells whether an address inetd: was given, before options are read: their errors are lines already.
func wantsInetd(args []string, variable string) bool {
	return strings.Contains(variable, "inetd:") || slices.ContainsFunc(args, func(a string) bool { return strings.Contains(a, "inetd:") })
}

func run(c console) int {
	err := runCommand(c)
	if errors.Is(err, pflag.ErrHelp) {
		err = help(c)
	}
	if err == nil {
		return exitOK
	}
	if status, ok := errors.AsType[ended](err); ok {
		return int(status)
	}
	lines := []string{err.Error()}
	if _, ok := errors.AsType[problems](err); ok {
		lines = strings.Split(err.Error(), "\n")
	}
	for _, line := range lines {
		fmt.Fprintf(c.stderr, "%srouse: %s\n", errorPriority(c.stderr), printable(line))
	}
	activation.Manager{}.Failed(printable(lines[0]))
	if f, ok := errors.AsType[failure](err); ok {
		return f.code
	}
	return exitFailed
}

// command is a subcommand; its first argument is its name.
type command func(console) error

func commands() map[string]command {
	return map[string]command{"check": check, "dispatch": dispatchConnections, "generate": generate, "precompress": precompressFiles, "inetd": startForEach, "run": runProgram, "serve": serve, "sockets": sockets, "version": version, "help": help,
		"install": installSite, "uninstall": uninstallSite, "status": showStatus,
		"renew": renewCertificate, "health": askHealth}
}

func runCommand(c console) error {
	if len(c.args) == 0 || strings.HasPrefix(c.args[0], "-") {
		switch {
		case slices.Contains(c.args, "-V"), slices.Contains(c.args, "--version"):
			return version(c)
		case len(c.args) == 1 && (c.args[0] == "-h" || c.args[0] == "--help"):
			return help(c)
		}
		return serve(c)
	}
	if named, ok := commands()[c.args[0]]; ok {
		c.args = c.args[1:]
		return named(c)
	}
	if info, err := os.Stat(c.args[0]); errors.Is(err, os.ErrNotExist) || err == nil && !info.IsDir() {
		names := []string{"serve", "run", "dispatch", "inetd", "install", "uninstall", "status", "renew", "health", "check", "precompress", "sockets", "version", "help"}
		return usage("%q is neither a folder nor a command%s; commands are %s", c.args[0], spelling.Suggestion(c.args[0], names), strings.Join(names, ", "))
	}
	return serve(c) // rouse DIR
}
