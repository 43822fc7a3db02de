package wake

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"syscall"

	"github.com/rouse-server/rouse/activation/handoff"
)

// network is where sockets come from for what the program has to reach, and has no network for: a dispatcher (rouse dispatch),
// which knows the program as one of its backends.
type network struct {
	path, backend string

	mu     sync.Mutex
	client *handoff.NetworkClient // nil until the first question
	closed bool
}

// newNetwork reads PATH#BACKEND; nil where that is empty.
func newNetwork(text string) (*network, error) {
	if text == "" {
		return nil, nil
	}
	i := strings.LastIndexByte(text, '#')
	if i <= 0 || i == len(text)-1 {
		return nil, refused("--network-from=%s: write the path of the dispatcher's socket, # and the name of the backend, such as /run/rouse/dispatch.sock#ftp", text)
	}
	return &network{path: text[:i], backend: text[i+1:]}, nil
}

// errAway says that no dispatcher answers.
var errAway = errors.New("the dispatcher does not answer")

// ask gets a socket from the dispatcher, close-on-exec and non-blocking, and its own address. The error wraps errAway,
// handoff.ErrRefused, or the syscall.Errno that the program is to see; with EINPROGRESS there is a socket that connects still.
func (n *network) ask(r handoff.NetworkRequest) (fd int, local netip.AddrPort, err error) {
	for range 2 { // the first time the connection may be one to a dispatcher that ended
		var client *handoff.NetworkClient
		if client, err = n.dial(); err != nil {
			break
		}
		if r.Operation == "listen" {
			fd, local, err = client.Listen(r)
		} else {
			fd, local, err = client.Connect(r)
		}
		switch errno, _ := errors.AsType[syscall.Errno](err); {
		case err == nil, errno == syscall.EINPROGRESS && fd >= 0:
			return fd, local, nil
		case fd >= 0:
			closeDescriptor(fd)
			return -1, local, err
		case errno != 0 && errno != syscall.EPIPE && errno != syscall.ENOTCONN && errno != syscall.ENOENT:
			return -1, local, err
		}
	}
	if errors.Is(err, handoff.ErrRefused) {
		return -1, netip.AddrPort{}, err
	}
	return -1, netip.AddrPort{}, fmt.Errorf("%w: %v", errAway, err)
}

// dial connects for the first question; after that the client does so itself.
func (n *network) dial() (*handoff.NetworkClient, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.client != nil {
		return n.client, nil
	}
	if n.closed {
		return nil, errors.New("it is closed")
	}
	client, err := handoff.DialNetwork(n.path, n.backend)
	if err == nil {
		n.client = client
	}
	return client, err
}

func (n *network) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	if n.client != nil {
		n.client.Close()
	}
}
