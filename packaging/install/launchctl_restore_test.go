package install

import "testing"

const blogJob = "/x/io.github.rouse-server.rouse.blog.plist"

func TestStandingOfJobs(t *testing.T) {
	off := answer{call: "print-disabled gui/501", out: "disabled services = {\n\t\"io.github.rouse-server.rouse.blog\" => disabled\n}\n"}
	for _, c := range []struct {
		answers []answer
		want    Standing
	}{
		{[]answer{running(blogJob, 0), {call: "print-disabled gui/501"}}, Standing{Enabled: true, Active: true}},
		{[]answer{notThere(), off}, Standing{}},
	} {
		got, err := standIn(t, true, c.answers...).Standing(t.Context(), Units{Service: blogJob})
		if err != nil || len(got) != 1 || got[blogJob] != c.want {
			t.Errorf("%+v, %v, want %+v", got, err, c.want)
		}
	}
}

// A job that launchd did not have, or that was disabled, is so again.
func TestRestoreJobs(t *testing.T) {
	listed, bootstrap, bootout := answer{call: "print-disabled gui/501"}, answer{call: "bootstrap gui/501 " + blogJob}, answer{call: "bootout " + blogTarget}
	for _, c := range []struct {
		before  Standing
		changed []string
		answers []answer
	}{
		{Standing{Enabled: true, Active: true}, nil, []answer{running(blogJob, 0), listed}},
		{Standing{Enabled: true, Active: true}, nil, []answer{notThere(), listed, bootstrap}},
		{Standing{Enabled: true, Active: true}, []string{blogJob}, []answer{running(blogJob, 0), bootout, notThere(), listed, bootstrap}},
		{Standing{Enabled: true}, nil, []answer{bootout, notThere()}},
		{Standing{}, nil, []answer{bootout, notThere(), {call: "disable " + blogTarget}}},
	} {
		l := standIn(t, true, c.answers...)
		if err := l.Restore(t.Context(), Units{Service: blogJob}, map[string]Standing{blogJob: c.before}, c.changed); err != nil {
			t.Errorf("%+v: %v", c.before, err)
		}
	}
}
