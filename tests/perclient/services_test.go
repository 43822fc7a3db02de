package perclient

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// freePort returns a port that nobody has now.
func freePort(t *testing.T, network string) int {
	t.Helper()
	if strings.HasPrefix(network, "udp") {
		c, err := net.ListenPacket(network, "localhost:0")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.LocalAddr().(*net.UDPAddr).Port
	}
	l, err := net.Listen(network, "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// A file of several services, in the syntax of inetd.conf.
func TestServices(t *testing.T) {
	t.Parallel()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	four, both, udp := freePort(t, "tcp4"), freePort(t, "tcp"), freePort(t, "udp4")
	dir := program.ShortDir(t)
	path := filepath.Join(dir, "inetd.conf")
	text := fmt.Sprintf(`# services of this test
127.0.0.1:
%[1]d	stream	tcp	nowait.2	%[4]s	/bin/sh	sh -c 'echo four $TCPREMOTEIP $0' zero
*:
%[2]d	stream	tcp6	nowait	%[4]s
	/bin/sh	sh -c 'echo six $TCPREMOTEIP'	# is continued
%[2]d	stream	tcp4	nowait	%[4]s	/bin/sh	sh -c 'echo also four $TCPREMOTEIP'
127.0.0.1:%[3]d	dgram	udp	wait	%[4]s	%[5]s	child
%[6]s/s	stream	unix	nowait	%[4]s	/bin/sh	sh -c 'echo unix $PROTO'
`, four, both, udp, me.Username, self(t), dir)
	text = strings.Replace(text, "\t# is continued", "", 1)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	p := program.Start(t, program.Run{Args: []string{"inetd", "--services=" + path, "--log-format=logfmt"}, Env: []string{childVariable + "=datagram"}})
	for range 5 {
		p.Stderr.WaitFor("(?s)"+strings.Repeat("waits for clients.*", 5), patience)
	}
	for address, want := range map[string]string{
		fmt.Sprintf("127.0.0.1:%d", four): "four 127.0.0.1 zero\n",
		fmt.Sprintf("[::1]:%d", both):     "six ::1\n",
		fmt.Sprintf("127.0.0.1:%d", both): "also four 127.0.0.1\n",
		dir + "/s":                        "unix UNIX\n",
	} {
		if got := ask(t, address, ""); got != want {
			t.Errorf("%s: got %q, want %q", address, got, want)
		}
	}
	askUDP(t, fmt.Sprintf("127.0.0.1:%d", udp))
	ask(t, fmt.Sprintf("127.0.0.1:%d", four), "")
	dial(t, fmt.Sprintf("127.0.0.1:%d", four)) // the third within a minute waits
	p.Stderr.WaitFor("clients come faster than processes may be started", patience)
}

// What is wrong with a file is told with its place, and nothing is started.
func TestServicesThatAreWrong(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "inetd.conf")
	if err := os.WriteFile(path, []byte("echo stream tcp nowait root internal\n\nftp stream tcp nowait root ftpd\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := program.Start(t, program.Run{Args: []string{"inetd", "--services=" + path}})
	if state := p.Wait(patience); state.ExitCode() != 78 {
		t.Errorf("exit status %d, want 78", state.ExitCode())
	}
	for _, want := range []string{path + ":1: internal: no services are built in", path + ":3: ftpd: the path of a program"} {
		if !strings.Contains(p.Stderr.String(), want) {
			t.Errorf("%q is not in %q", want, p.Stderr)
		}
	}
}
