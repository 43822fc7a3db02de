package main

import (
	"fmt"
	"syscall"

	"github.com/rouse-server/rouse/activation/route"
)

// asItIs stands for a user or group that stays (setresuid(2)).
const asItIs = 1<<32 - 1

// become makes this process another user's, on all its threads, in a folder of its own if one is named; nil changes nothing.
func become(who *route.Identity) error {
	if who == nil {
		return nil
	}
	if who.Chroot != "" {
		if err := syscall.Chroot(who.Chroot); err != nil {
			return fmt.Errorf("change the root to %s: %w: only root may", who.Chroot, err)
		}
		if err := syscall.Chdir("/"); err != nil {
			return fmt.Errorf("change the root to %s: %w", who.Chroot, err)
		}
	}
	if who.Groups != nil || who.User != asItIs && syscall.Geteuid() == 0 { // root's groups are not for another user
		groups := make([]int, len(who.Groups))
		for i, g := range who.Groups {
			groups[i] = int(g)
		}
		if err := syscall.Setgroups(groups); err != nil {
			return fmt.Errorf("take the groups %v: %w: only root may", groups, err)
		}
	}
	if who.Group != asItIs {
		if err := syscall.Setgid(int(who.Group)); err != nil {
			return fmt.Errorf("take the group %d: %w: only root may", who.Group, err)
		}
	}
	if who.User != asItIs {
		if err := syscall.Setuid(int(who.User)); err != nil {
			return fmt.Errorf("become user %d: %w: only root may", who.User, err)
		}
	}
	return nil
}
