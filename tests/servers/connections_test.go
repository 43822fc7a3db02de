package servers

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
	"github.com/rouse-server/rouse/tests/servers/booted"
)

// dispatched are servers that are drilled once more behind `rouse dispatch`, which accepts their clients and hands them over:
// the same servers, which bind and accept as ever, get no listening socket then, but connections.
func dispatched() []string {
	return []string{"Python http.server", "Node http", "BusyBox httpd, static", "HAProxy -db", "nginx, daemon on"}
}

func TestDispatched(t *testing.T) {
	if reason := booted.Reason(); reason != "" {
		t.Skip(reason)
	}
	if *bare {
		t.Skip("without rouse nothing is dispatched")
	}
	for _, s := range selected() {
		if s.overlay != os.Getenv(overlayVariable) || !slices.Contains(dispatched(), s.name) {
			continue
		}
		t.Run(s.name, func(t *testing.T) {
			s.mode = "connections"
			d := newDrill(t, s)
			if failed := d.run(); failed != nil {
				t.Errorf("%s: %v", failed.step, failed.err)
				t.Logf("processes: %q\nits own log: %s", d.names(), tail(d.ownLog()))
			}
		})
	}
}

// dispatch starts a dispatcher that has the socket, and returns the address by which the server gets connections from it.
func (d *drill) dispatch(s socket) string {
	desk := filepath.Join(d.dir, "desk.sock")
	if d.dispatcher == nil {
		rules := fmt.Sprintf("socket = %q\nfallback = \"drill\"\n[listeners.%s]\naddress = \"systemd:%[2]s\"\n[backends.drill]\nwait = %[3]q\n", desk, s.name, patience)
		path := filepath.Join(d.dir, "rules.toml")
		if err := os.WriteFile(path, []byte(rules), 0o644); err != nil {
			d.t.Fatal(err)
		}
		d.dispatcher = program.Start(d.t, program.Run{Binary: booted.Rouse, Files: []*os.File{d.held[s.name]}, Names: []string{s.name}, Listen: true,
			Args: []string{"dispatch", "--config=" + path, "--engine=hand-over"}})
	}
	return s.name + "=dispatch:" + desk + "#drill?takes=connections"
}
