package serve

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/tests/program"
)

// inOwnNetwork runs the test again in a network namespace of its own, where all ports are free and nothing but loopback
// can be reached: ports of bare mode are fixed. It returns true there; in the first run it returns false, after the second
// one has ended, and the test has nothing more to do.
func inOwnNetwork(t *testing.T) bool {
	t.Helper()
	const inside = "ROUSE_TEST_NETWORK"
	if os.Getenv(inside) != "" {
		loopbackUp(t)
		return true
	}
	binary := program.Binary(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	again := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=2m")
	again.Env = append(os.Environ(), inside+"=own", "ROUSE_BINARY="+binary)
	again.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 { // in a user namespace anybody may have a network
		again.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		again.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}
		again.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	out, err := again.CombinedOutput()
	text := string(out)
	if err != nil {
		if errno, ok := errors.AsType[syscall.Errno](err); ok {
			t.Skipf("no network namespace of its own: %v (needs root, or user namespaces)", errno)
		}
		t.Errorf("in its own network: %v\n%s", err, text)
	} else if skipped := regexp.MustCompile(`(?m)^ *\S+_test\.go:\d+: (.*)\n(?:.*\n)*?--- SKIP: ` + t.Name()).FindStringSubmatch(text); skipped != nil {
		t.Skip(skipped[1])
	} else if !strings.Contains(text, "--- PASS: "+t.Name()) {
		t.Errorf("in its own network it did not run:\n%s", text)
	}
	return false
}

// loopbackUp gives the namespace 127.0.0.1 and ::1 (netdevice(7)).
func loopbackUp(t *testing.T) {
	t.Helper()
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(socket)
	request := must[*unix.Ifreq](t)(unix.NewIfreq("lo"))
	request.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	if err := unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request); err != nil {
		t.Fatalf("bring loopback up: %v", err)
	}
}

// withoutIPv6 takes ::1 away, as on machines whose administrator switched IPv6 off.
func withoutIPv6(t *testing.T) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/lo/disable_ipv6", []byte("1"), 0o644); err != nil {
		t.Skipf("switch IPv6 off: %v", err)
	}
}
