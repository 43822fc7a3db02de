package install

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"syscall"

	"howett.net/plist"
)

// explain tells why launchd does not take a job, by looking for what may be the cause: launchctl says "5: Input/output error"
// for nearly everything. Nil: nothing is wrong that can be seen, and a moment later it may well take it.
func (l *launchd) explain(ctx context.Context, file string, failed error) error {
	switch exitCode(failed) {
	case launchdNotPermitted, launchdNoDomain, launchdUnsupported, launchdNotInSession, launchdDisabled, -1:
		return l.refused(failed)
	}
	if told, loaded, err := l.print(ctx, l.target(file)); err == nil && loaded {
		if path := parsePrint(told).path; path == file {
			return nil // it is about to end, or another launchctl has brought it in
		} else {
			return Problem{Text: fmt.Sprintf("%v: launchd has a job %s already, from %s: launchctl bootout %s", failed, jobLabel(file), cmp.Or(path, "elsewhere"), l.target(file))}
		}
	}
	if cause := l.look(file); cause != nil {
		return Problem{Text: fmt.Sprintf("%v: %v", failed, cause)}
	}
	switch exitCode(failed) {
	case launchdFailed, launchdInProgress, launchdAlready:
		return nil
	}
	return failed
}

// refused explains the errors that say themselves what is wrong.
func (l *launchd) refused(failed error) error {
	switch exitCode(failed) {
	case launchdNotPermitted:
		return Problem{Text: fmt.Sprintf("%v: it needs root: sudo, or --user", failed), Refused: true}
	case launchdNoDomain, launchdUnsupported, launchdNotInSession:
		if l.user {
			return l.noSession()
		}
	case launchdDisabled:
		return Problem{Text: fmt.Sprintf("%v: it was disabled, by launchctl or in System Settings, General, Login Items: allow it there", failed)}
	}
	return failed
}

// look looks at a property list as launchd does, and at what it names.
func (l *launchd) look(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := CheckPropertyList(file, text); err != nil {
		return err
	}
	if err := l.lookAtOwner(file); err != nil {
		return err
	}
	var j job
	if _, err := plist.Unmarshal(text, &j); err != nil {
		return err
	}
	program := j.ProgramArguments[0]
	if info, err := os.Stat(program); err != nil {
		return fmt.Errorf("the program cannot be started: %w", err)
	} else if info.IsDir() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("the program %s cannot be executed: chmod +x %s", program, shellWord(program))
	}
	if folder := filepath.Dir(j.StandardErrorPath); j.StandardErrorPath != "" {
		if info, err := os.Stat(folder); err != nil || !info.IsDir() {
			return fmt.Errorf("the log's folder %s is not there: mkdir -p %s", folder, shellWord(folder))
		}
	}
	if j.UserName != "" {
		if _, err := user.Lookup(j.UserName); err != nil {
			return fmt.Errorf("the user that it is to run as: %w", err)
		}
	}
	return nil
}

// lookAtOwner checks that nobody but the domain's owner can change what launchd starts; otherwise it takes no file.
func (l *launchd) lookAtOwner(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if info.Mode()&0o022 != 0 {
		return fmt.Errorf("others may write to it, so launchd does not take it: chmod 644 %s", shellWord(file))
	}
	want, name := 0, "root:wheel"
	if l.user {
		want, name = l.uid, fmt.Sprint(l.uid)
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 && int(stat.Uid) != want {
		return fmt.Errorf("it belongs to user %d, so launchd does not take it: sudo chown %s %s", stat.Uid, name, shellWord(file))
	}
	return nil
}
