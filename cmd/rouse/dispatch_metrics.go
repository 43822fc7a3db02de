package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/activation/route"
)

// serveMetrics answers /metrics at the address of --metrics, until end is called.
func (d *dispatching) serveMetrics(s *subcommand, status func() route.Status, log *slog.Logger) (end func(), err error) {
	a, err := activation.ParseAddress(d.Metrics)
	if err != nil {
		return nil, s.conflict([]string{"metrics"}, "%s: %w", s.given["metrics"], err)
	}
	sockets, err := activation.NewOpener().Open([]activation.Address{a})
	if err != nil {
		return nil, socketFailure(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = io.WriteString(w, metricsOf(status()))
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	for _, one := range sockets {
		if one.Listener == nil {
			activation.Close(sockets)
			return nil, s.conflict([]string{"metrics"}, "%s: %s is no listening socket", s.given["metrics"], one)
		}
		go func() {
			if err := server.Serve(one.Listener); !errors.Is(err, http.ErrServerClosed) {
				log.Error("figures are served no longer", "err", err)
			}
		}()
	}
	return func() { server.Close() }, nil
}

// metricsOf writes a status in the text format of Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/).
func metricsOf(s route.Status) string {
	var b strings.Builder
	family := func(name, kind, help string, samples []string) {
		if len(samples) == 0 {
			return
		}
		fmt.Fprintf(&b, "# HELP rouse_dispatch_%s %s\n# TYPE rouse_dispatch_%s %s\n", name, help, name, kind)
		for _, sample := range samples {
			fmt.Fprintf(&b, "rouse_dispatch_%s%s\n", name, sample)
		}
	}
	var accepted, queued, failed, routed, kernel, delivered, again, waiting, oldest, processes, credit, unaccepted, drops []string
	for _, l := range s.Listeners {
		labels := labelled("listener", l.Name, "address", l.Address, "backend", l.Backend)
		accepted = append(accepted, fmt.Sprintf("%s %d", labels, l.Accepted))
		failed = append(failed, fmt.Sprintf("%s %d", labels, l.Errors))
		if l.Waiting >= 0 {
			queued = append(queued, fmt.Sprintf("%s %d", labels, l.Waiting))
		}
	}
	for n, r := range s.Routes {
		labels := labelled("rule", fmt.Sprint(n+1), "name", r.Name, "backend", r.Backend)
		routed = append(routed, fmt.Sprintf("%s %d", labels, r.Connections))
		kernel = append(kernel, fmt.Sprintf("%s %d", labels, r.Kernel))
	}
	for _, one := range s.Backends {
		labels := labelled("backend", one.Name)
		room, held := 0, 0
		for _, p := range one.Sessions {
			room, held = room+p.Credit, held+p.Unaccepted
		}
		delivered = append(delivered, fmt.Sprintf("%s %d", labels, one.Connections))
		again = append(again, fmt.Sprintf("%s %d", labels, one.Again))
		waiting = append(waiting, fmt.Sprintf("%s %d", labels, one.Waiting))
		oldest = append(oldest, fmt.Sprintf("%s %g", labels, one.Oldest))
		processes = append(processes, fmt.Sprintf("%s %d", labels, len(one.Sessions)))
		credit = append(credit, fmt.Sprintf("%s %d", labels, room))
		unaccepted = append(unaccepted, fmt.Sprintf("%s %d", labels, held))
		for _, reason := range slices.Sorted(maps.Keys(one.Drops)) {
			drops = append(drops, fmt.Sprintf("%s %d", labelled("backend", one.Name, "reason", reason), one.Drops[reason]))
		}
	}
	family("accepted_total", "counter", "Connections accepted by the dispatcher.", accepted)
	family("accept_errors_total", "counter", "Accepts that failed.", failed)
	family("queued", "gauge", "Clients in the kernel's queue.", queued)
	family("rule_connections_total", "counter", "Connections decided by a rule here.", routed)
	family("rule_kernel_total", "counter", "Attempts to connect, and datagrams, that the kernel decided by a rule.", kernel)
	family("delivered_total", "counter", "Connections that a backend got.", delivered)
	family("delivered_again_total", "counter", "Connections given to another process, as the first one had not accepted them.", again)
	family("waiting", "gauge", "Clients that were accepted and wait for a backend.", waiting)
	family("waiting_oldest_seconds", "gauge", "How long the first of them has waited.", oldest)
	family("processes", "gauge", "Processes registered for a backend.", processes)
	family("credit", "gauge", "Connections that they take now.", credit)
	family("unaccepted", "gauge", "Connections that they were given and have not accepted.", unaccepted)
	family("dropped_total", "counter", "Connections that were not delivered.", drops)
	return b.String()
}

// labelled writes labels, with what the format demands escaped. Empty ones are left out.
func labelled(pairs ...string) string {
	var labels []string
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			labels = append(labels, pairs[i]+`="`+strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(pairs[i+1])+`"`)
		}
	}
	return "{" + strings.Join(labels, ",") + "}"
}
