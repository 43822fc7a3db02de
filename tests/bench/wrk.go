package main

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// wrk sends HTTP/1.1 requests over kept-alive connections for a time.
func wrk() loadTool {
	return loadTool{
		name: "wrk", packages: []string{"wrk"}, version: "-v",
		// It takes whole seconds only, and is interrupted before they are over (SIGINT): its report is of the time until then.
		arguments: func(length time.Duration, _ float64) []string {
			return []string{"--latency", "-d" + strconv.Itoa(int(length.Seconds())+2) + "s"}
		},
		interrupt: true,
		parse:     parseWrk,
	}
}

// parseWrk reads the report of wrk 4 with --latency. Complaints stand in it only when there are some.
func parseWrk(report string) (loadResult, error) {
	var r loadResult
	total := regexp.MustCompile(`(\d+) requests in \S+, ([\d.]+)([KMGT]?)B read`).FindStringSubmatch(report)
	rate := regexp.MustCompile(`Requests/sec:\s+([\d.]+)`).FindStringSubmatch(report)
	if total == nil || rate == nil {
		return r, errors.New("no totals in it")
	}
	var err error
	if r.requests, err = strconv.ParseInt(total[1], 10, 64); err != nil {
		return r, err
	}
	if r.rate, err = strconv.ParseFloat(rate[1], 64); err != nil {
		return r, err
	}
	read, err := strconv.ParseFloat(total[2], 64)
	if err != nil {
		return r, err
	}
	// Its units are powers of 1024 (src/units.c).
	r.bytes = int64(read * map[string]float64{"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}[total[3]])
	if r.p50, err = wrkPercentile(report, "50"); err != nil {
		return r, err
	}
	if r.p99, err = wrkPercentile(report, "99"); err != nil {
		return r, err
	}
	r.faults = wrkFaults(report)
	return r, nil
}

func wrkPercentile(report, percent string) (time.Duration, error) {
	match := regexp.MustCompile(`(?m)^\s+` + percent + `%\s+(\S+)$`).FindStringSubmatch(report)
	if match == nil {
		return 0, fmt.Errorf("no %s%% latency in it", percent)
	}
	return time.ParseDuration(match[1])
}

func wrkFaults(report string) string {
	var faults []string
	for _, pattern := range []string{`(Socket errors: .*)`, `(Non-2xx or 3xx responses: \d+)`} {
		if match := regexp.MustCompile(pattern).FindString(report); match != "" {
			faults = append(faults, strings.TrimSpace(match))
		}
	}
	return strings.Join(faults, "; ")
}
