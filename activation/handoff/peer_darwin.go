package handoff

import (
	"fmt"

	"golang.org/x/sys/unix"
)

func peerOf(fd int) (Peer, error) {
	credentials, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return Peer{}, fmt.Errorf("who is at the other end of the unix socket: %w", err)
	}
	p := Peer{UID: credentials.Uid}
	if credentials.Ngroups > 0 {
		p.GID = credentials.Groups[0]
	}
	if pid, err := unix.GetsockoptInt(fd, unix.SOL_LOCAL, unix.LOCAL_PEERPID); err == nil {
		p.PID = pid
	}
	return p, nil
}
