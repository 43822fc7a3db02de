package install

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Exit statuses of launchctl, which are errno or launchd's own numbers ("launchctl error 113" tells what one means).
const (
	launchdNotPermitted = 1
	launchdNoProcess    = 3
	launchdFailed       = 5 // for whatever reason
	launchdInProgress   = 36
	launchdAlready      = 37
	launchdNoDomain     = 112
	launchdNoService    = 113
	launchdDisabled     = 119
	launchdBadOwner     = 122
	launchdUnsupported  = 125 // by the domain: nobody is logged in
	launchdNotInSession = 134
)

// launchctlFailure is a call of launchctl that failed.
type launchctlFailure struct {
	words []string
	code  int
	said  string
}

func (f launchctlFailure) Error() string {
	return fmt.Sprintf("launchctl %s: %s", strings.Join(f.words, " "), cmp.Or(f.said, fmt.Sprintf("exit status %d", f.code)))
}

// exitCode is the status with which launchctl failed; 0 for no error, and -1 for others.
func exitCode(err error) int {
	if failure, ok := errors.AsType[launchctlFailure](err); ok {
		return failure.code
	}
	if err != nil {
		return -1
	}
	return 0
}

// call runs launchctl and returns its output.
func (l *launchd) call(ctx context.Context, words ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, l.command, words...)
	command.Env = append(os.Environ(), "LC_ALL=C")
	command.WaitDelay = time.Second
	var said bytes.Buffer
	command.Stderr = &said
	output, err := command.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
		// "Try re-running the command as root for richer errors." is a second line, and not true any more.
		first, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n")
		return "", launchctlFailure{words, exit.ExitCode(), first}
	}
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return "", fmt.Errorf("launchctl %s: %w", strings.Join(words, " "), err)
	}
	return string(output), nil
}

// print returns what launchd tells of a job or a domain, and whether it has it.
func (l *launchd) print(ctx context.Context, target string) (told string, found bool, err error) {
	told, err = l.call(ctx, "print", target)
	switch exitCode(err) {
	case launchdNoProcess, launchdNoDomain, launchdNoService, launchdUnsupported:
		return "", false, nil
	}
	return told, err == nil, err
}

var errTooLong = errors.New("it took too long")

// until asks done again and again, until it is so, fails, or the time is up: then the error is errTooLong.
func (l *launchd) until(ctx context.Context, limit time.Duration, done func() (bool, error)) error {
	over := time.Now().Add(limit)
	next := time.NewTicker(l.pause)
	defer next.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		if time.Now().After(over) {
			return errTooLong
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-next.C:
		}
	}
}
