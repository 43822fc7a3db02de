package packaging

import (
	"regexp"
	"strings"
	"testing"
)

// TestEnvironmentFile holds rouse.env to the lines that systemd.exec(5) reads as we mean them under EnvironmentFile=:
// empty, a comment, or NAME=VALUE, which a # in front turns into the value that holds by default. No value has a character
// that a shell sees more in, or would split at: people source such files too.
func TestEnvironmentFile(t *testing.T) {
	line := regexp.MustCompile(`^(#?)(SERVER_[A-Z0-9_]+)=([A-Za-z0-9_./:,%+@-]*)$`)
	seen := map[string]bool{}
	for number, text := range strings.Split(read(t, "systemd/rouse.env"), "\n") {
		if text == "" || strings.HasPrefix(text, "# ") {
			continue
		}
		match := line.FindStringSubmatch(text)
		if match == nil {
			t.Errorf("line %d is neither a comment nor SERVER_NAME=VALUE: %q", number+1, text)
			continue
		}
		commented, name, value := match[1] == "#", match[2], match[3]
		if seen[name] {
			t.Errorf("line %d: %s stands there twice", number+1, name)
		}
		seen[name] = true
		// A variable that is set to nothing counts as set, and would empty the option.
		if !commented && value == "" {
			t.Errorf("line %d: %s is set to nothing", number+1, name)
		}
	}
	for _, name := range []string{"SERVER_ROOT", "SERVER_LOG_LEVEL", "SERVER_IDLE_EXIT"} {
		if !seen[name] {
			t.Errorf("%s is missing", name)
		}
	}
}
