package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// h2load, of nghttp2, sends HTTP/2 requests over several connections with several streams each.
func h2load() loadTool {
	return loadTool{
		name: "h2load", packages: []string{"nghttp2-client"}, version: "--version",
		arguments: h2loadArguments,
		parse:     parseH2load,
	}
}

// leastStreams is a request for each stream of each connection in the table of workloads.
const leastStreams = 1024

// h2loadArguments asks for a number of requests, about as many as the server answers in that time. At the end of a timed run every
// stream is cut off: the server has worked on replies that nobody counts, and on a slow server they are several percent of all.
func h2loadArguments(length time.Duration, rate float64) []string {
	return []string{"-n", strconv.Itoa(max(leastStreams, int(rate*length.Seconds())))}
}

// parseH2load reads the report of h2load 1.x. It has no percentiles.
func parseH2load(report string) (loadResult, error) {
	var r loadResult
	rate := regexp.MustCompile(`finished in \S+, ([\d.]+) req/s`).FindStringSubmatch(report)
	requests := regexp.MustCompile(`requests: .* (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout`).
		FindStringSubmatch(report)
	codes := regexp.MustCompile(`status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx`).FindStringSubmatch(report)
	data := regexp.MustCompile(`\((\d+)\) data`).FindStringSubmatch(report)
	if rate == nil || requests == nil || codes == nil || data == nil {
		return r, errors.New("no totals in it")
	}
	var err error
	if r.rate, err = strconv.ParseFloat(rate[1], 64); err != nil {
		return r, err
	}
	if r.requests, err = strconv.ParseInt(requests[1], 10, 64); err != nil {
		return r, err
	}
	if r.bytes, err = strconv.ParseInt(data[1], 10, 64); err != nil {
		return r, err
	}
	switch {
	case !strings.Contains(report, "Application protocol: h2\n"):
		r.faults = "not HTTP/2" // it takes HTTP/1.1 when the server wants no other
	case requests[2] != "0" || requests[3] != "0" || requests[4] != "0":
		r.faults = fmt.Sprintf("requests: %s failed, %s errored, %s timeout", requests[2], requests[3], requests[4])
	case codes[2] != "0" || codes[3] != "0" || codes[4] != "0":
		r.faults = fmt.Sprintf("status codes: %s 3xx, %s 4xx, %s 5xx", codes[2], codes[3], codes[4])
	}
	return r, nil
}
