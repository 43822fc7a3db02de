package badinput

import (
	"os"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// noHTTP3 is said of UDP sockets and of the role h3 until there is HTTP/3.
const noHTTP3 = "Rouse does not speak HTTP/3 yet, so a UDP socket, or the role h3, cannot be served; leave it out"

// pipe returns the end of a pipe that one reads from.
func pipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return r
}

// Whoever passes a descriptor to --fd and mistakes its number must learn what is there instead, and how it was counted.
func TestDescriptors(t *testing.T) {
	dir := t.TempDir()
	file, err := os.Open(write(t, dir, "file", "x", 0o600))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() }) // not before the subtests have run
	packet, _ := program.PacketConn(t)
	listener, _ := program.Listener(t)
	alone := func(fd string) string {
		return `; pass a listening socket there \(--fd ` + fd + ` is descriptor ` + fd + ` itself: LISTEN_FDS is not set\)`
	}
	closed := "fd:99: descriptor 99 is not open: bad file descriptor" + alone("99")
	aFile := `fd:3: descriptor 3 is a regular file( \(\S+/file\))?: not a socket` + alone("3")
	aPipe := `fd:3: descriptor 3 is a pipe: not a socket` + alone("3")
	refused(t, []refusal{
		{name: "closed", args: []string{"--fd", "99"}, code: config, pattern: closed},
		{name: "closed, by variable", env: []string{"SERVER_LISTEN_FD=99"}, code: config, pattern: closed},
		{name: "closed, by address", args: []string{"--listen", "fd:99"}, code: config, want: "fd:99: descriptor 99 is not open: bad file descriptor; pass a listening socket there"},
		{name: "a regular file", args: []string{"-f", "3"}, files: []*os.File{file}, code: config, pattern: aFile},
		{name: "a pipe", args: []string{"-f3"}, files: []*os.File{pipe(t)}, code: config, pattern: aPipe},
		{name: "UDP", args: []string{"--fd=3"}, files: []*os.File{packet}, code: config, want: "fd:3 (descriptor 3): " + noHTTP3},
		{name: "not meant for this process", args: []string{"--fd", "1"}, env: []string{"LISTEN_FDS=1", "LISTEN_PID=1"}, files: []*os.File{listener}, code: config,
			pattern: `fd:1: descriptor 1 is a pipe: not a socket; pass a listening socket there \(--fd 1 is descriptor 1 itself: LISTEN_PID=1 is another process \(this one is \d+\)\)`},
		{name: "larger than any", args: []string{"--fd", "99999999999"}, code: usage, want: "--fd 99999999999: not a number from 0 on"},
		{name: "negative", args: []string{"--fd=-1"}, code: usage, want: "--fd -1: not a number from 0 on"},
		{name: "two addresses", args: []string{"--listen", "fd:3", "--listen", "http=fd:3"}, files: []*os.File{listener}, code: config, want: "fd:3: descriptor 3 is named by two addresses: leave one out"},
		{name: "two addresses of two sources", args: []string{"--listen", "fd:3 systemd:web"}, files: []*os.File{listener}, listen: true, names: []string{"web"}, code: config, want: "systemd:web: descriptor 3 is named by two addresses: leave one out"},
	})
}

// A service whose --fd counts past what was passed must learn how many sockets there are, and their names.
func TestDescriptorOutOfRange(t *testing.T) {
	one, _ := program.Listener(t)
	two, _ := program.Listener(t)
	refused(t, []refusal{
		{name: "one", args: []string{"--fd", "3"}, files: []*os.File{one}, listen: true, code: config, want: "--fd 3: no such socket was passed: LISTEN_FDS=1, and counted from 0 they are systemd:unknown"},
		{name: "two with names", args: []string{"--fd", "2"}, files: []*os.File{one, two}, listen: true, names: []string{"web", "admin"}, code: config, want: "--fd 2: no such socket was passed: LISTEN_FDS=2, and counted from 0 they are systemd:web, systemd:admin"},
		{name: "two of one name, by variable", env: []string{"SERVER_LISTEN_FD=5"}, files: []*os.File{one, two}, listen: true, names: []string{"web", "web"}, code: config, want: "--fd 5: no such socket was passed: LISTEN_FDS=2, and counted from 0 they are systemd:web[0], systemd:web[1]"},
	})
}

// inetd's sockets come on standard input; where there is none the message must say what is there instead.
func TestStandardInput(t *testing.T) {
	packet, _ := program.PacketConn(t)
	refused(t, []refusal{
		{name: "not a socket", args: []string{"--listen", "inetd:"}, code: config, pattern: `inetd: descriptor 0 is a character device( \(/dev/null\))?: not a socket; inetd passes the socket as standard input`},
		{name: "a pipe", args: []string{"--listen", "inetd:"}, stdin: pipe(t), code: config, want: "inetd: descriptor 0 is a pipe: not a socket; inetd passes the socket as standard input"},
		{name: "UDP", stdin: packet, code: config, want: "inetd: (descriptor 0): " + noHTTP3},
		{name: "two addresses", args: []string{"--listen", "inetd:,fd:0"}, stdin: listenerOnly(t), code: config, want: "fd:0: descriptor 0 is named by two addresses: leave one out"},
	})
}

func listenerOnly(t *testing.T) *os.File {
	t.Helper()
	listener, _ := program.Listener(t)
	return listener
}
