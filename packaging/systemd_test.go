package packaging

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	socketUnit     = "systemd/rouse.socket"
	httpSocketUnit = "systemd/rouse-http.socket"
	serviceUnit    = "systemd/rouse.service"
)

// An unknown option is only a warning to systemd, with exit status 0: nothing at all may be said.
func TestUnitsVerify(t *testing.T) {
	paths := writeUnits(t)
	if output, err := analyze(t, append([]string{"verify"}, paths...)...); err != nil || output != "" {
		t.Errorf("systemd-analyze verify: %v\n%s", err, output)
	}
}

// The threshold is the exposure times ten.
func TestServiceExposure(t *testing.T) {
	paths := writeUnits(t)
	output, err := analyze(t, "security", "--no-pager", "--offline=yes", "--threshold=2", paths[0])
	if err != nil {
		t.Errorf("systemd-analyze security: above 0.2: %v\n%s", err, output)
	}
}

func TestSockets(t *testing.T) {
	for unit, role := range map[string]string{socketUnit: "https", httpSocketUnit: "http"} {
		t.Run(role, func(t *testing.T) {
			options := settings(t, unit)
			for _, address := range options["ListenStream"] {
				if a, err := netip.ParseAddrPort(address); err != nil || !a.Addr().IsLoopback() {
					t.Errorf("ListenStream=%s is open to others as shipped", address)
				}
			}
			for option, want := range map[string]string{"FileDescriptorName": role, "Service": "rouse.service", "WantedBy": "sockets.target"} {
				if got := options[option]; len(got) != 1 || got[0] != want {
					t.Errorf("%s=%q, want %s", option, got, want)
				}
			}
		})
	}
}

func TestServiceIsStartedBySocketsAlone(t *testing.T) {
	options := settings(t, serviceUnit)
	for option, why := range map[string]string{
		"Sockets":                  "it opens a socket that nobody enabled",
		"WantedBy":                 "it starts the service without a client",
		"RestartPreventExitStatus": "a waiting connection then starts the service in a spin",
	} {
		if got, ok := options[option]; ok {
			t.Errorf("%s=%q: %s", option, got, why)
		}
	}
	// Start limit and restart go together: without the pause nothing brakes a service that fails at once.
	for option, want := range map[string]string{"StartLimitIntervalSec": "0", "Restart": "on-failure", "RestartSec": "1s"} {
		if got := options[option]; len(got) != 1 || got[0] != want {
			t.Errorf("%s=%q, want %s", option, got, want)
		}
	}
}

// settings returns the values of a unit's options, in order. All sections are one here: no option is in two of ours.
func settings(t *testing.T, unit string) map[string][]string {
	t.Helper()
	options := map[string][]string{}
	for line := range strings.Lines(read(t, unit)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' || line[0] == '[' {
			continue
		}
		option, value, ok := strings.Cut(line, "=")
		if !ok {
			t.Errorf("%s: not an option: %q", unit, line)
		}
		options[option] = append(options[option], value)
	}
	return options
}

// writeUnits writes the units into a temporary folder and returns their paths, the service first. The program they start
// is this test, as systemd-analyze wants one that exists.
func writeUnits(t *testing.T) []string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var paths []string
	for _, unit := range []string{serviceUnit, socketUnit, httpSocketUnit} {
		text := strings.ReplaceAll(read(t, unit), "/usr/bin/rouse", program)
		file := filepath.Join(dir, filepath.Base(unit))
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, file)
	}
	return paths
}

// analyze runs systemd-analyze and returns what it printed.
func analyze(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	output, err := exec.CommandContext(ctx, "systemd-analyze", args...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		t.Skip("systemd-analyze is not installed")
	}
	return string(output), err
}
