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

// verifyUnits has `systemd-analyze verify` look at units of the machine or of the user, which lie in one folder at these
// paths, and returns what it says of them, in one line. It says nothing of good ones. Where it is not installed, that is an
// error (exec.ErrNotFound).
func verifyUnits(ctx context.Context, paths []string, user bool) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	arguments := []string{"verify", "--man=no"}
	environment := []string{"LC_ALL=C.UTF-8", "SYSTEMD_COLORS=0", "SYSTEMD_LOG_LEVEL=warning"}
	if user {
		runtime, err := os.MkdirTemp("", "rouse-verify-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(runtime)
		arguments = append(arguments, "--user")
		environment = append(environment, "XDG_RUNTIME_DIR="+runtime) // it makes folders there
	}
	command := exec.CommandContext(ctx, "systemd-analyze", append(arguments, paths...)...)
	command.WaitDelay = 5 * time.Second
	command.Env = append(command.Environ(), environment...)
	output, err := command.CombinedOutput()
	if said := aboutUnits(string(output), paths); len(said) > 0 {
		return fmt.Errorf("systemd-analyze verify: %s", strings.Join(said, "; "))
	}
	if _, exited := errors.AsType[*exec.ExitError](err); exited {
		return fmt.Errorf("systemd-analyze verify: %w: %s", err, strings.ReplaceAll(strings.TrimSpace(string(output)), "\n", "; "))
	}
	if err != nil {
		return fmt.Errorf("systemd-analyze verify: %w", err)
	}
	return nil
}

// aboutUnits leaves out what is said of others: units that ours depend on, which are the machine's. An option that systemd does
// not know is only a warning to it, with exit status 0.
func aboutUnits(output string, paths []string) []string {
	var lines []string
	for line := range strings.Lines(output) {
		line = strings.TrimSpace(line)
		if line != "" && slices.ContainsFunc(paths, func(path string) bool { return strings.Contains(line, filepath.Base(path)) }) {
			lines = append(lines, line)
		}
	}
	return lines
}
