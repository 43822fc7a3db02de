package program

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

// Listener returns a TCP listener on a free port of 127.0.0.1, as an activator would open it, and its host:port. Clients
// may connect at once: the kernel queues them until the program accepts.
func Listener(t testing.TB) (*os.File, string) {
	t.Helper()
	return ListenerAt(t, "tcp", "127.0.0.1:0")
}

// ListenerAt is Listener for any stream network and address that net.Listen knows.
func ListenerAt(t testing.TB, network, address string) (*os.File, string) {
	t.Helper()
	listener := listen(t, network, address)
	defer listener.Close() // the file is a duplicate
	if unix, ok := listener.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(false)
	}
	return duplicate(t, listener.(fileHolder)), listener.Addr().String()
}

// UnixListener returns a listener on a unix stream socket and its path.
func UnixListener(t testing.TB) (*os.File, string) {
	t.Helper()
	return ListenerAt(t, "unix", filepath.Join(ShortDir(t), "s"))
}

// PacketConn returns a UDP socket bound to a free port of 127.0.0.1, and its host:port.
func PacketConn(t testing.TB) (*os.File, string) {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return duplicate(t, conn.(fileHolder)), conn.LocalAddr().String()
}

// ConnectionPair returns both ends of one TCP connection over loopback: the server's as a file to pass on, the client's
// to talk over.
func ConnectionPair(t testing.TB) (server *os.File, client net.Conn) {
	t.Helper()
	listener := listen(t, "tcp", "127.0.0.1:0")
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	accepted, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	return duplicate(t, accepted.(fileHolder)), client
}

// ShortDir returns a temporary folder whose path leaves room for a name: the path of a unix socket has at most 107
// bytes (unix(7)), and t.TempDir spells out the name of the test.
func ShortDir(t testing.TB) string {
	t.Helper()
	parent := os.TempDir()
	if len(parent) > 60 {
		parent = "/tmp"
	}
	dir, err := os.MkdirTemp(parent, "rouse-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func listen(t testing.TB, network, address string) net.Listener {
	t.Helper()
	var config net.ListenConfig
	config.SetMultipathTCP(false) // Go's default since 1.24 is MPTCP; activators open plain TCP
	listener, err := config.Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

type fileHolder interface{ File() (*os.File, error) }

// duplicate returns the socket of h as a file that is closed when the test ends.
func duplicate(t testing.TB, h fileHolder) *os.File {
	t.Helper()
	file, err := h.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}
