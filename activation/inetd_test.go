package activation

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rouse-server/rouse/platform"
)

// asInetd says, in the environment of the test's own binary, that it is to be a program that inetd started.
const asInetd = "ROUSE_TEST_AS_INETD"

func TestMain(m *testing.M) {
	if how := os.Getenv(asInetd); how != "" {
		startedByInetd(how == "forced")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// report is what the started program saw. It comes on descriptor 3, since 0, 1 and 2 are what is tested.
type report struct {
	Covered bool
	Kind    Kind
	Wait    bool
	Source  string
	Err     string
	Sockets [3]bool // whether 0, 1 and 2 are sockets after the socket was taken
	Holds   int     // how many descriptors below 64 are sockets then
}

// startedByInetd does what the program does with descriptors 0 to 2, writes noise to 1 and 2, and answers one connection.
func startedByInetd(forced bool) {
	r := report{Covered: CoverErrors(forced)}
	fmt.Fprintln(os.Stderr, "noise")
	o := NewOpener()
	sockets, _, err := o.Discover(nil)
	if forced {
		sockets, err = o.Open([]Address{{Source: "inetd"}})
	}
	if err != nil {
		r.Err = err.Error()
	}
	fmt.Println("noise")
	fmt.Fprintln(os.Stderr, "noise")
	for fd := range r.Sockets {
		r.Sockets[fd] = platform.IsSocket(fd)
	}
	for fd := range 64 {
		if platform.IsSocket(fd) {
			r.Holds++
		}
	}
	if len(sockets) == 1 {
		r.Kind, r.Wait, r.Source = sockets[0].Kind, sockets[0].Wait, sockets[0].Source
	}
	json.NewEncoder(os.NewFile(3, "report")).Encode(r)
	if len(sockets) == 1 && sockets[0].Listener != nil {
		if c, err := sockets[0].Listener.Accept(); err == nil {
			io.WriteString(c, "answer")
			c.Close()
		}
	}
}

// child starts the test's binary with these descriptors 0, 1 and 2 and returns what it reports. It ends with the test.
func child(t *testing.T, how string, files [3]*os.File) report {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, executable)
	cmd.Env = []string{asInetd + "=" + how, "GOCOVERDIR=" + t.TempDir()}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = files[0], files[1], files[2]
	cmd.ExtraFiles = []*os.File{writer}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Wait() })
	writer.Close()
	reader.SetReadDeadline(time.Now().Add(patience))
	var r report
	if err := json.NewDecoder(reader).Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

// file returns the socket as a file to give to a child.
func file(t *testing.T, socket any) *os.File {
	t.Helper()
	f, err := socket.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// accepted returns both ends of a new connection to the listener, the server's as a file.
func accepted(t *testing.T, l net.Listener) (*os.File, net.Conn) {
	t.Helper()
	server, client := ends(t, l)
	defer server.Close()
	return file(t, server), client
}

// expectAnswer reads what the client got: the answer, and none of the noise that was written to standard output and error.
func expectAnswer(t *testing.T, client net.Conn) {
	t.Helper()
	client.SetDeadline(time.Now().Add(patience))
	if got, err := io.ReadAll(client); string(got) != "answer" || err != nil {
		t.Errorf("the client got %q, %v", got, err)
	}
}

// A client of inetd gets what the server answers and never a line of its log: the socket is on 0, 1 and 2.
func TestInetdNowait(t *testing.T) {
	for _, l := range []net.Listener{listen(t, "tcp", "127.0.0.1:0"), listen(t, "unix", filepath.Join(shortDir(t), "s"))} {
		server, client := accepted(t, l)
		// Before the socket is taken only standard error is covered: nothing of ours writes to standard output by then.
		r := child(t, "found", [3]*os.File{server, server, server})
		server.Close()
		if !r.Covered || r.Err != "" || r.Kind != Connection || r.Wait || r.Source != "inetd:" || r.Sockets != [3]bool{} || r.Holds != 1 {
			t.Errorf("%+v", r)
		}
		expectAnswer(t, client)
	}
}

// In wait mode the passed listener serves the client that woke it, and nothing else is written to it.
func TestInetdWait(t *testing.T) {
	l := listen(t, "tcp", "127.0.0.1:0")
	client, err := net.DialTimeout("tcp", l.Addr().String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server := file(t, l)
	r := child(t, "found", [3]*os.File{server, server, server})
	if !r.Covered || r.Err != "" || r.Kind != Listener || !r.Wait || r.Sockets != [3]bool{} || r.Holds != 1 {
		t.Errorf("%+v", r)
	}
	expectAnswer(t, client)
}

// systemd's StandardInput=socket with StandardError=journal leaves standard error alone, and so do we: lines go there.
func TestStandardInputOnly(t *testing.T) {
	server, client := accepted(t, listen(t, "tcp", "127.0.0.1:0"))
	output, err := os.Create(filepath.Join(t.TempDir(), "lines"))
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	r := child(t, "found", [3]*os.File{server, output, output})
	server.Close()
	if r.Covered || r.Err != "" || r.Kind != Connection || r.Sockets != [3]bool{} {
		t.Errorf("%+v", r)
	}
	expectAnswer(t, client)
	if lines, err := os.ReadFile(output.Name()); strings.Count(string(lines), "noise\n") != 3 {
		t.Errorf("standard output and error got %q, %v", lines, err)
	}
}

// Node's spawn gives its children unnamed unix pairs as standard input and output: they are neither served nor covered,
// unless the address inetd: says so.
func TestUnnamedPair(t *testing.T) {
	for _, how := range []string{"found", "forced"} {
		pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
		client, err := net.FileConn(ours)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		ours.Close()
		r := child(t, how, [3]*os.File{theirs, theirs, theirs})
		theirs.Close()
		if how == "forced" {
			if !r.Covered || r.Err != "" || r.Kind != Connection || r.Sockets != [3]bool{} {
				t.Errorf("inetd: gives %+v", r)
			}
			expectAnswer(t, client)
			continue
		}
		if r.Covered || r.Err != "" || r.Kind != "" || r.Sockets != [3]bool{true, true, true} {
			t.Errorf("%+v", r)
		}
		client.SetDeadline(time.Now().Add(patience))
		if got, err := io.ReadAll(client); string(got) != "noise\nnoise\nnoise\n" {
			t.Errorf("the parent got %q, %v", got, err)
		}
	}
}
