//go:build !linux

package wake

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform/seccomp"
)

// ownTable has no counterpart of unshare(CLONE_FILES) here.
func ownTable() error { return errors.ErrUnsupported }

// giveUpPrivileges has nothing to give up: there is no such thing here.
func giveUpPrivileges(seccomp.Privileges) error { return nil }

// wasPassed is about LISTEN_PIDFDID, which only Linux has.
func wasPassed(string) bool { return false }

func duplicate(from, to int) error { return unix.Dup2(from, to) }
