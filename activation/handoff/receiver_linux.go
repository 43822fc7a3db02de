package handoff

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
)

// newReceiver makes the datagram socket to be bound to the path, with a deep queue where that can be had. How many messages
// it holds is taken from the network namespace that it is made in (net.unix.max_dgram_qlen, 10 by default, and the machine's
// setting is not ours to change), while sockets with a path are found from all namespaces: so it is made in a new one. Names
// without a file belong to the namespace.
func newReceiver(path string) (int, error) {
	if isPath(path) {
		made := make(chan int)
		platform.OnOwnThread(func() { made <- deepSocket() })
		if fd := <-made; fd >= 0 {
			return fd, nil
		}
	}
	return newSocket(unix.SOCK_DGRAM)
}

// deepSocket returns -1 where this process may not do so. It changes the namespace of the thread.
func deepSocket() int {
	if unix.Unshare(unix.CLONE_NEWNET) != nil {
		return -1
	}
	if os.WriteFile("/proc/sys/net/unix/max_dgram_qlen", []byte("1024"), 0) != nil {
		return -1
	}
	fd, err := newSocket(unix.SOCK_DGRAM)
	if err != nil {
		return -1
	}
	return fd
}
