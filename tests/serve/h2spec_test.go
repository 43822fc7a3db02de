package serve

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// exception is a test of h2spec that net/http cannot pass, named by its section and its number there.
type exception struct {
	id    string
	only  string // https or http; empty: both
	races bool   // it passes now and then
	cause string
}

func exceptions() []exception {
	return []exception{
		{"http2/3.5/2", "http", false, "on a port in plain text, what does not begin as HTTP/2 is HTTP/1.1, and a request of that which cannot be read gets 400"},
		{"http2/6.5.3/1", "", false, "golang.org/x/net/http2 takes a setting that stands twice in one frame for an attack (SettingsFrame.HasDuplicates), and ends the connection"},
		{"http2/8.1.2.2/1", "", false, "a request with a connection-specific field is answered with 400, as RFC 9113 §8.1.1 allows, and not with a stream error"},
		{"http2/8.1.2.2/2", "", false, "likewise for a TE other than trailers"},
		{"http2/8.1.2.6/1", "", true, "POST is answered with 405 without waiting for its body, at times before the DATA that contradicts content-length came"},
		{"http2/8.1.2.6/2", "", true, "likewise, with several DATA frames"},
	}
}

// Without this a client that goes to the edges of HTTP/2 could find a server that goes another way than the standard.
func TestH2spec(t *testing.T) {
	t.Parallel()
	tool := h2spec(t)
	a := newActivator(t)
	// So long that the windows which h2spec grants are used up, for what it does while a reply is being sent.
	a.write("index.html", strings.Repeat("x", 1<<20))
	a.start()
	for role, args := range map[string][]string{
		"https": {"--tls", "--insecure", "--port", portOf(t, a.https)},
		"http":  {"--port", portOf(t, a.http)},
	} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			failed := runH2spec(t, tool, args)
			for _, e := range exceptions() {
				if e.only != "" && e.only != role {
					continue
				}
				if _, ok := failed[e.id]; !ok && !e.races {
					t.Errorf("%s passes now: take it out of the list", e.id)
				}
				delete(failed, e.id)
			}
			for id, what := range failed {
				t.Errorf("%s fails: %s", id, what)
			}
		})
	}
}

// h2spec finds the program.
func h2spec(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("ROUSE_H2SPEC"); path != "" {
		return path
	}
	path, err := exec.LookPath("h2spec")
	if err != nil {
		t.Skip("no h2spec: neither ROUSE_H2SPEC (tests/setup.sh) nor PATH has it")
	}
	return path
}

// runH2spec returns what failed: the test's id, what it does, and what was expected and seen.
func runH2spec(t *testing.T, tool string, args []string) map[string]string {
	t.Helper()
	report := filepath.Join(t.TempDir(), "report.xml")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	args = append(args, "--host", "127.0.0.1", "--junit-report", report, "generic", "http2", "hpack")
	out, err := exec.CommandContext(ctx, tool, args...).CombinedOutput()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || ctx.Err() != nil) {
		t.Fatalf("run h2spec: %v", err)
	}
	text, err := os.ReadFile(report)
	if err != nil {
		t.Fatalf("%v; h2spec said:\n%s", err, out)
	}
	var suites struct {
		Suites []struct {
			ID    string `xml:"package,attr"`
			Cases []struct {
				Name  string  `xml:"classname,attr"`
				Error *string `xml:"error"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal(text, &suites); err != nil {
		t.Fatal(err)
	}
	failed, count := map[string]string{}, 0
	for _, suite := range suites.Suites {
		for i, one := range suite.Cases {
			count++
			if one.Error != nil {
				failed[fmt.Sprintf("%s/%d", suite.ID, i+1)] = one.Name + ": " + strings.ReplaceAll(*one.Error, "\n", " / ")
			}
		}
	}
	if count < 140 {
		t.Errorf("h2spec ran %d tests, and has 145", count)
	}
	return failed
}
