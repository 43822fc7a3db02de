// Package sockets holds `rouse sockets` to what it is for: it shows in every environment which sockets were inherited and
// what serve would do with each, to people as a table and to programs as JSON.
package sockets

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

const soon = 5 * time.Second

// row is one socket, as the JSON has it.
type row struct {
	Number                                                                  int
	Name, Source, Kind, Family, Type, Protocol, Address, Peer, State, Serve string
}

// notStart stands in Serve before the reason why serve would not start.
const notStart = "not start: "

// shown is an environment and what is shown of it.
type shown struct {
	name    string
	args    []string
	env     []string
	through []string
	files   []*os.File
	listen  bool
	names   []string
	stdin   *os.File

	notices []string // regular expressions for whole lines
	rows    []row    // Serve is a regular expression
}

// check asks for both forms, and compares the one with what is wanted and the other with the one.
func (s shown) check(t *testing.T) {
	t.Helper()
	var reply struct {
		Sockets []row
		Notices []string
	}
	decoder := json.NewDecoder(strings.NewReader(s.run(t, "--json")))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&reply); err != nil {
		t.Fatal(err)
	}
	matches(t, "notice", reply.Notices, s.notices)
	if reply.Sockets == nil {
		t.Error("sockets is null; programs want a list")
	}
	var got, want, does, would []string
	for _, r := range reply.Sockets {
		does = append(does, r.Serve)
		r.Serve = ""
		got = append(got, written(t, r))
	}
	for _, r := range s.rows {
		would = append(would, r.Serve)
		r.Serve = ""
		want = append(want, written(t, r))
	}
	if !slices.Equal(got, want) {
		t.Errorf("sockets\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	matches(t, "serve would", does, would)
	text := s.run(t)
	for _, line := range pid.FindAllString(text, -1) {
		text = strings.ReplaceAll(text, line, "(this one is 0)") // each run has its own
	}
	for i, notice := range reply.Notices {
		reply.Notices[i] = pid.ReplaceAllString(notice, "(this one is 0)")
	}
	compareTable(t, text, reply.Sockets, reply.Notices)
}

var pid = regexp.MustCompile(`\(this one is \d+\)`)

// run returns what is printed. Whatever was inherited, showing it is no failure.
func (s shown) run(t *testing.T, more ...string) string {
	t.Helper()
	p := program.Start(t, program.Run{
		Args: slices.Concat([]string{"sockets"}, s.args, more), Env: s.env, Through: s.through,
		Files: s.files, Listen: s.listen, Names: s.names, Stdin: s.stdin,
	})
	if code := p.Wait(soon).ExitCode(); code != 0 || p.Stderr.String() != "" {
		t.Fatalf("exit code %d, on stderr %q", code, p.Stderr)
	}
	return p.Stdout.String()
}

func written(t *testing.T, r row) string {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func matches(t *testing.T, what string, got, patterns []string) {
	t.Helper()
	same := func(text, pattern string) bool {
		return regexp.MustCompile(`^(?:` + pattern + `)$`).MatchString(text)
	}
	if !slices.EqualFunc(got, patterns, same) {
		t.Errorf("%s\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(patterns, "\n"))
	}
}
