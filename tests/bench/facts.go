package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
)

// printFacts says on what machine and with which programs the figures below came about.
func printFacts(out io.Writer, b bench, missing []absent) {
	fmt.Fprintf(out, "CPU     %s, %d usable\n", processorModel(), runtime.NumCPU())
	fmt.Fprintf(out, "kernel  %s, load average %s\n", firstLine("/proc/sys/kernel/osrelease"), firstLine("/proc/loadavg"))
	fmt.Fprintf(out, "held to servers: CPU %s, clients: CPU %s\n",
		formatProcessors(b.cpus.server), formatProcessors(b.cpus.client))
	if limit := b.quota.String(); limit != "" {
		fmt.Fprintln(out, "        web servers under load: "+limit)
	}
	if slices.Equal(b.cpus.server, b.cpus.client) {
		fmt.Fprintln(out, "        there is one CPU only: servers and clients take it from each other")
	}
	fmt.Fprintf(out, "rounds  %d of each server in each workload, most of them of %s; about %s in all\n", b.rounds, b.roundLength(), b.duration())
	if b.options.quick {
		fmt.Fprintln(out, "        quick: rounds are short and few, so the noise is larger; without --workload these only: "+quickWorkloads)
	}
	if b.options.logs {
		fmt.Fprintln(out, "logs    every server writes its access log, as its documents or its package would have it: nginx and Apache a line at a time,")
		fmt.Fprintln(out, "        lighttpd, h2o and Caddy (JSON) as by default, rouse with --access-log; the others have the format combined")
	}
	for _, field := range fields() {
		for _, p := range b.contestants[field] {
			fmt.Fprintf(out, "server  %s: %s\n", p.name, p.version)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(b.tools)) {
		fmt.Fprintf(out, "client  %s: %s\n", name, b.tools[name].version)
	}
	for _, a := range missing {
		fmt.Fprintf(out, "absent  %s: %v\n", a.name, a.why)
	}
}

// processorModel is the CPU's name as /proc/cpuinfo has it on x86; elsewhere the architecture must do.
func processorModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for lines := bufio.NewScanner(bytes.NewReader(info)); lines.Scan(); {
		if key, value, _ := strings.Cut(lines.Text(), ":"); strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func firstLine(path string) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(content), "\n")
	return line
}
