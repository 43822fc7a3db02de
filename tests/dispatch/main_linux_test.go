package dispatch

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/tests/program"
)

const (
	insideVariable = "ROUSE_TEST_OWN_NETWORK" // set where the network and the mounts are the tests' own
	helperVariable = "ROUSE_TEST_BACKEND"     // this binary is to be a backend itself
)

// TestMain runs this same binary in a network and mounts of its own, in which only lo is up: the tests load programs into the
// kernel and bind ports, and the machine sees nothing of either.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(helperVariable) != "":
		serveAsBackend(os.Args[1:])
	case os.Getenv(insideVariable) != "":
		if err := prepare(); err != nil {
			fmt.Fprintln(os.Stderr, "prepare the network of the tests:", err)
			os.Exit(1)
		}
		os.Exit(m.Run())
	case os.Getuid() != 0:
		os.Exit(m.Run()) // what needs more says so
	}
	code, err := inside()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// inside runs the tests in new namespaces, and returns their exit status.
func inside() (int, error) {
	if err := program.Build(); err != nil {
		return 1, err
	}
	runtime.LockOSThread() // the death of this thread would end the tests (PR_SET_PDEATHSIG)
	c := exec.Command("/proc/self/exe", os.Args[1:]...)
	c.Env = append(os.Environ(), insideVariable+"=yes")
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	err := c.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), nil
	}
	return 0, err
}

// prepare makes the mounts private, mounts a bpf file system where systemd does, and sets lo up.
func prepare() error {
	const bpf = "/sys/fs/bpf"
	err := errors.Join(unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""), unix.Mount("bpf", bpf, "bpf", 0, ""), setLoopbackUp())
	for _, a := range sixes {
		err = errors.Join(err, addToLoopback(a))
	}
	return err
}

// sixes are addresses of lo, beside ::1. Of IPv4 all of 127.0.0.0/8 are.
var sixes = []netip.Addr{netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::2"), netip.MustParseAddr("fd00::3")}

func setLoopbackUp() error {
	return interfaceRequest(unix.AF_INET, func(fd int) error {
		request, err := unix.NewIfreq("lo")
		if err != nil {
			return err
		}
		request.SetUint16(unix.IFF_UP)
		return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
	})
}

// addToLoopback gives lo, which is interface 1, an IPv6 address (struct in6_ifreq of linux/ipv6.h).
func addToLoopback(a netip.Addr) error {
	return interfaceRequest(unix.AF_INET6, func(fd int) error {
		request := struct {
			address [16]byte
			prefix  uint32
			index   int32
		}{a.As16(), 128, 1}
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFADDR, uintptr(unsafe.Pointer(&request))); errno != 0 {
			return errno
		}
		return nil
	})
}

func interfaceRequest(family int, ask func(fd int) error) error {
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return ask(fd)
}

// needsOwnNetwork skips a test that loads programs into the kernel or binds ports that it chooses.
func needsOwnNetwork(t *testing.T) {
	t.Helper()
	if os.Getenv(insideVariable) == "" {
		t.Skip("needs root, for a network namespace of its own")
	}
}

var ports atomic.Int32

// freePort returns the first of three ports of the tests' own network that no other test uses, and that clients do not get.
func freePort() int { return 3000 + 3*int(ports.Add(1)) }

// pinFolder returns a folder of the bpf file system.
func pinFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/sys/fs/bpf", "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "pin")
}
