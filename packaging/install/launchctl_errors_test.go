package install

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestErrorsOfBootstrapAreExplained(t *testing.T) {
	const io = "Bootstrap failed: 5: Input/output error\nTry re-running the command as root for richer errors.\n"
	for want, c := range map[string]struct {
		change func(t *testing.T, file string) // after the job was written
		status int
		said   string
		looks  bool // asks whether it is there already
		loaded string
	}{
		"ProgramArguments[0] \"rouse\" is not an absolute path": {status: 5, said: io, looks: true, change: func(t *testing.T, file string) { replaceIn(t, file, testProgram(t), "rouse") }},
		"the program cannot be started: stat /nowhere/rouse":    {status: 5, said: io, looks: true, change: func(t *testing.T, file string) { replaceIn(t, file, testProgram(t), "/nowhere/rouse") }},
		"cannot be executed: chmod +x":                          {status: 5, said: io, looks: true, change: func(t *testing.T, file string) { replaceIn(t, file, testProgram(t), file) }},
		"the log's folder /nowhere is not there: mkdir":         {status: 5, said: io, looks: true, change: func(t *testing.T, file string) { replaceIn(t, file, filepath.Dir(file)+"/log", "/nowhere/log") }},
		"chmod 644":              {status: 122, said: "Bootstrap failed: 122: Path had bad ownership/permissions", looks: true, change: func(t *testing.T, file string) { change(t, os.Chmod(file, 0o666)) }},
		"is not a property list": {status: 5, said: io, looks: true, change: func(t *testing.T, file string) { change(t, os.WriteFile(file, []byte("<plist>"), 0o644)) }},
		"no such file":           {status: 5, said: io, looks: true, change: func(t *testing.T, file string) { change(t, os.Remove(file)) }},
		"from /Users/me/other.plist: launchctl bootout " + blogTarget: {status: 5, said: io, looks: true, loaded: "/Users/me/other.plist"},
		"not logged in at this Mac's screen":                          {status: 125, said: "Bootstrap failed: 125: Domain does not support specified action"},
		"it needs root":                                               {status: 1, said: "Bootstrap failed: 1: Operation not permitted"},
		"Login Items":                                                 {status: 119, said: "Bootstrap failed: 119: Service is disabled"},
		"launchd does not say why":                                    {status: 5, said: io, looks: true},
		"Bootstrap failed: 140: Service name is reserved or invalid":  {status: 140, said: "Bootstrap failed: 140: Service name is reserved or invalid\n", looks: true},
	} {
		t.Run(want, func(t *testing.T) {
			l := standIn(t, true)
			u := writeJob(t, l, nil)
			if c.change != nil {
				c.change(t, u.Service)
			}
			calls := []answer{notThere(), {call: "print-disabled gui/501"}, {call: "bootstrap gui/501 " + u.Service, status: c.status, err: c.said}}
			switch {
			case c.loaded != "":
				calls = append(calls, running(c.loaded, 0))
			case c.looks:
				calls = append(calls, notThere())
			}
			l = standIn(t, true, calls...)
			l.busy = 0
			err := l.Open(t.Context(), u, nil)
			if err == nil || !strings.Contains(as501(err.Error()), want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v, want a line with %q", err, want)
			}
			if _, ok := errors.AsType[Problem](err); ok == (c.looks && c.change == nil && c.loaded == "") {
				t.Errorf("%v: a Problem: %v", err, ok)
			}
		})
	}
}

func testProgram(t *testing.T) string {
	t.Helper()
	program, err := os.Executable()
	change(t, err)
	return program
}

func change(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func replaceIn(t *testing.T, file, before, after string) {
	t.Helper()
	text, err := os.ReadFile(file)
	change(t, err)
	change(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), before, after)), 0o644))
}
