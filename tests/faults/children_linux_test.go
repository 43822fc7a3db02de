package faults

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// tellSelf is a script that writes what its process has into a file, as a whole.
const tellSelf = `grep -E '^(Cap...|NoNewPrivs|Seccomp|Sig(Pnd|Blk|Ign|Cgt)|ShdPnd|Umask|Groups|[UG]id):' /proc/self/status > "$0.new"
cat /proc/self/limits >> "$0.new"; i=3
while [ $i -lt 100 ]; do [ ! -e /proc/$$/fd/$i ] || echo open $i $(readlink /proc/$$/fd/$i) >> "$0.new"; i=$((i+1)); done
env | grep -E '^(LISTEN_|NOTIFY_|WATCHDOG_|ROUSE_|SERVER_)' >> "$0.new"; mv "$0.new" "$0"`

// A program that Rouse starts for its clients has what it would have without Rouse, and nothing that is Rouse's own: limits that
// the Go runtime raised, signals that it handles or blocks, rights, descriptors, variables.
func TestChildrenHaveWhatTheyWouldHave(t *testing.T) {
	through := []string{"prlimit", "--nofile=100:200", "--core=0:0", "--", "sh", "-c", `umask 027; exec "$@"`, "sh"}
	direct := filepath.Join(t.TempDir(), "direct")
	program.Start(t, program.Run{Binary: "/bin/sh", Through: through, Args: []string{"-c", tellSelf, direct}}).Wait(rightsLimit)
	want := toldIn(t, direct)
	if !slices.ContainsFunc(want, func(line string) bool {
		return strings.HasPrefix(line, "Max open files") && strings.Contains(line, " 100 ")
	}) {
		t.Fatalf("the limits are not as set: %q", want)
	}
	for _, command := range []string{"inetd", "run"} {
		t.Run(command, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "told")
			listener, address := program.Listener(t)
			secret, err := os.Open("/dev/zero") // inherited, and nobody's business
			if err != nil {
				t.Fatal(err)
			}
			defer secret.Close()
			args := []string{command, "--", "/bin/sh", "-c", tellSelf, file}
			if command == "run" {
				args = []string{command, "--no-new-privs=no", "--", "/bin/sh", "-c", tellSelf + "; exec sleep 60", file}
			}
			run := program.Run{Through: through, Args: args, Files: []*os.File{listener}, Listen: true,
				Env: []string{"NOTIFY_SOCKET=/nowhere", "WATCHDOG_USEC=60000000", "WATCHDOG_PID=1"}}
			if command == "inetd" {
				run.Files, run.Listen = []*os.File{listener, secret}, false
				run.Args = append([]string{command, "--listen=fd:3"}, args[1:]...)
			}
			program.Start(t, run)
			c, err := net.DialTimeout("tcp", address, rightsLimit)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			got := toldIn(t, file)
			for _, line := range slices.Concat(got, want) {
				// What run needs to see a bind(2) is a filter, and by default no_new_privs where it may not set one otherwise.
				wanted := strings.HasPrefix(line, "Seccomp") || command == "run" && strings.HasPrefix(line, "NoNewPrivs")
				if !wanted && slices.Contains(got, line) != slices.Contains(want, line) {
					t.Errorf("under rouse %v, without it %v: %s", slices.Contains(got, line), slices.Contains(want, line), line)
				}
			}
		})
	}
	tell(t, row{Kind: "rights", What: "what a child has", Tried: "rights, limits, signals, umask, descriptors and variables, under run and inetd", Rouse: "the same as without Rouse"})
}

// toldIn waits for the file, and returns its lines.
func toldIn(t *testing.T, path string) []string {
	t.Helper()
	for deadline := time.Now().Add(rightsLimit); ; time.Sleep(5 * time.Millisecond) {
		if text, err := os.ReadFile(path); err == nil {
			var lines []string
			for line := range strings.Lines(string(text)) {
				if line = strings.TrimSpace(line); !strings.HasSuffix(line, " /dev/null") { // which the shell keeps for itself
					lines = append(lines, line)
				}
			}
			return lines
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}
