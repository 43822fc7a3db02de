package main

import (
	"time"

	"github.com/rouse-server/rouse/server"
)

// dispatching is the options of `rouse dispatch`.
type dispatching struct {
	Config string           `section:"Rules and sockets" flag:"config" short:"c" arg:"FILE" help:"the rules: rouse's own (NAME.toml), directives of socketbox, or python-socketbox's JSON"`
	Listen server.Addresses `flag:"listen" arg:"NAME=ADDRESS,…" help:"take or bind a socket for the listener NAME, in place of those in the file: systemd:NAME, launchd:NAME, fd:N, tcp:HOST:PORT, udp:HOST:PORT, unix:PATH, handoff:PATH, dispatch:PATH#BACKEND; repeatable; default: the file's listeners, else what was passed"`
	Socket string           `flag:"socket" arg:"PATH" help:"the dispatcher's own socket, for --status, where the rules name none, as those of socketbox"`
	Fd     server.Number    `flag:"fd" arg:"N" help:"take socket N of LISTEN_FDS, counted from 0, or descriptor N where there is no LISTEN_FDS"`

	Engine engineWord      `section:"How it is done" flag:"engine" arg:"ENGINE" help:"kernel (each backend has a queue of its own, filled by the kernel: bpf-sk_lookup), hand-over (connections are accepted here and passed on), or auto, the kernel for all rules and sockets that it can do"`
	Pin    string          `flag:"pin" arg:"DIR" help:"keep what is in the kernel below this folder of a bpf file system, so that it works on while rouse is away; auto: /sys/fs/bpf/rouse/NAME by the name of the file of rules, where there is such a file system; no: nowhere"`
	Grace  server.Duration `flag:"grace-period" arg:"TIME" help:"how long at the end clients that were accepted may wait for their backends"`

	HelloTime  server.Duration `section:"Limits" flag:"hello-time" arg:"TIME" help:"how long a client may take to say its TLS name, where a rule asks for it; afterwards it has none"`
	HelloSize  server.Size     `flag:"hello-size" arg:"SIZE" help:"the longest first message that is looked at for it"`
	AckTime    server.Duration `flag:"ack-time" arg:"TIME" help:"a backend that does not acknowledge a connection for so long gets no more until it does"`
	MaxWaiting server.Number   `flag:"max-waiting" arg:"N" help:"clients that may wait here for a backend without room, for each backend; the kernel's queues hold more"`

	Metrics   string           `section:"What is told" flag:"metrics" arg:"ADDRESS" help:"serve figures for Prometheus at /metrics there: tcp:127.0.0.1:9180, unix:PATH"`
	LogLevel  server.LogLevel  `flag:"log-level" short:"g" arg:"LEVEL" help:"error, warn, info, debug (each connection) or trace"`
	LogFormat server.LogFormat `flag:"log-format" arg:"FORMAT" help:"auto, human, json or logfmt"`

	Check   bool   `section:"Without dispatching anything" ignored:"true" flag:"check" help:"read the rules, and tell what is wrong with them"`
	Explain string `ignored:"true" flag:"explain" arg:"CLIENT" help:"show which rule a client gets, and why: 'client=192.0.2.7 local=[2001:db8::1]:443 sni=example.org', also alpn=, listener= and protocol=udp"`
	Status  bool   `ignored:"true" flag:"status" help:"show listeners, routes and backends of the dispatcher that runs with these rules"`
	JSON    bool   `ignored:"true" flag:"json" help:"the same for programs, with --explain or --status"`
}

// engineWord is --engine.
type engineWord string

func (w *engineWord) Set(text string) error { return oneWord((*string)(w), text, w.Words()) }
func (w engineWord) String() string         { return string(w) }
func (engineWord) Words() []string          { return []string{"auto", "kernel", "hand-over"} }

func defaultDispatching() *dispatching {
	return &dispatching{
		Config: "/etc/rouse/dispatch.toml", Engine: "auto", Pin: "auto", Grace: server.Duration(10 * time.Second),
		HelloTime: server.Duration(5 * time.Second), HelloSize: 64 << 10, AckTime: server.Duration(10 * time.Second), MaxWaiting: server.Number{Value: 4096, Given: true},
		LogLevel: "info", LogFormat: "auto",
	}
}

// dispatchOptions returns the options of `rouse dispatch`, and the machinery that reads them.
func dispatchOptions() (*dispatching, *subcommand) {
	d := defaultDispatching()
	return d, newSubcommand("dispatch", d, false)
}

// check refuses options that exclude each other.
func (d *dispatching) check(s *subcommand) error {
	asked := 0
	for _, name := range []string{"check", "explain", "status"} {
		if s.given[name] != "" {
			asked++
		}
	}
	switch {
	case asked > 1:
		return usage("--check, --explain and --status exclude each other: ask for one of them")
	case s.given["listen"] != "" && s.given["fd"] != "":
		return s.conflict([]string{"listen", "fd"}, "%s and %s exclude each other, leave one out: both say which sockets to take", s.given["listen"], s.given["fd"])
	case d.JSON && d.Explain == "" && !d.Status:
		return usage("--json is for --explain and --status: add one of them, or leave it out")
	}
	return nil
}
