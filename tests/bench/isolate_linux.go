package main

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// isolated calls measure in a network namespace of its own, with nothing but loopback: programs that are loaded into the kernel
// see only the connections of bench, and every port is free. Servers that measure starts are in it too; it is gone with them.
func isolated(measure func() error) error {
	result := make(chan error)
	go func() {
		// The thread is never unlocked: it ends with this function, since no other goroutine may run in the namespace.
		runtime.LockOSThread()
		err := ownNetwork()
		if err == nil {
			err = measure()
		}
		result <- err
	}()
	return <-result
}

// canIsolate says why isolated cannot work here.
func canIsolate() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("making a network namespace: %w; run bench as root", os.ErrPermission)
	}
	return nil
}

// ownNetwork moves the calling thread into a new network namespace and sets its loopback interface up (netdevice(7)).
func ownNetwork() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("making a network namespace: %w; run bench as root", err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	loopback, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	loopback.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, loopback); err != nil {
		return fmt.Errorf("setting the loopback interface up: %w", err)
	}
	return nil
}
