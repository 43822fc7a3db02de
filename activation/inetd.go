package activation

import (
	"fmt"

	"github.com/rouse-server/rouse/platform"
)

// stdinIsSocket tells whether descriptor 0 was passed as a socket to be served. An unnamed unix pair is ordinary standard
// input: Node's spawn gives its children such pairs. So are sockets of families that are not served.
func (o *Opener) stdinIsSocket() bool { return servable(o.stdin) }

func servable(fd int) bool {
	s, err := platform.Describe(fd)
	named := s.Family == platform.Unix && s.Local != ""
	return err == nil && (s.Family == platform.IPv4 || s.Family == platform.IPv6 || named) && s.State != platform.Unbound
}

// inetd returns descriptor 0, which must be a socket: listening in wait mode, connected in nowait mode.
func (o *Opener) inetd() ([]Descriptor, error) {
	if !platform.IsSocket(o.stdin) {
		_, err := platform.Describe(o.stdin)
		return nil, fmt.Errorf("inetd: %w; inetd passes the socket as standard input", err)
	}
	return []Descriptor{{Number: o.stdin, Source: "inetd:"}}, nil
}

// moveStandard takes the socket away from descriptor 0, 1 or 2, and from the other two where they are the same socket, so
// that nothing is ever written to it that is not HTTP. /dev/null stands in their places.
func (o *Opener) moveStandard(fd int) (int, error) {
	moved, err := platform.MoveAside(fd)
	if err != nil {
		return -1, err
	}
	for other := range 3 {
		if other != fd && platform.SameFile(other, moved) {
			if err := platform.Cover(other); err != nil {
				return -1, err
			}
		}
	}
	return moved, nil
}

// CoverErrors puts /dev/null over descriptor 2 where it is the same socket as descriptor 0, which inetd and systemd's
// StandardInput=socket do. It must run before the first line is written: on a listening socket the Go runtime would die of
// SIGPIPE, and on a connection the client would read the line. Unnamed unix pairs are left alone unless forced is true.
// It reports whether it covered.
func CoverErrors(forced bool) bool {
	if !platform.IsSocket(0) || !platform.SameFile(0, 2) || !forced && !servable(0) {
		return false
	}
	return platform.Cover(2) == nil
}
