package packaging_test

import (
	"io/fs"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"howett.net/plist"

	"github.com/rouse-server/rouse/packaging"
	"github.com/rouse-server/rouse/packaging/install"
)

// shippedJob is what the tests look at in a property list.
type shippedJob struct {
	UserName             string
	ProgramArguments     []string
	EnvironmentVariables map[string]string
	Sockets              map[string][]struct{ SockNodeName, SockServiceName string }
}

// The shipped property lists are held to the same table as those that `rouse install` writes.
func TestPropertyLists(t *testing.T) {
	names, err := fs.Glob(packaging.Files(), "launchd/*/*.plist")
	if err != nil || len(names) != 2 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			text, err := fs.ReadFile(packaging.Files(), name)
			if err != nil {
				t.Fatal(err)
			}
			if err := install.CheckPropertyList(name, text); err != nil {
				t.Error(err)
			}
			var job shippedJob
			if _, err := plist.Unmarshal(text, &job); err != nil {
				t.Fatal(err)
			}
			// launchd ignores it in an agent.
			if want := map[bool]string{true: "_www"}[strings.HasPrefix(name, "launchd/daemon/")]; job.UserName != want {
				t.Errorf("UserName %q, want %q", job.UserName, want)
			}
			checkEnvironment(t, job)
			checkSockets(t, job)
		})
	}
}

func checkEnvironment(t *testing.T, job shippedJob) {
	for name := range job.EnvironmentVariables {
		if !strings.HasPrefix(name, "SERVER_") {
			t.Errorf("variable %s is none of Rouse's", name)
		}
	}
	for _, name := range []string{"SERVER_ROOT", "SERVER_TLS_CERT", "SERVER_TLS_KEY"} {
		if value := job.EnvironmentVariables[name]; !path.IsAbs(value) {
			t.Errorf("%s=%q is not absolute: launchd starts jobs in /", name, value)
		}
	}
}

func checkSockets(t *testing.T, job shippedJob) {
	if len(job.Sockets) != 2 || job.Sockets["https"] == nil || job.Sockets["http"] == nil {
		t.Errorf("sockets %v, want the roles https and http", job.Sockets)
	}
	for role, list := range job.Sockets {
		var families []string
		for _, entry := range list {
			address, err := netip.ParseAddr(entry.SockNodeName)
			if err != nil || !address.IsLoopback() {
				t.Errorf("%s: SockNodeName %v is open to others as shipped", role, entry.SockNodeName)
			}
			families = append(families, strconv.Itoa(address.BitLen()))
			if port, err := strconv.Atoi(entry.SockServiceName); err != nil || port < 1024 {
				t.Errorf("%s: SockServiceName %v", role, entry.SockServiceName)
			}
		}
		// launchd always sets IPV6_V6ONLY, so one socket does not do for both.
		if !slices.Equal(families, []string{"32", "128"}) {
			t.Errorf("%s: address lengths %v, want one IPv4 and one IPv6 address", role, families)
		}
	}
}
