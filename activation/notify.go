package activation

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Manager is whoever started this process and wants to know how it goes: systemd's sd_notify(3) protocol. Without
// NOTIFY_SOCKET all notices go nowhere. A notice that cannot be delivered is lost: the manager notices by itself.
type Manager struct{}

// Ready says that everything is served. status is what `systemctl status` shows.
func (Manager) Ready(status string) { notify(daemon.SdNotifyReady, "STATUS="+oneLine(status)) }

// Reloading says that a reload began, with the time that systemd asks for since 253; Ready ends it.
func (Manager) Reloading() {
	state := []string{daemon.SdNotifyReloading}
	if usec := daemon.SdNotifyMonotonicUsec(); usec != "" {
		state = append(state, usec)
	}
	notify(state...)
}

// Stopping is final (systemd 259 holds a service to it): say it only when there is no way back.
func (Manager) Stopping(status string) { notify(daemon.SdNotifyStopping, "STATUS="+oneLine(status)) }

// Failed gives the reason of a failing start or stop.
func (Manager) Failed(reason string) { notify("STATUS=" + oneLine(reason)) }

// Status tells what goes on, in one line, and nothing else.
func (Manager) Status(text string) { notify("STATUS=" + oneLine(text)) }

// Alive is the watchdog's beat.
func (Manager) Alive() { notify(daemon.SdNotifyWatchdog) }

// Watchdog returns how often Alive has to be said, half of the manager's limit; 0 without a watchdog.
func (Manager) Watchdog() (time.Duration, error) {
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return 0, fmt.Errorf("WATCHDOG_USEC=%s: %w", os.Getenv("WATCHDOG_USEC"), err)
	}
	return limit / 2, nil
}

func notify(state ...string) { daemon.SdNotify(false, strings.TrimSpace(strings.Join(state, "\n"))) }

func oneLine(s string) string { return strings.ReplaceAll(s, "\n", " ") }
