package install

import (
	"strconv"
	"strings"
	"time"
)

// The limits of the shipped units and property lists for the end of a service, and what its options allow it in there.
const (
	shippedStop = 20 * time.Second
	shippedWait = 10 * time.Second // where no option says otherwise
	stopMargin  = 10 * time.Second
	longestStop = 10 * 365 * 24 * time.Hour
)

// stopLimit is the time after which the manager kills a service that was told to end: longer than its options allow it.
func (s Site) stopLimit() time.Duration {
	var allowed time.Duration
	switch s.Command {
	case "serve":
		allowed = s.span("SERVER_GRACE_PERIOD", 0) + s.span("SERVER_DRAIN_TIMEOUT", shippedWait)
	case "run":
		allowed = s.span("ROUSE_RUN_STOP_TIMEOUT", shippedWait)
	case "inetd":
		allowed = s.span("ROUSE_INETD_GRACE_PERIOD", shippedWait)
	case "dispatch":
		allowed = s.span("ROUSE_DISPATCH_GRACE_PERIOD", shippedWait)
	}
	return max(shippedStop, allowed+stopMargin)
}

// span is the time that an option says, as rouse reads it: 1h30m, 5min, or a bare number of seconds. The last one counts.
func (s Site) span(option string, usual time.Duration) time.Duration {
	for _, v := range s.Variables {
		if v.Name != option {
			continue
		}
		if n, err := strconv.ParseUint(v.Value, 10, 31); err == nil {
			usual = time.Duration(n) * time.Second
		} else if span, err := time.ParseDuration(strings.ReplaceAll(v.Value, "min", "m")); err == nil && span >= 0 {
			usual = span
		}
	}
	return min(usual, longestStop)
}

// seconds spells a span for systemd (systemd.time(7)), in whole seconds and rather more than less.
func seconds(span time.Duration) string {
	return strconv.FormatInt(int64((span+time.Second-1)/time.Second), 10) + "s"
}
