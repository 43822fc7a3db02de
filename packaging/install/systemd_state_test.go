package install

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// asleepSite is a site as systemd tells of it while nobody knocks.
func asleepSite() (Units, map[string]unitState) {
	u := Units{
		Service: "rouse-site.service", Sockets: []string{"rouse-site.socket", "rouse-site-http.socket"},
		Timers: []string{"rouse-site-renew.timer"}, Others: []string{"rouse-site-renew.service"},
	}
	listen := func(address string) [][]any { return [][]any{{"Stream", address}, {"FIFO", "/run/never"}} }
	return u, map[string]unitState{
		"rouse-site.service":       {"LoadState": "loaded", "ActiveState": "inactive", "SubState": "dead", "Result": "success"},
		"rouse-site.socket":        {"LoadState": "loaded", "ActiveState": "active", "SubState": "listening", "UnitFileState": "enabled", "Listen": listen("[::]:8443")},
		"rouse-site-http.socket":   {"LoadState": "loaded", "ActiveState": "active", "SubState": "listening", "UnitFileState": "enabled", "Listen": listen("127.0.0.1:8080")},
		"rouse-site-renew.timer":   {"LoadState": "loaded", "ActiveState": "active", "SubState": "waiting", "UnitFileState": "enabled"},
		"rouse-site-renew.service": {"LoadState": "loaded", "ActiveState": "inactive", "SubState": "dead", "Result": "success"},
	}
}

func TestStateAsleep(t *testing.T) {
	got := systemd{}.stateOf(asleepSite())
	if got.Sockets != "open" || got.Awake || got.PID != 0 || !got.Knocked.IsZero() || got.Trouble != "" {
		t.Errorf("got %+v", got)
	}
	if want := []string{"[::]:8443", "127.0.0.1:8080"}; !slices.Equal(got.Listen, want) {
		t.Errorf("got %q, want %q", got.Listen, want)
	}
}

func TestStateAwake(t *testing.T) {
	u, states := asleepSite()
	since := time.Date(2026, 11, 22, 10, 0, 0, 123000, time.UTC)
	states[u.Service] = unitState{
		"LoadState": "loaded", "ActiveState": "active", "SubState": "running", "MainPID": uint32(42), "ActiveEnterTimestamp": uint64(since.UnixMicro()),
	}
	if got := (systemd{}).stateOf(u, states); !got.Awake || got.PID != 42 || !got.Knocked.Equal(since) || got.Trouble != "" {
		t.Errorf("got %+v", got)
	}
}

// Each of these is told in one line, with what to do.
func TestTrouble(t *testing.T) {
	for name, test := range map[string]struct {
		unit          string
		state         unitState
		sockets, want string
	}{
		"address taken": {
			"rouse-site.socket", unitState{"ActiveState": "failed", "SubState": "failed", "Result": "resources"}, "half open",
			"rouse-site.socket could not be opened, as its address is taken or not allowed: journalctl -e -u rouse-site.socket tells why; then: systemctl restart rouse-site.socket",
		},
		"too often": {"rouse-site.socket", unitState{"ActiveState": "failed", "Result": "trigger-limit-hit"}, "half open", "was started too often"},
		"stopped": {
			"rouse-site-http.socket", unitState{"ActiveState": "inactive", "SubState": "dead"}, "half open",
			"rouse-site-http.socket is stopped: systemctl start rouse-site-http.socket",
		},
		"not enabled": {"rouse-site.socket", unitState{"UnitFileState": "disabled"}, "open", "systemctl enable rouse-site.socket"},
		"gone":        {"rouse-site.service", unitState{"LoadState": "not-found"}, "open", "the file of rouse-site.service is gone"},
		"masked":      {"rouse-site.service", unitState{"LoadState": "masked"}, "open", "systemctl unmask rouse-site.service"},
		"unreadable":  {"rouse-site.service", unitState{"LoadState": "bad-setting"}, "open", "systemctl status rouse-site.service"},
		"edited":      {"rouse-site.service", unitState{"NeedDaemonReload": true}, "open", "systemctl daemon-reload"},
		"configuration": {
			"rouse-site.service", unitState{"ActiveState": "activating", "SubState": "auto-restart", "Result": "exit-code", "ExecMainStatus": int32(78)}, "open",
			"rouse-site.service failed: its configuration has a mistake (exit status 78), and is tried again every second: journalctl -e -u rouse-site.service tells why",
		},
		"another try": {
			"rouse-site.service", unitState{"ActiveState": "activating", "SubState": "start", "Result": "success", "NRestarts": uint32(3)}, "open",
			"rouse-site.service does not come up, and is tried again every second: journalctl -e -u rouse-site.service tells why",
		},
		"queued":        {"rouse-site.service", unitState{"ActiveState": "activating", "SubState": "auto-restart-queued", "Result": "signal", "ExecMainStatus": int32(9)}, "open", "was ended by signal 9, and is"},
		"other failure": {"rouse-site.service", unitState{"ActiveState": "failed", "Result": "exit-code", "ExecMainStatus": int32(1)}, "open", "failed (exit status 1)"},
		"killed":        {"rouse-site.service", unitState{"ActiveState": "failed", "Result": "signal", "ExecMainStatus": int32(9)}, "open", "was ended by signal 9"},
		"hung":          {"rouse-site.service", unitState{"ActiveState": "failed", "Result": "watchdog"}, "open", "hung"},
		"slow":          {"rouse-site.service", unitState{"ActiveState": "failed", "Result": "timeout"}, "open", "took too long"},
		"no memory":     {"rouse-site.service", unitState{"ActiveState": "failed", "Result": "oom-kill"}, "open", "lack of memory"},
		"something new": {"rouse-site.service", unitState{"ActiveState": "failed", "Result": "novel"}, "open", "failed (novel)"},
		"renewal":       {"rouse-site-renew.service", unitState{"ActiveState": "failed", "Result": "exit-code", "ExecMainStatus": int32(1)}, "open", "rouse-site-renew.service failed"},
		"no timer":      {"rouse-site-renew.timer", unitState{"ActiveState": "inactive"}, "open", "systemctl start rouse-site-renew.timer"},
	} {
		t.Run(name, func(t *testing.T) {
			u, states := asleepSite()
			for property, value := range test.state {
				states[test.unit][property] = value
			}
			got := systemd{}.stateOf(u, states)
			if got.Sockets != test.sockets || !strings.Contains(got.Trouble, test.want) || strings.Contains(got.Trouble, "\n") || got.Awake {
				t.Errorf("got %+v, want %s and %q", got, test.sockets, test.want)
			}
		})
	}
}

// A socket does not open while its service runs, so that is stopped first; and a user's units are the user's systemd's.
func TestTroubleOfAUserWhileAwake(t *testing.T) {
	u, states := asleepSite()
	states[u.Service]["ActiveState"] = "active"
	states["rouse-site-http.socket"]["ActiveState"] = "inactive"
	want := "rouse-site-http.socket is stopped: systemctl --user stop rouse-site.service && systemctl --user start rouse-site-http.socket"
	if got := (systemd{user: true}).stateOf(u, states); got.Trouble != want {
		t.Errorf("got %q, want %q", got.Trouble, want)
	}
}

func TestStateOfSockets(t *testing.T) {
	for want, states := range map[string][2]string{
		"open": {"active", "active"}, "half open": {"active", "failed"}, "closed": {"inactive", "inactive"}, "failed": {"inactive", "failed"},
	} {
		u, units := asleepSite()
		units[u.Sockets[0]]["ActiveState"], units[u.Sockets[1]]["ActiveState"] = states[0], states[1]
		if got := (systemd{}).stateOf(u, units); got.Sockets != want {
			t.Errorf("%v: got %q, want %q", states, got.Sockets, want)
		}
	}
}

func TestStateOfTheDispatcher(t *testing.T) {
	u := Units{Service: "rouse-front.service", Boot: true}
	states := map[string]unitState{u.Service: {"LoadState": "loaded", "ActiveState": "inactive", "UnitFileState": "enabled"}}
	want := "rouse-front.service does not run: systemctl start rouse-front.service"
	if got := (systemd{}).stateOf(u, states); got.Sockets != "" || got.Trouble != want {
		t.Errorf("got %+v, want %q", got, want)
	}
}
