package sockets

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/tests/program"
)

// socket makes a stream socket of the family, bound to address unless that is nil, and not listening.
func socket(t *testing.T, family int, address unix.Sockaddr) *os.File {
	t.Helper()
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "socket")
	t.Cleanup(func() { f.Close() })
	if address != nil {
		if err := unix.Bind(fd, address); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// What a supervisor forgot (to bind, to listen, to pass all that it counts) is told as it is. Other systems cannot be asked
// whether a socket listens.
func TestSocketsThatAreNotReady(t *testing.T) {
	path := program.ShortDir(t) + "/s"
	files := []*os.File{socket(t, unix.AF_UNIX, &unix.SockaddrUnix{Name: path}), socket(t, unix.AF_INET, nil), socket(t, unix.AF_UNIX, nil)}
	const unbound = `not start: systemd:\w+ \(descriptor \d\) is a stream socket \([a-z0-9, ]+\) without an address: bind it before it is passed`
	shown{files: files, listen: true, names: []string{"bound", "four", "local"}, rows: []row{
		{Number: 3, Name: "bound", Source: "systemd:bound", Kind: "listener", Family: "unix", Type: "stream", Protocol: "unix", Address: path, State: "bound", Serve: "listen on it and speak http"},
		{Number: 4, Name: "four", Source: "systemd:four", Family: "ipv4", Type: "stream", Protocol: "tcp", Address: "0.0.0.0:0", State: "unbound", Serve: unbound},
		{Number: 5, Name: "local", Source: "systemd:local", Family: "unix", Type: "stream", Protocol: "unix", State: "unbound", Serve: unbound},
	}}.check(t)
}

// A closed descriptor must not vanish from the table. Where Go's runtime has opened a file of its own under the number,
// the message names that file.
func TestFewerSocketsThanCounted(t *testing.T) {
	web, at := program.Listener(t)
	shown{
		env: []string{"LISTEN_FDS=2"}, through: []string{"sh", "-c", `export LISTEN_PID=$$; exec "$@"`, "sh"}, files: []*os.File{web},
		rows: []row{
			{Number: 3, Name: "unknown", Source: "systemd:unknown[0]", Kind: "listener", Family: "ipv4", Type: "stream", Protocol: "tcp", Address: at, State: "listening", Serve: "speak http"},
			{Number: 4, Name: "unknown", Source: "systemd:unknown[1]", Serve: `not start: systemd:unknown\[1\]: descriptor 4 is .*; pass a listening socket there`},
		},
	}.check(t)
}
