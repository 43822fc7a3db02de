package packages

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// try runs a command and returns all that it prints.
func try(t *testing.T, name string, arguments ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, arguments...).CombinedOutput()
	return string(out), err
}

// run runs a command, which must succeed.
func run(t *testing.T, name string, arguments ...string) string {
	t.Helper()
	out, err := try(t, name, arguments...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(arguments, " "), err, out)
	}
	return out
}

// contains checks that a text has these lines in it, but for blanks around them.
func contains(t *testing.T, what, text string, lines ...string) {
	t.Helper()
	have := map[string]bool{}
	for line := range strings.Lines(text) {
		have[strings.TrimSpace(line)] = true
	}
	for _, line := range lines {
		if !have[line] {
			t.Errorf("%s: no line %q in\n%s", what, line, text)
		}
	}
}
