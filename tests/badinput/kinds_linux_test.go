package badinput

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/tests/program"
)

// socket makes a socket as it comes from the kernel, without an address. Where the kernel does not have the protocol the
// test is skipped.
func socket(t *testing.T, family, kind, protocol int) *os.File {
	t.Helper()
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, protocol)
	if err == unix.EPROTONOSUPPORT || err == unix.ESOCKTNOSUPPORT || err == unix.EAFNOSUPPORT || err == unix.EPERM {
		t.Skipf("no such socket here: socket(%d, %d, %d): %v", family, kind, protocol, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "socket")
	t.Cleanup(func() { f.Close() })
	return f
}

// bound binds a socket to a path of its own.
func bound(t *testing.T, f *os.File) *os.File {
	t.Helper()
	path := filepath.Join(program.ShortDir(t), "s")
	if err := unix.Bind(int(f.Fd()), &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	return f
}

// Each socket that cannot be served has to be refused by what it is: what looks like a listener and is none would make
// every client wait.
func TestKindsOfSockets(t *testing.T) {
	const only = ": only stream sockets (TCP, MPTCP, unix) can be used, which systemd calls ListenStream="
	const address = " without an address: bind it before it is passed"
	for _, c := range []struct {
		name string
		file func(t *testing.T) *os.File
		want string
	}{
		{"seqpacket", func(t *testing.T) *os.File {
			f := bound(t, socket(t, unix.AF_UNIX, unix.SOCK_SEQPACKET, 0))
			if err := unix.Listen(int(f.Fd()), 1); err != nil {
				t.Fatal(err)
			}
			return f
		}, "is a seqpacket socket (unix)" + only},
		{"unix datagram", func(t *testing.T) *os.File { return bound(t, socket(t, unix.AF_UNIX, unix.SOCK_DGRAM, 0)) },
			"is a datagram socket (unix)" + only},
		{"SCTP", func(t *testing.T) *os.File { return socket(t, unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP) },
			"is a stream socket (ipv4, sctp)" + only},
		{"raw", func(t *testing.T) *os.File { return socket(t, unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP) },
			"is a raw socket (ipv4, protocol 1)" + only},
		{"netlink", func(t *testing.T) *os.File { return socket(t, unix.AF_NETLINK, unix.SOCK_RAW, 0) },
			"is a raw socket (family 16, protocol 0): only IPv4, IPv6 and unix sockets can be used"},
		{"unbound TCP", func(t *testing.T) *os.File { return socket(t, unix.AF_INET, unix.SOCK_STREAM, 0) },
			"is a stream socket (ipv4, tcp)" + address},
		{"unbound unix", func(t *testing.T) *os.File { return socket(t, unix.AF_UNIX, unix.SOCK_STREAM, 0) },
			"is a stream socket (unix)" + address},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := []*os.File{c.file(t)}
			refusal{args: []string{"--listen", "fd:3"}, files: files, code: config, want: "fd:3 (descriptor 3) " + c.want}.check(t)
			refusal{files: files, listen: true, names: []string{"web"}, code: config, want: "systemd:web (descriptor 3) " + c.want}.check(t)
		})
	}
}

// Clients that leave before inetd's server has started are everyday life: no line in the log, and no failed unit.
func TestClientThatLeft(t *testing.T) {
	for _, way := range []struct {
		name  string
		leave func(t *testing.T, client net.Conn)
	}{
		{"closed", func(t *testing.T, client net.Conn) {}},
		{"reset", func(t *testing.T, client net.Conn) {
			if err := client.(*net.TCPConn).SetLinger(0); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(way.name, func(t *testing.T) {
			conn, client := program.ConnectionPair(t)
			way.leave(t, client)
			if err := client.Close(); err != nil {
				t.Fatal(err)
			}
			root := "SERVER_ROOT=" + t.TempDir()
			for name, run := range map[string]program.Run{
				"on stdin":    {Env: []string{root}, Stdin: conn},
				"LISTEN_FDS":  {Env: []string{root}, Files: []*os.File{conn}, Listen: true},
				"fd: address": {Args: []string{"--listen", "fd:3"}, Env: []string{root}, Files: []*os.File{conn}},
			} {
				p := program.Start(t, run)
				if code := p.Wait(soon).ExitCode(); code != 0 || p.Stderr.String() != "" || p.Stdout.String() != "" {
					t.Errorf("%s: exit code %d, on stderr %q, on stdout %q", name, code, p.Stderr, p.Stdout)
				}
			}
		})
	}
}
