// Package servers runs real, unmodified servers under `rouse run` and puts each through the same drill: asleep until the
// first client, answered, known by its own address, reloaded, stopped when idle, started again without a connection lost,
// and ended with nothing left.
//
//	go test ./tests/servers                            # the few that are cheap to have
//	ROUSE_LONG=servers go test ./tests/servers         # all (tests/all.sh --long servers)
//	go test ./tests/servers -run TestServers/nginx     # one of them
//	go test ./tests/servers -bare                      # without rouse: tells a broken server from a broken rouse
//	ROUSE_LONG=servers go test ./tests/servers -update # writes the table of results into README.md
//
// TestMain downloads the servers' packages (tests/tools/fetch-debs.sh), boots a system whose files and network are thrown
// away afterwards (tests/boot-systemd.sh), unpacks them there and runs this same test binary inside. Nothing is installed or
// started on the machine itself.
package servers

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/rouse-server/rouse/tests/servers/booted"
)

const (
	overlayVariable = "ROUSE_TEST_OVERLAY"
	helperVariable  = "ROUSE_TEST_SERVER" // this binary is to be a server itself
)

var (
	bare   = flag.Bool("bare", false, "run the servers without rouse")
	update = flag.Bool("update", false, "write the table of results into README.md (only of a whole, long run)")
)

func TestMain(m *testing.M) {
	flag.Parse()
	switch {
	case os.Getenv(helperVariable) != "":
		serveGo(os.Getenv(helperVariable))
	case booted.Dir() != "":
		if err := booted.Prepare(clientV6 + "/128"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	}
	code, err := outside(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// outside boots one system for each overlay that has servers to run, and returns the worst exit status.
func outside(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("/var/tmp", "rouse-servers.") // inside, /tmp is another one
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	worst := 0
	for _, overlay := range overlays() {
		system := booted.System{Tests: "..", Env: []string{overlayVariable + "=" + overlay}}
		for _, s := range selected() {
			if s.overlay == overlay {
				system.Packages = append(system.Packages, s.packages...)
				system.Traefik = system.Traefik || s.command[0] == booted.Traefik
			}
		}
		code, ok, err := system.Run(dir)
		if !ok && err == nil {
			return m.Run(), nil
		}
		if worst = max(worst, code); err != nil {
			return worst, err
		}
	}
	if *update && worst == 0 {
		return 0, writeTable(dir)
	}
	return worst, nil
}

// overlays returns the names of the systems to boot: servers whose packages conflict have one of their own.
func overlays() []string {
	var names []string
	for _, s := range selected() {
		if !slices.Contains(names, s.overlay) {
			names = append(names, s.overlay)
		}
	}
	return names
}
