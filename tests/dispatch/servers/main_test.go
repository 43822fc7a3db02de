// Package servers runs real, unmodified servers behind `rouse dispatch`: two instances of each, told apart by the address that
// clients connect to, each in a network namespace of its own with nothing but lo up. One of them is restarted under load, and
// killed, with its clients counted; on the engine of the kernel and on the one that hands connections over.
//
//	go test ./tests/dispatch/servers                             # the few that are cheap to have
//	ROUSE_LONG=dispatch go test ./tests/dispatch/servers         # all
//	go test ./tests/dispatch/servers -run TestServers/nginx      # one of them
//	ROUSE_LONG=dispatch go test ./tests/dispatch/servers -update # writes the table of results into README.md
//
// All of it happens in a system that is thrown away afterwards, as in tests/servers.
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
	helperVariable  = "ROUSE_TEST_PAGES" // this binary is to be an HTTP server there
)

var update = flag.Bool("update", false, "write the table of results into README.md (only of a whole, long run)")

func TestMain(m *testing.M) {
	flag.Parse()
	switch {
	case os.Getenv(helperVariable) != "":
		servePages(os.Getenv(helperVariable))
	case booted.Dir() != "":
		if err := booted.Prepare(front(addressA), front(addressB), front(addressClient)); err != nil {
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

// front is an address of the namespace where clients arrive.
func front(address string) string { return address + "/32" }

// outside boots one system for each overlay that has servers to run, and returns the worst exit status.
func outside(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("/var/tmp", "rouse-dispatched.") // inside, /tmp is another one
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	worst := 0
	for _, overlay := range overlays() {
		system := booted.System{Tests: "../..", Env: []string{overlayVariable + "=" + overlay}}
		for _, s := range selected() {
			if s.overlay == overlay {
				system.Packages = append(system.Packages, s.packages...)
				system.Traefik = system.Traefik || slices.Contains(s.command, booted.Traefik)
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
