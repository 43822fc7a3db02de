// Command bench measures what a request costs rouse and other web servers on the same machine: server CPU per request,
// requests per second, memory, and the time from a cold start to the first byte. The workloads run-… measure the same of nginx by
// itself, under `rouse run`, and behind relays that can start it on demand. The workloads …-new of dispatch and inetd measure new
// connections: through `rouse dispatch` and relays to the smallest of servers, and to a process for each of them by `rouse inetd`
// and other inetds.
//
//	go run ./tests/bench                                     # everything, within 20 minutes
//	go run ./tests/bench --quick                             # the main workloads, roughly; within 2 minutes
//	go run ./tests/bench --workload plain-1k,h2-1k --peer nginx,h2o --rounds 9
//	go run ./tests/bench --logs                              # every server writes its access log
//	go run ./tests/bench --server nginx-new=/opt/nginx/sbin/nginx --server static-web-server-cache=/opt/sws
//	go run ./tests/bench --workload plain-1k --profile folder # and then: perf report -i folder/plain-1k.perf
//	go run ./tests/bench --svg folder                        # charts
//
// Rounds are interleaved between rouse (or nginx by itself), a second copy of the same (the A/A twin) and the others, in
// a new random order each time. Only ratios inside one round are compared, and the twin shows which of them the
// machine's own noise could have made. Servers are held to one CPU and clients to another. Everything stays on loopback, in a
// temporary folder and in process groups that are ended by their ids; programs that are missing are unpacked from Debian packages
// into a cache folder, or built there from their module, never installed. What cannot be had is listed as absent.
//
// Each server has the configuration that its own manual advises for static files: the files nginx.conf, lighttpd.conf,
// apache.conf, h2o.yaml and Caddyfile beside this one. With --logs each writes its access log as its own documents or its package
// would have it: nginx and Apache a line at a time, lighttpd, h2o and Caddy as they do when nothing else is said, rouse with
// --access-log; the format is combined, Caddy's is JSON, which is all that it has.
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
		ctx, cancel = context.WithTimeoutCause(ctx, 2*quickTime, fmt.Errorf("--quick stops after %s", 2*quickTime))
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
	quick, logs  bool
	rounds       int    // 0: as many as the time allows
	rouse        string // path of the binary; empty: build it
	svg, profile string // folders for charts and profiles; empty: none
	workloads    []workload
	peers        []peerFinder
	others       []peerFinder // given by --server
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	var names, peers string
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.BoolVar(&o.quick, "quick", false, "short rounds, and if none are named the main workloads only; everything within "+quickTime.String())
	flags.BoolVar(&o.logs, "logs", false, "let every server write its access log")
	flags.IntVar(&o.rounds, "rounds", 0, fmt.Sprintf("rounds per workload and server (default as many as time allows, %d to %d)", leastRounds, mostRounds))
	flags.StringVar(&o.rouse, "rouse", "", "`path` of the rouse to measure (default: build ./cmd/rouse)")
	flags.StringVar(&o.svg, "svg", "", "`folder` for charts of all rows")
	flags.StringVar(&o.profile, "profile", "", "`folder` for what perf records of rouse in one more round of each workload")
	flags.StringVar(&names, "workload", "", "comma-separated `names` (default all: "+strings.Join(workloadNames(), ",")+")")
	flags.StringVar(&peers, "peer", strings.Join(peerNames(), ","), "comma-separated `names` of the servers beside rouse")
	flags.Func("server", "`name=path` of another server; the name begins with "+strings.Join(commandLineNames(), ", ")+"; repeatable", func(text string) error {
		other, err := parseServer(text)
		o.others = append(o.others, other)
		return err
	})
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
	if o.workloads, err = chooseWorkloads(names, o.quick); err != nil {
		return o, err
	}
	if o.peers, err = choosePeers(peers); err != nil {
		return o, err
	}
	for _, folder := range []string{o.svg, o.profile} {
		if folder == "" {
			continue
		}
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return o, fmt.Errorf("making a folder: %w", err)
		}
	}
	return o, nil
}
