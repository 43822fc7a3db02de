package install

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	systemdbus "github.com/coreos/go-systemd/v22/dbus"
)

// State implements [Manager].
func (s systemd) State(ctx context.Context, u Units) (state State, err error) {
	err = s.with(ctx, func(ctx context.Context, c *systemdbus.Conn) error {
		states := make(map[string]unitState)
		for _, unit := range u.all() {
			properties, err := c.GetAllPropertiesContext(ctx, unit)
			if err != nil {
				return fmt.Errorf("%s: %w", unit, err)
			}
			states[unit] = properties
		}
		state = s.stateOf(u, states)
		return nil
	})
	return state, err
}

// unitState is all properties of a unit, as org.freedesktop.systemd1(5) names them.
type unitState map[string]any

// word is a property that is a string.
func (u unitState) word(property string) string {
	text, _ := u[property].(string)
	return text
}

// open tells whether a socket is, be it for clients or for a service that runs.
func (u unitState) open() bool { return u.word("ActiveState") == "active" }

// retried tells of a service that failed and is tried again: it waits for that (auto-restart, auto-restart-queued), or it is
// starting for another time. One that runs again is over it.
func (u unitState) retried() bool {
	tries, _ := u["NRestarts"].(uint32)
	return u.word("ActiveState") == "activating" && (tries > 0 || strings.HasPrefix(u.word("SubState"), "auto-restart"))
}

// awake tells whether a service runs or starts.
func (u unitState) awake() bool {
	return slices.Contains([]string{"active", "reloading"}, u.word("ActiveState")) || u.word("ActiveState") == "activating" && !u.retried()
}

// listens is a socket's addresses of one kind, as systemd writes them: Stream, Datagram.
func (u unitState) listens(kinds ...string) []string {
	pairs, _ := u["Listen"].([][]any)
	var addresses []string
	for _, pair := range pairs {
		if len(pair) == 2 && slices.Contains(kinds, fmt.Sprint(pair[0])) {
			addresses = append(addresses, fmt.Sprint(pair[1]))
		}
	}
	return addresses
}

func (s systemd) stateOf(u Units, states map[string]unitState) State {
	service := states[u.Service]
	state := State{Awake: service.awake(), Failing: service.retried() || service.word("ActiveState") == "failed"}
	if state.Awake {
		state.Status = service.word("StatusText")
	}
	if pid, _ := service["MainPID"].(uint32); state.Awake {
		state.PID = int(pid)
	}
	if since, _ := service["ActiveEnterTimestamp"].(uint64); since > 0 {
		state.Knocked = time.UnixMicro(int64(since))
	}
	open, failed := 0, 0
	for _, unit := range u.Sockets {
		switch socket := states[unit]; {
		case socket.open():
			open++
			state.Listen = append(state.Listen, socket.listens("Stream", "Datagram", "SequentialPacket")...)
		case socket.word("ActiveState") == "failed":
			failed++
		}
	}
	switch {
	case len(u.Sockets) == 0:
	case open == len(u.Sockets):
		state.Sockets = "open"
	case open > 0:
		state.Sockets = "half open"
	case failed > 0:
		state.Sockets = "failed"
	default:
		state.Sockets = "closed"
	}
	state.Trouble = s.trouble(u, states)
	return state
}

// trouble is the first thing that somebody has to do something about.
func (s systemd) trouble(u Units, states map[string]unitState) string {
	awake := states[u.Service].word("ActiveState") == "active"
	closed := func(unit string, state unitState) string { return s.closed(unit, state, u, awake) }
	for _, find := range []func(string, unitState) string{s.notLoaded, s.failed, closed} {
		for _, unit := range u.all() {
			if words := find(unit, states[unit]); words != "" {
				return words
			}
		}
	}
	if service := states[u.Service]; u.Boot && service.word("ActiveState") == "inactive" {
		return fmt.Sprintf("%s does not run: %s", u.Service, s.command("start "+u.Service))
	}
	for _, unit := range u.atBoot() {
		if states[unit].word("UnitFileState") == "disabled" {
			return fmt.Sprintf("%s does not come back at the next boot: %s", unit, s.command("enable "+unit))
		}
	}
	return ""
}

func (s systemd) notLoaded(unit string, state unitState) string {
	reload, _ := state["NeedDaemonReload"].(bool)
	switch state.word("LoadState") {
	case "loaded":
		if reload {
			return fmt.Sprintf("the file of %s has changed, and systemd goes by the former one: %s", unit, s.command("daemon-reload"))
		}
		return ""
	case "not-found":
		return fmt.Sprintf("the file of %s is gone: install the site again, or uninstall it", unit)
	case "masked":
		return fmt.Sprintf("%s is masked: %s", unit, s.command("unmask "+unit))
	default: // bad-setting, error
		return fmt.Sprintf("systemd cannot read %s (%s): %s tells why", unit, state.word("LoadState"), s.command("status "+unit))
	}
}

func (s systemd) failed(unit string, state unitState) string {
	retried := state.retried()
	if state.word("ActiveState") != "failed" && !retried {
		return ""
	}
	words := unit + " " + failure(unit, state)
	switch {
	case retried:
		return fmt.Sprintf("%s, and is tried again every second: %s tells why", words, s.log(unit))
	case strings.HasSuffix(unit, ".socket"):
		return fmt.Sprintf("%s: %s tells why; then: %s", words, s.log(unit), s.command("restart "+unit))
	default:
		return fmt.Sprintf("%s: %s tells why", words, s.log(unit))
	}
}

// closed tells of a socket or a timer that somebody stopped. A socket does not open while its service runs.
func (s systemd) closed(unit string, state unitState, u Units, awake bool) string {
	if !slices.Contains(slices.Concat(u.Sockets, u.Timers), unit) || state.word("ActiveState") != "inactive" {
		return ""
	}
	mend := s.command("start " + unit)
	if awake && slices.Contains(u.Sockets, unit) {
		mend = s.command("stop "+u.Service) + " && " + mend
	}
	return fmt.Sprintf("%s is stopped: %s", unit, mend)
}

// failure says in words why a unit failed: its Result (org.freedesktop.systemd1(5)), and the exit status, of which those from 200
// on are systemd's own (systemd.exec(5), "Process exit codes").
func failure(unit string, state unitState) string {
	switch result := state.word("Result"); result {
	case "success": // in the middle of another try
		return "does not come up"
	case "resources":
		if strings.HasSuffix(unit, ".socket") {
			return "could not be opened, as its address is taken or not allowed"
		}
		return "could not be started for lack of something"
	case "trigger-limit-hit", "service-start-limit-hit", "start-limit-hit":
		return "was started too often in too short a time"
	case "exit-code":
		status, _ := state["ExecMainStatus"].(int32)
		if words, ok := exitWords[status]; ok {
			return fmt.Sprintf("failed: %s (exit status %d)", words, status)
		}
		return fmt.Sprintf("failed (exit status %d)", status)
	case "signal", "core-dump":
		status, _ := state["ExecMainStatus"].(int32)
		return fmt.Sprintf("was ended by signal %d", status)
	case "watchdog":
		return "hung, and was ended"
	case "timeout":
		return "took too long to start or to stop"
	case "oom-kill":
		return "was ended for lack of memory"
	default:
		return fmt.Sprintf("failed (%s)", result)
	}
}

// exitWords is Rouse's exit status for a mistake in its configuration, and those of systemd that a site can get.
var exitWords = map[int32]string{
	78:  "its configuration has a mistake",
	126: "the program cannot be executed",
	127: "the program is not there",
	200: "its working folder is not there",
	203: "rouse cannot be executed",
	217: "its user is not there",
	218: "its capabilities are not to be had",
	226: "its view of the files cannot be made",
	228: "its filter of system calls cannot be set",
	243: "its credentials cannot be read",
}
