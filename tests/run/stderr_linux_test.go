package run

import (
	"os/exec"
	"path/filepath"
	"testing"
)

// Without this a reader of the log that goes away, such as one behind a pipe, would end rouse and the server with it.
func TestNobodyReadsStandardError(t *testing.T) {
	t.Parallel()
	for _, mode := range modes(t) {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			s.through = []string{"sh", "-c", `mkfifo "$0"; : <"$0" & wait=$!; exec 2>"$0"; wait $wait; exec "$@"`, filepath.Join(t.TempDir(), "pipe")}
			p := s.run("--mode="+mode, "-tcp", s.other)
			for range 2 {
				says(t, s.ask("/"), "pid=")
			}
			stop(t, p)
		})
	}
}

// Without this rouse would look for the server's processes among those of another namespace.
func TestForeignProcessTable(t *testing.T) {
	t.Parallel()
	s := &service{t: t, through: namespace(t)}
	p := s.run("--listen=tcp:127.0.0.1:0")
	exit(t, p, 78)
	says(t, p.Stderr.String(), "/proc is that of another PID namespace")
}

// namespace starts a command in a PID namespace, with the /proc of this one.
func namespace(t *testing.T) []string {
	t.Helper()
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Skip(err)
	}
	through := []string{unshare, "--pid", "--fork"}
	if err := exec.Command(unshare, "--pid", "--fork", "true").Run(); err != nil {
		t.Skip("no PID namespace can be made: ", err)
	}
	return through
}
