// Package badinput holds rouse to its word about wrong input: one line that says what is wrong, with which name, why and
// what to do; an exit code that tells a manager whether another try may help; nothing left behind.
package badinput

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// Exit codes: the command line alone is wrong, another configuration mends it, everything else.
const (
	usage  = 2
	config = 78
	failed = 1
)

// soon is how long a program may take that has nothing to do but to say no.
const soon = 5 * time.Second

// refusal is a way to start rouse that it has to refuse.
type refusal struct {
	name    string
	args    []string
	env     []string
	through []string // a command that starts it
	files   []*os.File
	listen  bool // pass the files by LISTEN_FDS, with names
	names   []string
	stdin   *os.File
	file    string // what stands in sws.toml, in the working folder
	checked bool   // rouse check refuses it too, with the same words

	code    int
	want    string   // the whole message behind "rouse: "
	pattern string   // or a regular expression for all of it
	notices []string // the whole lines before it, without the time
}

// refused starts rouse in each of the ways.
func refused(t *testing.T, refusals []refusal) {
	t.Helper()
	for _, r := range refusals {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			r.check(t)
		})
	}
}

func (r refusal) check(t *testing.T) {
	t.Helper()
	r.checkOnce(t)
	if r.checked {
		r.args = append([]string{"check"}, r.args...)
		r.checkOnce(t)
	}
}

func (r refusal) checkOnce(t *testing.T) {
	t.Helper()
	home, work := t.TempDir(), t.TempDir()
	if r.file != "" {
		write(t, work, "sws.toml", r.file, 0o600)
	}
	p := program.Start(t, program.Run{
		Args: r.args, Env: append([]string{"HOME=" + home}, r.env...), Through: r.through, Dir: work,
		Files: r.files, Listen: r.listen, Names: r.names, Stdin: r.stdin,
	})
	if code := p.Wait(soon).ExitCode(); code != r.code {
		t.Errorf("exit code %d, want %d", code, r.code)
	}
	if out := p.Stdout.String(); out != "" {
		t.Errorf("on stdout: %q", out)
	}
	said := lines(p.Stderr.String())
	if len(said) == 0 {
		t.Fatal("it says nothing")
	}
	last := len(said) - 1
	same(t, said[:last], r.notices)
	message, ok := strings.CutPrefix(said[last], "rouse: ")
	switch {
	case !ok:
		t.Errorf("the last line is %q, not rouse: and a message", said[last])
	case r.pattern == "" && message != r.want:
		t.Errorf("it says %q\nwant    %q", message, r.want)
	case r.pattern != "" && !regexp.MustCompile(`^(?:`+r.pattern+`)$`).MatchString(message):
		t.Errorf("it says %q\nwant    %q", message, r.pattern)
	}
	for _, dir := range []string{home, work} {
		left, err := os.ReadDir(dir)
		left = slices.DeleteFunc(left, func(one os.DirEntry) bool { return r.file != "" && one.Name() == "sws.toml" })
		if err != nil || len(left) > 0 {
			t.Errorf("left behind in %s: %v, %v", dir, left, err)
		}
	}
}

// lines splits what was written, without the times of log lines. A line that does not end, or holds what a terminal obeys,
// is kept as it is and will not be what anybody wants.
func lines(text string) []string {
	if text == "" {
		return nil
	}
	var all []string
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		all = append(all, logTime.ReplaceAllString(line, ""))
	}
	if !strings.HasSuffix(text, "\n") {
		all[len(all)-1] += " (without a line break)"
	}
	return all
}

var logTime = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\S+ `)

func same(t *testing.T, got, want []string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("it says\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
