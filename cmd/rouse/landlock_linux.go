package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// lock has the kernel refuse this process, on all its threads and for good, what is outside of its reach (landlock(7)), as far
// as the kernel knows how to; the error is why it does not at all. Nothing can be gained by executing programs either then
// (no_new_privs). Unix sockets stay open to it: systemd, syslog and a dispatcher are spoken to over those.
func (r reach) lock() error {
	if err := knowsLandlock(); err != nil {
		return err
	}
	rules := []landlock.Rule{landlock.PathAccess(ll.AccessFSReadFile|ll.AccessFSReadDir, keep("/proc/self")...), // for metrics, and to give memory back
		landlock.PathAccess(ll.AccessFSReadFile, keep("/proc/stat")...)}
	rules = append(rules, allow(r.reads, ll.AccessFSReadFile, ll.AccessFSReadDir)...)
	rules = append(rules, allow(r.writes, ll.AccessFSWriteFile, ll.AccessFSMakeReg|ll.AccessFSMakeDir)...)
	rules = append(rules, allow(r.clears, 0, ll.AccessFSRemoveFile|ll.AccessFSReadDir)...) // read, to lock the folder meanwhile
	all := landlock.MustConfig(landlock.V5.HandledAccessFS, landlock.V5.HandledAccessNet)  // no program, no TCP port and no connection
	return all.BestEffort().Restrict(rules...)
}

// knowsLandlock tells why the kernel cannot be asked.
func knowsLandlock() error {
	switch _, err := ll.LandlockGetABIVersion(); {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSYS):
		return errors.New("this kernel has none (Linux 5.13 and later have)")
	case errors.Is(err, syscall.EOPNOTSUPP):
		return errors.New("it is turned off in this kernel (lsm= of its command line)")
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EACCES):
		return errors.New("a filter of system calls, as containers and services have, refuses it")
	default:
		return fmt.Errorf("the kernel refuses it: %w", err)
	}
}

// allow makes rules for what is there: inFile is a right on files, inFolder one more on folders.
func allow(paths []string, inFile, inFolder landlock.AccessFSSet) (rules []landlock.Rule) {
	for _, path := range paths {
		info, err := os.Stat(path)
		rights := inFile
		if err == nil && info.IsDir() {
			rights |= inFolder
		}
		if err == nil && rights != 0 {
			rules = append(rules, landlock.PathAccess(rights, path).IgnoreIfMissing())
		}
	}
	return rules
}

// keep keeps a file of /proc in the kernel's memory, where it is there: otherwise it may be forgotten and made anew, and what was
// allowed was allowed for the old one.
func keep(path string) []string {
	if _, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0); err != nil {
		return nil
	}
	return []string{path}
}
