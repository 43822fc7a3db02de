package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func supported() error { return nil }

// launch is the inside of a server's process before it becomes the server, as `bench launch CPUS SOCKETS PROGRAM ARG…`:
// it holds itself to the CPUs, sets LISTEN_PID, which only the process itself knows, writes the time to the descriptor
// after the sockets, and replaces itself by the program. It returns only with an error.
func launch(args []string) error {
	if len(args) < 3 {
		return fmt.Errorf("%s is for bench itself", launchCommand)
	}
	cpus, err := parseProcessors(args[0])
	if err != nil {
		return err
	}
	sockets, err := strconv.Atoi(args[1])
	if err != nil {
		return fmt.Errorf("reading the number of sockets: %w", err)
	}
	runtime.LockOSThread() // the thread that calls exec is the one that stays
	if err := pin(0, cpus); err != nil {
		return err
	}
	for fd := firstSocket; fd < firstSocket+sockets; fd++ {
		// nginx expects what another nginx would pass; a blocking accept would stop its only worker.
		if err := unix.SetNonblock(fd, true); err != nil {
			return fmt.Errorf("preparing descriptor %d: %w", fd, err)
		}
	}
	if os.Getenv("LISTEN_FDS") != "" {
		if err := os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid())); err != nil {
			return err
		}
	}
	stamp := firstSocket + sockets
	unix.CloseOnExec(stamp)
	if _, err := unix.Write(stamp, binary.NativeEndian.AppendUint64(nil, uint64(monotonic()))); err != nil {
		return fmt.Errorf("writing the time: %w", err)
	}
	return fmt.Errorf("starting %s: %w", args[2], unix.Exec(args[2], args[2:], os.Environ()))
}

// monotonic is the time on a clock that all processes share (CLOCK_MONOTONIC).
func monotonic() time.Duration {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return 0 // cannot fail: the clock always exists, the pointer is good
	}
	return time.Duration(now.Nano())
}

// ownSession gives a started process a session and group of its own. Should bench be killed outright, the kernel ends
// that process with it (PR_SET_PDEATHSIG, prctl(2)), though not the workers it started.
func ownSession() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
}
