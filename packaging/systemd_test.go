package packaging

import (
	"context"
	"errors"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	socketUnit       = "systemd/rouse.socket"
	httpSocketUnit   = "systemd/rouse-http.socket"
	serviceUnit      = "systemd/rouse.service"
	runSocketUnit    = "systemd/rouse-run@.socket"
	runServiceUnit   = "systemd/rouse-run@.service"
	inetdSocketUnit  = "systemd/rouse-inetd@.socket"
	inetdServiceUnit = "systemd/rouse-inetd@.service"
	dispatchUnit     = "systemd/rouse-dispatch.service"
	renewServiceUnit = "systemd/rouse-renew.service"
	renewTimerUnit   = "systemd/rouse-renew.timer"
)

// An unknown option is only a warning to systemd, with exit status 0: nothing at all may be said.
func TestUnitsVerify(t *testing.T) {
	paths := slices.Collect(maps.Values(writeUnits(t)))
	if output, err := analyze(t, append([]string{"verify"}, paths...)...); err != nil || output != "" {
		t.Errorf("systemd-analyze verify: %v\n%s", err, output)
	}
}

// The threshold is the exposure times ten.
func TestServiceExposure(t *testing.T) {
	paths := writeUnits(t)
	for unit, threshold := range map[string]string{
		serviceUnit: "2", runServiceUnit: "5", inetdServiceUnit: "2", dispatchUnit: "22", renewServiceUnit: "5",
	} {
		output, err := analyze(t, "security", "--no-pager", "--offline=yes", "--threshold="+threshold, paths[unit])
		if err != nil {
			t.Errorf("systemd-analyze security: above %s tenths: %v\n%s", threshold, err, output)
		}
	}
}

func TestSockets(t *testing.T) {
	type wanted struct {
		ipv6    int
		options map[string]string
	}
	for unit, want := range map[string]wanted{
		socketUnit:     {1, map[string]string{"FileDescriptorName": "https", "Service": "rouse.service", "WantedBy": "sockets.target"}},
		httpSocketUnit: {1, map[string]string{"FileDescriptorName": "http", "Service": "rouse.service", "WantedBy": "sockets.target"}},
		// Clients of a socket that the program does not bind wait for nobody. This one every program can take: a bind of both
		// families at once gets it, while one of IPv4 would not get a socket of both.
		runSocketUnit: {0, map[string]string{"FileDescriptorName": "%i", "BindIPv6Only": "ipv6-only", "WantedBy": "sockets.target"}},
		// It goes by Rouse's own limits, which need one process for all clients.
		inetdSocketUnit: {1, map[string]string{"FileDescriptorName": "%i", "Accept": "no", "WantedBy": "sockets.target"}},
	} {
		t.Run(filepath.Base(unit), func(t *testing.T) {
			options := settings(t, unit)
			ipv4, ipv6 := 0, 0
			for _, address := range options["ListenStream"] {
				a, err := netip.ParseAddrPort(address)
				if err != nil || !a.Addr().IsLoopback() {
					t.Errorf("ListenStream=%s is open to others as shipped", address)
				}
				if a.Addr().Is4() {
					ipv4++
				} else {
					ipv6++
				}
			}
			if ipv4 != 1 || ipv6 != want.ipv6 {
				t.Errorf("ListenStream=%q, want 1 of IPv4 and %d of IPv6", options["ListenStream"], want.ipv6)
			}
			for option, want := range want.options {
				if got := options[option]; len(got) != 1 || got[0] != want {
					t.Errorf("%s=%q, want %s", option, got, want)
				}
			}
		})
	}
}

// Rouse confines itself where the filter lets it; otherwise it would go on without, and say so where hardly anybody looks.
func TestServiceMayConfineItself(t *testing.T) {
	got := strings.Join(settings(t, serviceUnit)["SystemCallFilter"], " ")
	for _, call := range []string{"landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"} {
		if !strings.Contains(got, call) {
			t.Errorf("SystemCallFilter=%q lacks %s", got, call)
		}
	}
}

func TestServicesAreStartedBySocketsAlone(t *testing.T) {
	for _, unit := range []string{serviceUnit, runServiceUnit, inetdServiceUnit} {
		t.Run(filepath.Base(unit), func(t *testing.T) { startedBySocketsAlone(t, settings(t, unit)) })
	}
}

func startedBySocketsAlone(t *testing.T, options map[string][]string) {
	t.Helper()
	if got, ok := options["WantedBy"]; ok {
		t.Errorf("WantedBy=%q: it starts the service without a client", got)
	}
	outlivesFailures(t, options)
}

func outlivesFailures(t *testing.T, options map[string][]string) {
	t.Helper()
	for option, why := range map[string]string{
		"Sockets":                  "it opens a socket that nobody enabled",
		"RestartPreventExitStatus": "a waiting connection then starts the service in a spin",
	} {
		if got, ok := options[option]; ok {
			t.Errorf("%s=%q: %s", option, got, why)
		}
	}
	// Start limit and restart go together: without the pause nothing brakes a service that fails at once.
	areSet(t, options, map[string]string{"StartLimitIntervalSec": "0", "Restart": "on-failure", "RestartSec": "1s"})
}

// areSet checks options that stand there once.
func areSet(t *testing.T, options map[string][]string, want map[string]string) {
	t.Helper()
	for option, want := range want {
		if got := options[option]; len(got) != 1 || got[0] != want {
			t.Errorf("%s=%q, want %s", option, got, want)
		}
	}
}

// The dispatcher starts at boot, as it binds sockets itself. Without these it would have no folder for its socket, could not
// bind or load its rules into the kernel, or would lose them there when it restarts.
func TestDispatchServiceHasWhatItNeeds(t *testing.T) {
	options := settings(t, dispatchUnit)
	outlivesFailures(t, options)
	areSet(t, options, map[string]string{
		"Type": "notify", "WantedBy": "multi-user.target", "ExecStart": "/usr/bin/rouse dispatch --config /etc/rouse/dispatch.toml",
		"RuntimeDirectory": "rouse", "RuntimeDirectoryPreserve": "yes", "ReadWritePaths": "-/sys/fs/bpf",
		"CapabilityBoundingSet": "CAP_BPF CAP_NET_ADMIN CAP_NET_BIND_SERVICE",
	})
	if got := options["SystemCallFilter"]; len(got) == 0 || got[len(got)-1] != "bpf" {
		t.Errorf("SystemCallFilter=%q: bpf has to stand behind the groups that it is in", got)
	}
	if got, ok := options["ProtectKernelTunables"]; ok {
		t.Errorf("ProtectKernelTunables=%q: it makes /sys/fs/bpf read-only, whatever ReadWritePaths= says", got)
	}
}

// Where a name stood for a program's own folders, systemd would give it those that a package of that name has.
func TestRunServiceHasFoldersOfItsOwn(t *testing.T) {
	areSet(t, settings(t, inetdServiceUnit), map[string]string{"StateDirectory": "rouse-inetd/%i"})
	options := settings(t, runServiceUnit)
	for _, option := range []string{"StateDirectory", "CacheDirectory", "LogsDirectory", "RuntimeDirectory"} {
		if got := options[option]; len(got) != 1 || got[0] != "rouse-run/%i" {
			t.Errorf("%s=%q, want rouse-run/%%i", option, got)
		}
	}
}

// Without these the program would be stopped by systemd and by Rouse at once, could take Rouse's place, or could not bind.
func TestRunServiceLeavesTheProgramToRouse(t *testing.T) {
	options := settings(t, runServiceUnit)
	areSet(t, options, map[string]string{
		"Type": "notify", "KillMode": "mixed", "NoNewPrivileges": "yes",
		"EnvironmentFile": "/etc/rouse/run/%i.env", "ExecStart": "/usr/bin/rouse run -- $COMMAND",
		"RestrictAddressFamilies": "AF_UNIX AF_INET AF_INET6",
	})
	if got := options["SystemCallFilter"]; !slices.Contains(got, "seccomp") {
		t.Errorf("SystemCallFilter=%q lacks the calls by which Rouse answers a bind", got)
	}
}

// Without these a restart would lose the clients that wait, and the keys of TLS sessions. Before v254 systemd does not tell by
// itself how much it keeps.
func TestServicesHaveAStore(t *testing.T) {
	for unit, environment := range map[string][]string{
		serviceUnit:      {"SERVER_LISTEN=systemd:", "SERVER_IDLE_EXIT=5m", "FDSTORE=32"},
		runServiceUnit:   {"ROUSE_RUN_LAZY=true", "FDSTORE=32"},
		inetdServiceUnit: {"FDSTORE=32"},
		dispatchUnit:     {"FDSTORE=128"},
	} {
		options := settings(t, unit)
		if got := options["Environment"]; !slices.Equal(got, environment) {
			t.Errorf("%s: Environment=%q", unit, got)
		}
		_, most, _ := strings.Cut(environment[len(environment)-1], "=")
		areSet(t, options, map[string]string{"FileDescriptorStoreMax": most, "Type": "notify"})
		if got, ok := options["NotifyAccess"]; ok {
			t.Errorf("%s: NotifyAccess=%q: main, which Type=notify means, is enough", unit, got)
		}
	}
}

// systemd 255 and later have ENOSYS as the filter's own default (systemd#30291), which libseccomp refuses as a rule of its own:
// the service would fail with 228/SECCOMP. And /bin/kill is procps', which small systems lack, while a shell has it built in.
func TestServicesStartOnNewerAndSmallerSystems(t *testing.T) {
	for _, unit := range []string{serviceUnit, runServiceUnit, inetdServiceUnit, dispatchUnit, renewServiceUnit} {
		options := settings(t, unit)
		for _, filter := range options["SystemCallFilter"] {
			if strings.Contains(filter, "ENOSYS") {
				t.Errorf("%s: SystemCallFilter=%s", unit, filter)
			}
		}
		if got := options["ExecReload"]; len(got) > 0 && got[0] != "/bin/sh -c 'kill -HUP $MAINPID'" {
			t.Errorf("%s: ExecReload=%q", unit, got)
		}
	}
}

// Without these the processes of clients would be ended with Rouse at once, instead of within its time of grace.
func TestInetdServiceLeavesTheProcessesToRouse(t *testing.T) {
	areSet(t, settings(t, inetdServiceUnit), map[string]string{
		"Type": "notify", "KillMode": "mixed", "TimeoutStopSec": "20s", "EnvironmentFile": "/etc/rouse/inetd/%i.env",
		"ExecStart": "/usr/bin/rouse inetd -- $COMMAND",
	})
}

// Whoever renews may write in one folder, asks systemd over a socket, and is started by its timer alone.
func TestRenewal(t *testing.T) {
	options := settings(t, renewServiceUnit)
	areSet(t, options, map[string]string{
		"Type": "oneshot", "ExecStart": "/usr/bin/rouse renew --directory /etc/rouse --unit rouse.service",
		"ProtectSystem": "strict", "ReadWritePaths": "/etc/rouse", "RestrictAddressFamilies": "AF_UNIX", "CapabilityBoundingSet": "",
	})
	for _, option := range []string{"WantedBy", "DynamicUser"} {
		if got, ok := options[option]; ok {
			t.Errorf("%s=%q", option, got)
		}
	}
	areSet(t, settings(t, renewTimerUnit), map[string]string{"OnCalendar": "weekly", "Persistent": "yes", "WantedBy": "timers.target"})
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

// writeUnits writes the units into a temporary folder and returns their paths. The program they start
// is this test, as systemd-analyze wants one that exists.
func writeUnits(t *testing.T) map[string]string {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	paths := map[string]string{}
	for _, unit := range []string{
		serviceUnit, socketUnit, httpSocketUnit, runServiceUnit, runSocketUnit, inetdServiceUnit, inetdSocketUnit, dispatchUnit,
		renewServiceUnit, renewTimerUnit,
	} {
		text := strings.ReplaceAll(read(t, unit), "/usr/bin/rouse", program)
		file := filepath.Join(dir, filepath.Base(unit))
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		paths[unit] = file
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
