package systemd

import (
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// Without this a changed file of options would need a restart, or a mistake in it would cost the site. What holds only
// from a restart on is said.
func TestReloadTakesUpTheFileOfOptions(t *testing.T) {
	needsSystemd(t)
	since := time.Now()
	const path = "/etc/rouse/rouse.toml"
	t.Cleanup(func() { os.Remove(path) })
	write := func(edition, general string) {
		text := "[general]\n" + general + "[[advanced.headers]]\nsource = \"**\"\nheaders = { X-Edition = \"" + edition + "\" }\n"
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("first", "")
	client := program.Client(t, shipped(t, "[Service]\nEnvironment=SERVER_CONFIG_FILE="+path+"\n")).HTTP2
	if got := edition(t, client); got != "first" {
		t.Fatalf("before the reload: edition %q", got)
	}
	pid := mainPID(t)

	write("second", "keepalive-timeout = \"42s\"\n")
	run(t, "systemctl", "reload", "rouse.service")
	waitFor(t, "the second edition", func() bool { return edition(t, client) == "second" })
	waitSaid(t, since, "5", "keepalive-timeout", "42s", "next restart")
	waitState(t, "rouse.service", "active") // READY=1 after RELOADING=1

	write("third", "log-level = \"loud\"\n")
	run(t, "systemctl", "reload", "rouse.service")
	waitSaid(t, since, "3", "the old ones are kept", path, "loud")
	waitState(t, "rouse.service", "active")
	if got := edition(t, client); got != "second" {
		t.Errorf("after a broken file: edition %q", got)
	}
	if now := mainPID(t); now != pid {
		t.Errorf("the process is %d, and was %d", now, pid)
	}
}

// edition asks over the client's open connection, and returns the header that the file of options sets.
func edition(t *testing.T, client *http.Client) string {
	t.Helper()
	reply, err := client.Get(httpsURL)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	if body, err := io.ReadAll(reply.Body); err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("%s %q, %v", reply.Status, body, err)
	}
	return reply.Header.Get("X-Edition")
}

// waitSaid waits for a line of rouse.service in the journal with this priority and all the words.
func waitSaid(t *testing.T, since time.Time, priority string, words ...string) {
	t.Helper()
	waitSaidBy(t, "rouse.service", since, priority, words...)
}

func waitSaidBy(t *testing.T, unit string, since time.Time, priority string, words ...string) {
	t.Helper()
	waitFor(t, "a line with "+strings.Join(words, ", "), func() bool {
		return slices.ContainsFunc(journalLines(t, unit, since), func(l line) bool {
			missing := func(word string) bool { return !strings.Contains(l.Message, word) }
			return l.Priority == priority && !slices.ContainsFunc(words, missing)
		})
	})
}
