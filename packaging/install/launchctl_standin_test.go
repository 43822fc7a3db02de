package install

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// answer is what the stand-in for launchctl says to one call. The calls have to be these, in this order: what stands before
// the colon is how launchctl(1) documents them. That a real launchd does what is meant by them tests/launchd shows, on a Mac.
type answer struct {
	call   string
	out    string
	status int
	err    string
}

// standIn returns a launchd whose launchctl is testdata/launchctl, with these answers; the test fails where the calls were
// others.
func standIn(t *testing.T, user bool, answers ...answer) *launchd {
	t.Helper()
	folder := t.TempDir()
	t.Setenv("STAND_IN", folder)
	for i, a := range answers {
		for ending, text := range map[string]string{"out": a.out, "err": a.err, "status": strconv.Itoa(a.status)} {
			if err := os.WriteFile(filepath.Join(folder, fmt.Sprintf("%d.%s", i+1, ending)), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Cleanup(func() {
		for i := range len(answers) + 1 {
			text, err := os.ReadFile(filepath.Join(folder, fmt.Sprintf("%d.call", i+1)))
			got, want := as501(strings.ReplaceAll(strings.TrimSuffix(string(text), "\n"), "\n", " ")), ""
			if i < len(answers) {
				want = answers[i].call
			}
			if got != want {
				t.Errorf("call %d: launchctl %q (%v), want %q", i+1, got, err, want)
			}
		}
	})
	command, err := filepath.Abs("testdata/launchctl")
	if err != nil {
		t.Fatal(err)
	}
	l := newLaunchd(user, os.Getuid(), command).(*launchd)
	l.folders, l.pause = []string{t.TempDir()}, time.Millisecond
	return l
}

// as501 puts another user's id for that of whoever runs the test.
func as501(text string) string {
	return strings.ReplaceAll(text, fmt.Sprintf("gui/%d", os.Getuid()), "gui/501")
}

const blogTarget = "gui/501/io.github.rouse-server.rouse.blog"

// notThere and running are what launchctl says of a job, in the words of macOS 14.
func notThere() answer {
	return answer{call: "print " + blogTarget, status: 113, err: "Bad request.\nCould not find service \"io.github.rouse-server.rouse.blog\" in domain for user gui: 501\n"}
}

func running(file string, pid int) answer {
	state, line := "not running", ""
	if pid != 0 {
		state, line = "running", fmt.Sprintf("\tpid = %d\n", pid)
	}
	return answer{call: "print " + blogTarget, out: blogTarget + " = {\n\tactive count = 1\n\tpath = " + file + "\n\ttype = LaunchAgent\n\tstate = " + state + `

	program = /usr/local/bin/rouse
	arguments = {
		/usr/local/bin/rouse
		serve
	}

	environment = {
		SERVER_ROOT => /Users/Shared/blog
		XPC_SERVICE_NAME => io.github.rouse-server.rouse.blog
	}

	domain = gui/501 [100009]
	minimum runtime = 10
	exit timeout = 20
	runs = 3
` + line + `	last exit code = 0

	sockets = {
		"https" = {
			state = active
			pid = 1
		}
	}

	resource coalition = {
		ID = 870
		state = active
		last exit code = 9
	}
}
`}
}

// writeJob writes the job of a site into the stand-in's folder, where all that it names is there, and returns its units.
func writeJob(t *testing.T, l *launchd, change func(*job)) Units {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(l.folders[0], "io.github.rouse-server.rouse.blog.plist")
	j := job{Label: "io.github.rouse-server.rouse.blog", ProgramArguments: []string{program, "serve"}, ProcessType: "Interactive",
		Sockets:           map[string][]jobSocket{"https": {{SockNodeName: "127.0.0.1", SockServiceName: "8443"}}, "http": {{SockServiceName: "80"}}},
		StandardErrorPath: filepath.Join(l.folders[0], "log")}
	if change != nil {
		change(&j)
	}
	text, err := j.encode(file)
	if err == nil {
		err = os.WriteFile(file, text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	return Units{Service: file}
}
