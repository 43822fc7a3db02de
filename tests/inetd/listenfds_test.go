package inetd

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/tests/program"
)

// Sockets passed by LISTEN_FDS would not be found, or one would be taken that is meant for another process.
func TestListenFDsThatAreServed(t *testing.T) {
	t.Parallel()
	ownPid := []string{"sh", "-c", `export LISTEN_PID=$$; exec "$@"`, "sh"}
	for _, c := range []struct {
		name    string
		through []string
		env     []string
		args    []string
		served  []int // which of the two passed sockets, descriptors 3 and 4
	}{
		{"this process", ownPid, []string{"LISTEN_FDS=2"}, nil, []int{0, 1}},
		{"this process, with names", ownPid, []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=http:http"}, nil, []int{0, 1}},
		{"this process, with empty names", ownPid, []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=:"}, nil, []int{0, 1}},
		{"by name", ownPid, []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=web:other"}, []string{"--listen=systemd:web"}, []int{0}},
		{"by name, in a variable", ownPid, []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=other:web", "SERVER_LISTEN=systemd:web"}, nil, []int{1}},
		{"by name and index", ownPid, []string{"LISTEN_FDS=2", "LISTEN_FDNAMES=web:web"}, []string{"--listen=systemd:web[1]"}, []int{1}},
		{"--fd 1", ownPid, []string{"LISTEN_FDS=2"}, []string{"--fd=1"}, []int{1}},
		{"--fd 0 without LISTEN_PID", nil, []string{"LISTEN_FDS=2"}, []string{"--fd", "0"}, []int{0}},
		{"--fd 1 without LISTEN_PID", nil, []string{"LISTEN_FDS=2"}, []string{"-f", "1"}, []int{1}},
		{"--fd 0 with an empty LISTEN_PID", nil, []string{"LISTEN_FDS=2", "LISTEN_PID="}, []string{"--fd=0"}, []int{0}},
		{"SERVER_LISTEN_FD without LISTEN_PID", nil, []string{"LISTEN_FDS=2", "SERVER_LISTEN_FD=0"}, nil, []int{0}},
		{"raw number without LISTEN_FDS", nil, nil, []string{"--fd=4"}, []int{1}},
		{"raw number beside another process's LISTEN_FDS", nil, []string{"LISTEN_FDS=2", "LISTEN_PID=1"}, []string{"--fd=4"}, []int{1}},
		{"raw number as an address", nil, []string{"LISTEN_FDS=2", "LISTEN_PID=1"}, []string{"--listen=http=fd:4"}, []int{1}},
		{"systemfd", ownPid, []string{"LISTEN_FDS=2", "LISTEN_FDS_FIRST_FD=3"}, nil, []int{0, 1}},
		{"systemfd --no-pid", nil, []string{"LISTEN_FDS=2", "LISTEN_FDS_FIRST_FD=3"}, []string{"--fd=0"}, []int{0}},
		{"systemfd with another first descriptor", ownPid, []string{"LISTEN_FDS=1", "LISTEN_FDS_FIRST_FD=4"}, nil, []int{1}},
		{"systemfd --no-pid with another first descriptor", nil, []string{"LISTEN_FDS=1", "LISTEN_FDS_FIRST_FD=4"}, []string{"--fd=0"}, []int{1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			one, first := systemfdListener(t)
			two, second := systemfdListener(t)
			args := append([]string{"serve", "--root=" + site(t)}, c.args...)
			p := program.Start(t, program.Run{Through: c.through, Args: args, Env: c.env, Files: []*os.File{one, two}})
			sockets := []service{first, second}
			for _, i := range c.served {
				askAll(t, sockets[i:i+1])
			}
			for i, s := range sockets { // by now all is said
				if strings.Contains(p.Stderr.String(), "http://"+s.address+" from ") != slices.Contains(c.served, i) {
					t.Errorf("socket %d is %s; served should be %v:\n%s", i, s.address, c.served, p.Stderr)
				}
			}
			if code := p.Stop().ExitCode(); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// A process that finds variables of its parent's, or a grandparent's, would serve on descriptors that are not its own.
func TestListenFDsOfAnotherProcess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, says string
		env        []string
	}{
		{"no LISTEN_PID", "LISTEN_FDS is set without LISTEN_PID", []string{"LISTEN_FDS=1"}},
		{"empty LISTEN_PID", "LISTEN_FDS is set without LISTEN_PID", []string{"LISTEN_FDS=1", "LISTEN_PID="}},
		{"no LISTEN_PID, and no number", "LISTEN_FDS is set without LISTEN_PID", []string{"LISTEN_FDS=0"}},
		{"other LISTEN_PID", "LISTEN_PID=1 is another process", []string{"LISTEN_FDS=1", "LISTEN_PID=1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file, _ := systemfdListener(t)
			p := program.Start(t, program.Run{Args: ownSocket(t), Env: c.env, Files: []*os.File{file}})
			askOwn(t, p.Stderr)
			has(t, p.Stderr, c.says)
		})
	}
}

// What cannot be served would be passed over in silence, or only "invalid" be said of it.
func TestListenFDsThatAreRefused(t *testing.T) {
	t.Parallel()
	regular, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer regular.Close()
	packet, _ := program.PacketConn(t)
	tcp, _ := program.Listener(t)
	for _, c := range []struct {
		name string
		file *os.File
		env  []string
		args []string
		says string
	}{
		{"too large a number", tcp, []string{"LISTEN_FDS=1", "LISTEN_FDNAMES=web"}, []string{"--fd=3"}, `--fd 3: .*LISTEN_FDS=1.*systemd:web`},
		{"number of nothing", tcp, nil, []string{"--fd=99"}, `descriptor 99 is not open`},
		{"number of nothing beside another process's", tcp, []string{"LISTEN_FDS=1", "LISTEN_PID=1"}, []string{"--fd=99"}, `descriptor 99 is not open.*LISTEN_PID=1 is another process`},
		{"a file", regular, []string{"LISTEN_FDS=1"}, []string{"--fd=0"}, `descriptor 3 is a regular file .*: not a socket`},
		{"a UDP socket", packet, []string{"LISTEN_FDS=1"}, []string{"--fd=0"}, `HTTP/3`},
		{"more names than descriptors", tcp, []string{"LISTEN_FDS=1", "LISTEN_FDNAMES=a:b"}, []string{"--fd=0"}, `LISTEN_FDNAMES=a:b .*LISTEN_FDS=1`},
		{"fewer descriptors than said", tcp, []string{"LISTEN_FDS=2"}, []string{"--fd=1"}, `systemd:unknown\[1\]: descriptor 4 is .*; pass a listening socket`},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"serve", "--root=" + site(t)}, c.args...)
			p := program.Start(t, program.Run{Args: args, Env: c.env, Files: []*os.File{c.file}})
			if code := p.Wait(limit).ExitCode(); code != 78 {
				t.Errorf("exit code %d, want 78", code)
			}
			p.Stderr.WaitFor(`(?m)^rouse: .*`+c.says+`.*$`, limit)
		})
	}
}

// systemfdListener returns a listener as systemfd makes it: blocking, on 127.0.0.1, with SO_REUSEADDR and SO_REUSEPORT,
// and a queue of one.
func systemfdListener(t testing.TB) (*os.File, service) {
	t.Helper()
	syscall.ForkLock.RLock() // or the program of another test could inherit it
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "listener")
	t.Cleanup(func() { file.Close() })
	for _, option := range []int{unix.SO_REUSEADDR, unix.SO_REUSEPORT} {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 1); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	port := name.(*unix.SockaddrInet4).Port
	return file, service{network: "tcp", address: net.JoinHostPort("127.0.0.1", fmt.Sprint(port))}
}
