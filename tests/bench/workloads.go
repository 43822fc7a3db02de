package main

import (
	"fmt"
	"slices"
	"strings"
)

// A workload is one row of the benchmark: what is asked of every server, and by which tool.
type workload struct {
	name      string // for --workload
	title     string
	tool      string // a load tool's name, or coldStart
	role      string // which of a server's sockets: "http" or "https"
	path      string
	arguments []string // the tool's own, beside those it gets in every workload
}

// coldStart is the tool of the workloads that bench measures by itself.
const coldStart = "cold start"

// workloads is the table. Handshakes of kept-alive connections are part of their rounds for every server alike.
func workloads() []workload {
	return []workload{
		{"plain-1k", "1 KiB over plain HTTP/1.1, 64 kept-alive connections",
			"wrk", "http", page1k, []string{"-t1", "-c64"}},
		{"tls-1k", "1 KiB over TLS 1.3 and HTTP/1.1, 64 kept-alive connections",
			"wrk", "https", page1k, []string{"-t1", "-c64"}},
		{"h2-1k", "1 KiB over TLS 1.3 and HTTP/2, 32 connections of 32 streams",
			"h2load", "https", page1k, []string{"-t1", "-c32", "-m32"}},
		{"cold-plain", "cold start on an inherited listener: exec to first byte, plain HTTP/1.1",
			coldStart, "http", page1k, nil},
		{"cold-tls", "cold start on an inherited listener: exec to first byte, TLS 1.3",
			coldStart, "https", page1k, nil},
	}
}

func workloadNames() []string {
	var names []string
	for _, w := range workloads() {
		names = append(names, w.name)
	}
	return names
}

// chooseWorkloads takes the comma-separated list of --workload; empty means all.
func chooseWorkloads(list string) ([]workload, error) {
	if list == "" {
		return workloads(), nil
	}
	var chosen []workload
	for _, name := range strings.Split(list, ",") {
		i := slices.IndexFunc(workloads(), func(w workload) bool { return w.name == name })
		if i < 0 {
			return nil, fmt.Errorf("unknown workload %q: there are %s", name, strings.Join(workloadNames(), ", "))
		}
		chosen = append(chosen, workloads()[i])
	}
	return chosen, nil
}

// splitWorkloads separates those against running servers from those that start them.
func splitWorkloads(all []workload) (load, cold []workload) {
	for _, w := range all {
		if w.tool == coldStart {
			cold = append(cold, w)
		} else {
			load = append(load, w)
		}
	}
	return load, cold
}
