package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
)

// firstSocket is the descriptor of the first inherited socket (SD_LISTEN_FDS_START, sd_listen_fds(3)).
const firstSocket = 3

// A socket listens on loopback for a server to inherit, so there is neither a port to guess nor a start to wait for.
type socket struct {
	role string   // "http", "https", deferred or answers
	file *os.File // nil: it is only an address, for the server to make a socket there
	addr net.Addr
}

func listen(ctx context.Context, role string) (socket, error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false) // Go's default; other activators pass plain TCP
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return socket{}, fmt.Errorf("listening on loopback: %w", err)
	}
	defer listener.Close() // the file is a duplicate and goes on listening
	tcp, ok := listener.(*net.TCPListener)
	if !ok {
		return socket{}, fmt.Errorf("listening on loopback gave a %T", listener)
	}
	file, err := tcp.File()
	return socket{role: role, file: file, addr: tcp.Addr()}, err
}

func closeSockets(sockets []socket) {
	for _, s := range inherited(sockets) {
		s.file.Close()
	}
}

// inherited are those that a server gets; the others it makes itself.
func inherited(sockets []socket) []socket {
	return slices.DeleteFunc(slices.Clone(sockets), func(s socket) bool { return s.file == nil })
}

func (s socket) address() string { return s.addr.String() }

func (s socket) url(path string) string { return s.scheme() + "://" + s.address() + path }

// scheme is that of the URLs of a web server's socket.
func (s socket) scheme() string {
	switch s.role {
	case deferred:
		return "http"
	case onlyHTTP2:
		return "https"
	}
	return s.role
}
