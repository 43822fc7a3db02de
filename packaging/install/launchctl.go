package install

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// launchd speaks to launchd by launchctl(1).
type launchd struct {
	user    bool
	uid     int
	command string   // launchctl
	folders []string // where property lists of the domain lie; its own is the first one

	pause  time.Duration // between two looks whether something is done
	ending time.Duration // how long a job may take to end: its ExitTimeOut and some more
	busy   time.Duration // how long launchd may refuse a job for no reason that can be found
}

// newLaunchd returns the launchd of the whole Mac, or of the user who is logged in with that id. command is launchctl.
func newLaunchd(user bool, uid int, command string) Manager {
	l := &launchd{user: user, uid: uid, command: command, pause: 100 * time.Millisecond, ending: 30 * time.Second, busy: 5 * time.Second}
	l.folders = []string{"/Library/LaunchDaemons", "/System/Library/LaunchDaemons"}
	if home, err := os.UserHomeDir(); user && err == nil {
		l.folders = []string{filepath.Join(home, "Library/LaunchAgents"), "/Library/LaunchAgents", "/System/Library/LaunchAgents"}
	}
	return l
}

// domain is where the jobs are: the Mac's, or the user's session at its screen. The one called user/UID takes no agents.
func (l *launchd) domain() string {
	if l.user {
		return fmt.Sprintf("gui/%d", l.uid)
	}
	return "system"
}

// target is the job of a property list, which has the label as its name.
func (l *launchd) target(file string) string { return l.domain() + "/" + jobLabel(file) }

func jobLabel(file string) string { return strings.TrimSuffix(filepath.Base(file), ".plist") }

// jobs are the property lists of a site. Units that a site no longer has may come without their service.
func jobs(u Units) []string {
	return slices.DeleteFunc(append([]string{u.Service}, u.Timers...), func(file string) bool { return file == "" })
}

func (l *launchd) Ready(ctx context.Context) error {
	if l.user && l.uid == 0 {
		return Problem{Text: "root has no session that an agent could live in: leave sudo out, or --user", Usage: true}
	}
	_, found, err := l.print(ctx, l.domain())
	switch {
	case errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist):
		return Problem{Text: fmt.Sprintf("%s is not there, and only by that can launchd be asked", l.command)}
	case err != nil:
		return err
	case !found:
		return l.noSession()
	}
	return nil
}

func (l *launchd) noSession() error {
	return Problem{Text: fmt.Sprintf("user %d is not logged in at this Mac's screen, and launchd has agents in such a session only: "+
		"log in there, or install it for the whole Mac: sudo rouse install, without --user", l.uid)}
}

// Open has launchd take the jobs that it does not have yet, and again those whose files changed, which closes their sockets
// for a moment. That they lie in its folder brings them back at every boot, unless somebody disabled them.
func (l *launchd) Open(ctx context.Context, u Units, changed []string) error {
	for _, file := range jobs(u) {
		if err := l.load(ctx, file, slices.Contains(changed, file)); err != nil {
			return err
		}
	}
	return nil
}

func (l *launchd) load(ctx context.Context, file string, changed bool) error {
	_, loaded, err := l.print(ctx, l.target(file))
	if err != nil {
		return err
	}
	if loaded && !changed {
		return l.enable(ctx, file)
	}
	if loaded {
		if err := l.unload(ctx, file); err != nil {
			return err
		}
	}
	if err := l.enable(ctx, file); err != nil {
		return err
	}
	return l.bootstrap(ctx, file)
}

// enable undoes "launchctl disable". Where nobody said that, it does nothing: launchd would remember the label for ever.
func (l *launchd) enable(ctx context.Context, file string) error {
	if disabled, err := l.disabled(ctx, file); err != nil || !disabled {
		return nil // where it could not be told, bootstrap fails in its turn, and that is explained
	}
	_, err := l.call(ctx, "enable", l.target(file))
	return err
}

// disabled tells whether somebody said "launchctl disable".
func (l *launchd) disabled(ctx context.Context, file string) (bool, error) {
	listed, err := l.call(ctx, "print-disabled", l.domain())
	if err != nil {
		return false, err
	}
	for line := range strings.Lines(listed) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " => ")
		if ok && name == `"`+jobLabel(file)+`"` {
			return value == "disabled" || value == "true", nil
		}
	}
	return false, nil
}

// bootstrap has launchd take a job. Soon after the end of one of the same name it may refuse it with error 5, and take it
// a moment later (launchctl says no more about it).
func (l *launchd) bootstrap(ctx context.Context, file string) error {
	var failed error
	err := l.until(ctx, l.busy, func() (bool, error) {
		_, failed = l.call(ctx, "bootstrap", l.domain(), file)
		if failed == nil {
			return true, nil
		}
		reason := l.explain(ctx, file, failed)
		return reason != nil, reason
	})
	if errors.Is(err, errTooLong) {
		return fmt.Errorf("%w; launchd does not say why: look into the system's log (log show --last 5m --predicate 'process == \"launchd\"')", failed)
	}
	return err
}

// Close ends the jobs, and with the service its sockets.
func (l *launchd) Close(ctx context.Context, u Units) error {
	var errs []error
	for _, file := range slices.Backward(jobs(u)) {
		errs = append(errs, l.unload(ctx, file))
	}
	return errors.Join(errs...)
}

// unload ends a job and waits for that: launchctl does not, and says "Operation now in progress" where it takes its time.
func (l *launchd) unload(ctx context.Context, file string) error {
	_, failed := l.call(ctx, "bootout", l.target(file))
	if code := exitCode(failed); failed != nil && code != launchdInProgress && code != launchdNoProcess && code != launchdNoService {
		if _, loaded, err := l.print(ctx, l.target(file)); err != nil || loaded {
			return l.refused(failed)
		}
	}
	err := l.until(ctx, l.ending, func() (bool, error) {
		_, loaded, err := l.print(ctx, l.target(file))
		return !loaded, err
	})
	if errors.Is(err, errTooLong) {
		return fmt.Errorf("launchd still has %s after %v: see launchctl print %s", jobLabel(file), l.ending, l.target(file))
	}
	return err
}

// Forget has nothing to do: launchd keeps nothing of a job that ended.
func (l *launchd) Forget(context.Context, Units) error { return nil }

// Restart has a service that runs read its files again, by the signal for that: it closes no connection. For one that
// sleeps there is nothing to do.
func (l *launchd) Restart(ctx context.Context, u Units) error {
	told, loaded, err := l.print(ctx, l.target(u.Service))
	if err != nil || !loaded || parsePrint(told).pid == 0 {
		return err
	}
	_, err = l.call(ctx, "kill", "SIGHUP", l.target(u.Service))
	if exitCode(err) == launchdNoProcess { // it went to sleep meanwhile
		return nil
	}
	return err
}
