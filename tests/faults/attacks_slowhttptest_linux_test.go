package faults

import (
	"context"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The tool that people try their servers with: it must find that rouse goes on answering.
func TestSlowHTTPTest(t *testing.T) {
	path, err := exec.LookPath("slowhttptest")
	if err != nil {
		t.Skip("no slowhttptest: tests/setup.sh installs it")
	}
	for _, mode := range []struct{ name, tried, option, at string }{
		{"slowhttptest -H", "slow heads", "-H", "/"},
		{"slowhttptest -B", "slow bodies", "-B", "/"},
		{"slowhttptest -R", "many ranges", "-R", "/large.bin"},
		{"slowhttptest -X", "slow reads", "-X", "/large.bin"},
	} {
		t.Run(mode.option, func(t *testing.T) {
			t.Parallel()
			clients, seconds := "200", "5"
			if isLong() {
				clients, seconds = "5000", "60"
			}
			v := newVictim(t, limits()...)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			out, err := exec.CommandContext(ctx, path, mode.option, "-c", clients, "-r", clients, "-l", seconds, "-i", "1", "-p", "3",
				"-u", "http://"+v.http+mode.at).CombinedOutput()
			text := regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`).ReplaceAllString(string(out), "")
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			available := regexp.MustCompile(`service available:\s*(\w+)`).FindAllStringSubmatch(text, -1)
			end := regexp.MustCompile(`(?i)exit status:\s*(.+)`).FindStringSubmatch(text)
			if len(available) == 0 || end == nil {
				t.Fatalf("it gives no verdict:\n%s", text)
			}
			for _, verdict := range available {
				if verdict[1] != "YES" {
					t.Fatalf("it finds the service not available:\n%s", text)
				}
			}
			tell(t, row{"attack", mode.name, clients + " clients: " + mode.tried, "",
				"service available: YES, all the time; " + strings.TrimSpace(end[1])})
		})
	}
}
