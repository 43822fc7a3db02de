package inetd

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// Tools such as enve load a file of variables and then start the program, here beneath `systemfd --no-pid`. The variables
// would not be read, or one that was left blank would be taken for a value.
func TestEnvironmentFile(t *testing.T) {
	t.Parallel()
	shipped, err := os.ReadFile("../../packaging/systemd/rouse.env")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ script, more string }{
		"env":             {`exec env $(cat "$0") "$@"`, ""},
		"set -a":          {`set -a; . "$0"; exec "$@"`, "# a comment\n\nexport SERVER_INDEX_FILES='index.html,index.htm'\n"},
		"shipped, env":    {`exec env $(grep -v '^#' "$0") "$@"`, string(shipped)},
		"shipped, set -a": {`set -eua; . "$0"; exec "$@"`, string(shipped)},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "rouse.env")
			text := c.more + "SERVER_ROOT=" + site(t) + "\nSERVER_LISTEN_FD=0\nSERVER_HOST=\nSERVER_PORT=\nSERVER_LOG_LEVEL=info\n"
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			listener, svc := systemfdListener(t)
			p := program.Start(t, program.Run{
				Through: []string{"sh", "-c", c.script, file},
				Args:    []string{"serve"},
				Env:     []string{"LISTEN_FDS=1", "LISTEN_FDS_FIRST_FD=3"},
				Files:   []*os.File{listener},
			})
			askAll(t, []service{svc})
			p.Stderr.WaitFor(" GET 200 / ", limit) // SERVER_LOG_LEVEL
			p.Stop()
		})
	}
}
