package http2

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Without this a client that goes to the edges of HTTP/2 could find a server that goes another way than the standard. There are
// no exceptions.
func TestH2spec(t *testing.T) {
	t.Parallel()
	tool := os.Getenv("ROUSE_H2SPEC")
	if tool == "" {
		path, err := exec.LookPath("h2spec")
		if err != nil {
			t.Skip("no h2spec: neither ROUSE_H2SPEC (tests/setup.sh) nor PATH has it")
		}
		tool = path
	}
	body := []byte(strings.Repeat("x", 1<<20)) // so long that windows are used up
	for name, o := range map[string]Options{
		"handler": handled(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				http.Error(w, "no", http.StatusMethodNotAllowed)
				return
			}
			w.Write(body)
		}),
		"repeat": repeating(t, body),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			host, port, err := net.SplitHostPort(listen(t, o))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			out, err := exec.CommandContext(ctx, tool, "--host", host, "--port", port, "--strict", "generic", "http2", "hpack").CombinedOutput()
			if text := string(out); err != nil || !strings.Contains(text, " 0 skipped, 0 failed") {
				t.Errorf("%v; h2spec said:\n%s", err, text)
			}
		})
	}
}
