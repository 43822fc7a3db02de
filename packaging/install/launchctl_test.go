package install

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestOpenLoadsAJob(t *testing.T) {
	l := standIn(t, true, notThere(), answer{call: "print-disabled gui/501"}, answer{call: "bootstrap gui/501 /x/io.github.rouse-server.rouse.blog.plist"},
		answer{call: "print gui/501/io.github.rouse-server.rouse.blog.renew", status: 113}, answer{call: "print-disabled gui/501"},
		answer{call: "bootstrap gui/501 /x/io.github.rouse-server.rouse.blog.renew.plist"})
	u := Units{Service: "/x/io.github.rouse-server.rouse.blog.plist", Timers: []string{"/x/io.github.rouse-server.rouse.blog.renew.plist"}}
	if err := l.Open(t.Context(), u, []string{u.Service}); err != nil {
		t.Error(err)
	}
}

func TestOpenLeavesAJobThatIsTheSame(t *testing.T) {
	u := Units{Service: "/x/io.github.rouse-server.rouse.blog.plist"}
	if err := standIn(t, true, running(u.Service, 0), answer{call: "print-disabled gui/501"}).Open(t.Context(), u, nil); err != nil {
		t.Error(err)
	}
}

// launchctl does not wait for the end of a job, and launchd refuses the next one of its name until then.
func TestOpenAgainWaitsForTheEndOfTheJobBefore(t *testing.T) {
	l := standIn(t, true)
	u := writeJob(t, l, nil)
	bootstrap := answer{call: "bootstrap gui/501 " + u.Service}
	failed := bootstrap
	failed.status, failed.err = 5, "Bootstrap failed: 5: Input/output error\nTry re-running the command as root for richer errors.\n"
	folders := l.folders
	l = standIn(t, true, running(u.Service, 7), answer{call: "bootout " + blogTarget, status: 36, err: "Boot-out failed: 36: Operation now in progress\n"},
		running(u.Service, 7), running(u.Service, 7), notThere(), answer{call: "print-disabled gui/501"}, failed, notThere(), failed, running(u.Service, 0), bootstrap)
	l.folders = folders
	if err := l.Open(t.Context(), u, []string{u.Service}); err != nil {
		t.Error(err)
	}
}

// Where somebody said "launchctl disable", an installation means that to be over; elsewhere launchd is not told, since it
// would remember the label for ever.
func TestOpenEnablesAJobThatWasDisabled(t *testing.T) {
	for _, said := range []string{"disabled", "true"} {
		l := standIn(t, true, notThere(),
			answer{call: "print-disabled gui/501", out: "disabled services = {\n\t\"com.apple.x\" => disabled\n\t\"io.github.rouse-server.rouse.blog\" => " + said + "\n}\n"},
			answer{call: "enable " + blogTarget}, answer{call: "bootstrap gui/501 /x/io.github.rouse-server.rouse.blog.plist"})
		if err := l.Open(t.Context(), Units{Service: "/x/io.github.rouse-server.rouse.blog.plist"}, nil); err != nil {
			t.Error(err)
		}
	}
}

func TestCloseEndsAllJobs(t *testing.T) {
	gone := notThere()
	renewGone := gone
	renewGone.call += ".renew"
	l := standIn(t, true, answer{call: "bootout " + blogTarget + ".renew", status: 3, err: "Boot-out failed: 3: No such process\n"}, renewGone,
		answer{call: "bootout " + blogTarget}, gone)
	u := Units{Service: "/x/io.github.rouse-server.rouse.blog.plist", Timers: []string{"/x/io.github.rouse-server.rouse.blog.renew.plist"}}
	if err := l.Close(t.Context(), u); err != nil {
		t.Error(err)
	}
}

func TestCloseTellsWhatStays(t *testing.T) {
	u := Units{Service: "/x/io.github.rouse-server.rouse.blog.plist"}
	l := standIn(t, true, answer{call: "bootout " + blogTarget, status: 1, err: "Boot-out failed: 1: Operation not permitted\n"}, running(u.Service, 7))
	err := l.Close(t.Context(), u)
	if problem, ok := errors.AsType[Problem](err); !ok || !problem.Refused {
		t.Errorf("%v, want one about rights", err)
	}
	l = standIn(t, true, answer{call: "bootout " + blogTarget}, running(u.Service, 7))
	l.ending, l.pause = 0, time.Hour
	if err := l.Close(t.Context(), u); err == nil || !strings.Contains(err.Error(), "launchd still has io.github.rouse-server.rouse.blog") {
		t.Error(err)
	}
}

// Ctrl-C ends the waiting at once.
func TestWaitingEndsWithItsContext(t *testing.T) {
	l := standIn(t, true)
	l.pause = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	err := l.until(ctx, time.Hour, func() (bool, error) { cancel(); return false, nil })
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestRestartTellsAServiceThatRuns(t *testing.T) {
	u := Units{Service: "/x/io.github.rouse-server.rouse.blog.plist"}
	hup := answer{call: "kill SIGHUP " + blogTarget}
	gone := hup
	gone.status, gone.err = 3, "Could not signal service: 3: No such process"
	for _, answers := range [][]answer{{running(u.Service, 7), hup}, {running(u.Service, 7), gone}, {running(u.Service, 0)}, {notThere()}} {
		if err := standIn(t, true, answers...).Restart(t.Context(), u); err != nil {
			t.Error(err)
		}
	}
}

func TestReady(t *testing.T) {
	ready := func(l *launchd, want string) {
		t.Helper()
		err := l.Ready(t.Context())
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	asked := func(user bool, a answer) *launchd {
		l := standIn(t, user, a)
		l.uid = 501
		return l
	}
	ready(asked(true, answer{call: "print gui/501"}), "")
	ready(asked(false, answer{call: "print system"}), "")
	ready(asked(true, answer{call: "print gui/501", status: 112, err: "Bad request.\nCould not find domain for user gui: 501\n"}), "not logged in")
	ready(newLaunchd(true, 0, "launchctl").(*launchd), "root has no session")
	ready(newLaunchd(false, 0, "/nowhere/launchctl").(*launchd), "/nowhere/launchctl is not there")
}
