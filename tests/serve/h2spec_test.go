package serve

import (
	"bytes"
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

// invalidPreface is the test of h2spec (RFC 9113 §3.4) that a port in plain text does not pass, which has HTTP/1.1 too: what does not
// begin as HTTP/2 is HTTP/1.1 there, and a request of that which cannot be read gets 400.
const invalidPreface = "http2/3.5/2"

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
			if role == "http" {
				if _, ok := failed[invalidPreface]; !ok {
					t.Errorf("%s passes now", invalidPreface)
				}
				delete(failed, invalidPreface)
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
	args = append(args, "--host", "127.0.0.1", "--strict", "--junit-report", report, "generic", "http2", "hpack")
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
	text = bytes.ReplaceAll(text, []byte{0}, []byte("?")) // of what it saw, which need not be text
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
