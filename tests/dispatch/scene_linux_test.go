package dispatch

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/tests/program"
)

// engines runs a test with each engine.
func engines(t *testing.T, test func(t *testing.T, engine string)) {
	t.Helper()
	needsOwnNetwork(t)
	for _, engine := range []string{"kernel", "hand-over"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			test(t, engine)
		})
	}
}

// scene is a `rouse dispatch` with a folder and a port of its own.
type scene struct {
	*program.Process
	t         *testing.T
	dir, desk string
	port      int
	engine    string
	options   []string
	files     []*os.File
}

// play starts a dispatcher by rules, in which DIR is its folder and PORT, PORT+1 and PORT+2 are its ports.
func play(t *testing.T, engine, rules string, options ...string) *scene {
	t.Helper()
	s := set(t, engine, rules, options...)
	s.start()
	return s
}

// set is play without the start.
func set(t *testing.T, engine, rules string, options ...string) *scene {
	t.Helper()
	needsOwnNetwork(t)
	dir := program.ShortDir(t)
	if err := os.Chmod(dir, 0o755); err != nil { // other users pass
		t.Fatal(err)
	}
	s := &scene{t: t, dir: dir, desk: filepath.Join(dir, "desk"), port: freePort(), engine: engine, options: options}
	s.write(rules)
	return s
}

// start starts the dispatcher, and waits until it dispatches.
func (s *scene) start() {
	s.t.Helper()
	args := []string{"dispatch", "--config", s.rules(), "--engine", s.engine}
	if !slices.ContainsFunc(s.options, func(o string) bool { return strings.HasPrefix(o, "--pin") }) {
		args = append(args, "--pin=no")
	}
	s.Process = program.Start(s.t, program.Run{Args: append(args, s.options...), Files: s.files})
	s.Stderr.WaitFor(`dispatching;`, limit)
}

func (s *scene) rules() string { return filepath.Join(s.dir, "rules.toml") }

// write writes the rules.
func (s *scene) write(rules string) {
	s.t.Helper()
	text := "socket = \"DIR/desk\"\n" + rules
	text = strings.NewReplacer("DIR", s.dir, "PORT+1", fmt.Sprint(s.port+1), "PORT+2", fmt.Sprint(s.port+2), "PORT", fmt.Sprint(s.port)).Replace(text)
	if err := os.WriteFile(s.rules(), []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// reload has the dispatcher read new rules.
func (s *scene) reload(rules string) {
	s.t.Helper()
	s.write(rules)
	before := strings.Count(s.Stderr.String(), "reloaded;")
	s.Signal(unix.SIGHUP)
	s.Stderr.WaitFor(fmt.Sprintf(`(?s)(reloaded;.*){%d}`, before+1), limit)
}

// at returns an address of this host with the scene's port.
func (s *scene) at(host string) string { return s.next(host, 0) }

// next is at with one of the ports that follow.
func (s *scene) next(host string, count int) string {
	return net.JoinHostPort(host, fmt.Sprint(s.port+count))
}

// status asks the dispatcher what it does.
func (s *scene) status() status {
	s.t.Helper()
	out, err := rouse(s.t, "dispatch", "--status", "--json", "--socket", s.desk)
	if err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	var now status
	if err := json.Unmarshal([]byte(out), &now); err != nil {
		s.t.Fatalf("%v: %s", err, out)
	}
	return now
}

// backend returns the status of one backend.
func (s *scene) backend(name string) backendStatus {
	s.t.Helper()
	for _, b := range s.status().Backends {
		if b.Name == name {
			return b
		}
	}
	s.t.Fatalf("no backend %s", name)
	return backendStatus{}
}

// registered waits until so many processes are registered for a backend.
func (s *scene) registered(name string, count int) {
	s.t.Helper()
	until(s.t, fmt.Sprintf("%d are registered for %s", count, name), func() bool { return len(s.backend(name).Sessions) == count })
}

// status is what tests look at in `rouse dispatch --status --json`.
type status struct {
	Engine    string
	Reloads   int
	Listeners []struct {
		Name, Backend  string
		Given, Waiting int
		Open           bool
		Accepted       uint64
		Errors         uint64
	}
	Routes []struct {
		Name, At, Backend string
		Connections       uint64
		Kernel            uint64
	}
	Backends []backendStatus
	Refused  map[string]uint64
	Notices  []string
}

type backendStatus struct {
	Name, Way     string
	Connections   uint64
	Again         uint64
	Waiting       int
	OldestWaiting float64
	Drops         map[string]uint64
	Sessions      []struct {
		PID, Credit, Unaccepted, Sockets int
		UID                              uint32
		Protocol, Gives                  string
		Stalled                          bool
		OldestUnaccepted                 float64
		Connections                      uint64
	}
}

// rouse runs rouse to its end, and returns what it says.
func rouse(t *testing.T, args ...string) (string, error) {
	t.Helper()
	c := exec.CommandContext(t.Context(), program.Binary(t), args...)
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	c.WaitDelay = time.Second
	out, err := c.CombinedOutput()
	return string(out), err
}

// until waits for something to become true.
func until(t *testing.T, what string, true func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !true(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// isLong tells whether the longer drills run.
func isLong() bool { return os.Getenv("ROUSE_LONG") == "dispatch" }

// exitCode is that of a command that has ended with an error.
func exitCode(err error) int {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	return -1
}
