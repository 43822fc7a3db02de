package faults

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// A root that is taken away under load is served on while it is held; what is mounted in its place is served at once, after a reload or
// after a restart, as the README says, and a reload that may not open it says what to do.
func TestRootMountedAnew(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		options    []string
		away       string // what is answered meanwhile; "" is 404
		afterMount string // and once another file system is mounted
		afterHup   string
	}{
		"confined":   {nil, "old", "old", "old"},
		"free":       {[]string{"--landlock=off"}, "old", "old", "new"},
		"looked up":  {[]string{"--use-relative-root"}, "", "new", "new"},
		"free, both": {[]string{"--use-relative-root", "--landlock=off"}, "", "new", "new"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			through := onSmallDisk(t, root)
			through[6] = `mount -t tmpfs none "$0" && echo old > "$0/page.txt" && exec "$@"`
			plain, address := program.Listener(t)
			p := program.Start(t, program.Run{
				Through: through, Args: append([]string{"serve", "--root", root, "--log-level", "info", "--log-format", "logfmt"}, test.options...),
				Files: []*os.File{plain}, Listen: true, Names: []string{"http"},
			})
			p.Stderr.WaitFor("at http", limit)
			if what == "confined" && strings.Contains(p.Stderr.String(), "not confined by Landlock") {
				t.Skip("this kernel has no Landlock")
			}
			h := &house{&victim{t: t, http: address, pids: func() []int { return []int{p.Pid} }}, p}
			expect := func(when, want string) {
				t.Helper()
				var got answer
				for end := time.Now().Add(5 * time.Second); time.Now().Before(end); { // what is kept is looked at again after a second
					if got = h.answerTo("http", "/page.txt"); want == "" && got.status == 404 || want != "" && got.body == want+"\n" {
						return
					}
					if got.cut || got.status != 200 && got.status != 404 {
						break
					}
				}
				t.Errorf("%s: %d, %q; want %q", when, got.status, got.body, want)
			}
			stays := func(when, want string) { // for longer than a reply is kept unseen
				t.Helper()
				expect(when, want)
				for end := time.Now().Add(1200 * time.Millisecond); time.Now().Before(end); {
					if got := h.answerTo("http", "/page.txt"); got.body != want+"\n" && (want != "" || got.status != 404) {
						t.Errorf("%s: %d, %q; want %q", when, got.status, got.body, want)
						return
					}
				}
			}
			inside := func(script string) {
				t.Helper()
				if out, err := exec.Command("nsenter", "-t", fmt.Sprint(p.Pid), "-m", "sh", "-c", script, root).CombinedOutput(); err != nil {
					t.Fatalf("%s: %v: %s", script, err, out)
				}
			}
			stays("at first", "old")
			before := h.state()
			inside(`umount -l "$0"`)
			stays("unmounted", test.away)
			inside(`mount -t tmpfs none "$0" && echo new > "$0/page.txt"`)
			stays("mounted anew", test.afterMount)
			h.Signal(syscall.SIGHUP)
			eventually(t, "the reload is told", func() bool { return h.lines("reloaded; serving")+h.lines("the options were not loaded again") == 1 })
			stays("reloaded", test.afterHup)
			if refused := strings.Contains(p.Stderr.String(), "restart it if this is new, or was mounted anew"); refused != (what == "confined") {
				t.Errorf("told to restart: %t", refused)
			}
			h.leavesNothing(t, before)
			tell(t, row{"fault", "root mounted anew: " + what, "umount -l and another tmpfs under requests; " + strings.Join(test.options, " "), "nginx 1.22.1: 404 while it is away, the new one at once",
				map[string]string{"confined": "the old one is served until a restart, as a reload says in one line", "free": "the old one is served until a reload"}[what] +
					map[bool]string{true: "404 while it is away, the new one at once"}[test.away == ""]})
		})
	}
}
