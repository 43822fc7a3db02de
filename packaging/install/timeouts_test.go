package install

import (
	"testing"
	"time"
)

// A service that takes the time that its options give it must not be killed meanwhile.
func TestStopLimit(t *testing.T) {
	for _, c := range []struct {
		command string
		options []Variable
		want    string
	}{
		{"serve", nil, "20s"}, {"run", nil, "20s"}, {"inetd", nil, "20s"}, {"dispatch", nil, "20s"},
		{"serve", []Variable{{"SERVER_DRAIN_TIMEOUT", "1h"}, {"SERVER_GRACE_PERIOD", "30"}}, "3640s"},
		{"serve", []Variable{{"SERVER_DRAIN_TIMEOUT", "1s"}}, "20s"}, {"serve", []Variable{{"SERVER_GRACE_PERIOD", "255"}}, "275s"},
		{"serve", []Variable{{"ROUSE_RUN_STOP_TIMEOUT", "1h"}}, "20s"}, {"run", []Variable{{"ROUSE_RUN_STOP_TIMEOUT", "5min"}}, "310s"},
		{"run", []Variable{{"ROUSE_RUN_STOP_TIMEOUT", "10500ms"}}, "21s"}, {"run", []Variable{{"ROUSE_RUN_STOP_TIMEOUT", "0"}}, "20s"},
		{"run", []Variable{{"ROUSE_RUN_STOP_TIMEOUT", "1h"}, {"ROUSE_RUN_STOP_TIMEOUT", "1m"}}, "70s"},
		{"inetd", []Variable{{"ROUSE_INETD_GRACE_PERIOD", "90"}}, "100s"}, {"dispatch", []Variable{{"ROUSE_DISPATCH_GRACE_PERIOD", "1m"}}, "70s"},
		{"run", []Variable{{"ROUSE_RUN_STOP_TIMEOUT", "nonsense"}}, "20s"}, {"run", []Variable{{"ROUSE_RUN_STOP_TIMEOUT", "2562047h"}}, "315360010s"},
	} {
		site := Site{Name: "late", Command: c.command, Program: "/usr/bin/rouse", Variables: c.options, Certificate: &Certificate{}, Sockets: []Socket{{Name: "https", Listen: []string{"8443"}}}}
		if got := seconds(site.stopLimit()); got != c.want {
			t.Errorf("%s with %v: %s, want %s", c.command, c.options, got, c.want)
		}
		for _, user := range []bool{false, true} {
			plan, err := systemdPlan(site, linux(user))
			if err != nil {
				t.Fatal(err)
			}
			areSet(t, textOf(t, plan, "rouse-late.service"), map[string][]string{"TimeoutStopSec": {c.want}})
			areSet(t, textOf(t, plan, "rouse-late-renew.service"), map[string][]string{"TimeoutStartSec": {seconds(site.stopLimit() + 100*time.Second)}})
		}
		sys := linux(false)
		sys.OS = "darwin"
		if j, err := siteJob(site, sys); err != nil || (time.Duration(j.ExitTimeOut)*time.Second-site.stopLimit()).Abs() >= time.Second {
			t.Errorf("%s with %v: launchd waits %d s, %v", c.command, c.options, j.ExitTimeOut, err)
		}
	}
}
