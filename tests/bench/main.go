// Command bench measures what a request costs rouse and other web servers on the same machine: server CPU per request,
// requests per second, and the time from a cold start to the first byte. The workloads run-… measure the same of nginx by
// itself, under `rouse run`, and behind relays that can start it on demand. The workloads …-new measure new connections: through
// `rouse dispatch` and relays to the smallest of servers, and to a process for each of them by `rouse inetd` and other inetds.
//
//	go run ./tests/bench [--quick] [--workload a,b] [--peer nginx] [--rounds N] [--rouse PATH]
//
// Rounds are interleaved between rouse (or nginx by itself), a second copy of the same (the A/A twin) and the others, in
// a new random order each time. Only ratios inside one round are compared, and the twin shows which of them the
// machine's own noise could have made. Everything stays on loopback, in a temporary folder and in process groups that
// are ended by their ids; programs that are missing are unpacked from Debian packages into a cache folder, never
// installed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 {
		if inside := insides()[os.Args[1]]; inside != nil {
			fmt.Fprintln(os.Stderr, inside(os.Args[2:])) // returns only when it failed
			os.Exit(127)
		}
	}
	os.Exit(command(os.Args[1:], os.Stdout, os.Stderr))
}

// insides are what bench starts itself as, by the first argument.
func insides() map[string]func(args []string) error {
	return map[string]func([]string) error{launchCommand: launch, answerCommand: answer}
}

// quickTime bounds what --quick measures.
const quickTime = 6 * time.Minute

// command runs the benchmark and returns its exit code: 0 measured, 1 failed, a row is invalid or rouse lost connections, 2 wrong
// command line.
func command(args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench:", err)
		return 2
	}
	// SIGPIPE is among them so that `| head` ends the servers too.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	defer stop()
	if o.quick {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, quickTime, fmt.Errorf("--quick stops after %s", quickTime))
		defer cancel()
	}
	if err := run(ctx, o, stdout, stderr); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = fmt.Errorf("not finished: %w", cause)
		}
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
}

// options is the command line.
type options struct {
	quick     bool
	rounds    int    // 0: as many as --quick or not asks for
	rouse     string // path of the binary; empty: build it
	workloads []workload
	peers     []string
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	var names, peers string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.BoolVar(&o.quick, "quick", false, "fewer rounds; everything within "+quickTime.String())
	flags.IntVar(&o.rounds, "rounds", 0, "rounds of one second per workload and server (default 7, with --quick 3)")
	flags.StringVar(&o.rouse, "rouse", "", "`path` of the rouse to measure (default: build ./cmd/rouse)")
	flags.StringVar(&names, "workload", "", "comma-separated `names` (default all: "+strings.Join(workloadNames(), ",")+")")
	flags.StringVar(&peers, "peer", strings.Join(peerNames(), ","), "comma-separated `names` of the servers beside rouse")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: only options are accepted", flags.Arg(0))
	}
	if o.rounds < 0 {
		return o, fmt.Errorf("--rounds %d: give a number above 0", o.rounds)
	}
	var err error
	if o.workloads, err = chooseWorkloads(names); err != nil {
		return o, err
	}
	o.peers, err = choosePeers(peers)
	return o, err
}

// loadRounds and coldRounds say how often each server is measured; a cold start takes milliseconds, so there are more.
func (o options) loadRounds() int {
	switch {
	case o.rounds > 0:
		return o.rounds
	case o.quick:
		return 3
	}
	return 7
}

func (o options) coldRounds() int { return 3 * o.loadRounds() }
