package perclient

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// describe is a script that tells what its process has: its descriptors, its signals, its environment, and who it is.
const describe = `
i=0; while [ $i -lt 200 ]; do [ ! -e /proc/self/fd/$i ] || echo fd $i $(readlink /proc/$$/fd/$i); i=$((i+1)); done
cat /proc/self/status
echo cwd $(pwd)
env
`

// A child has its connection, standard error and nothing else; its signals are at their default, whatever rouse was started
// with; and it knows its client.
func TestChild(t *testing.T) {
	t.Parallel()
	through := []string{tool(t, "env"), "--block-signal=USR1,CHLD,TERM", "--ignore-signal=CHLD,HUP,PIPE,TSTP"}
	for name, sockets := range map[string]func(t *testing.T, run program.Run) (string, *program.Process){
		"of a listener": func(t *testing.T, run program.Run) (string, *program.Process) {
			file, address := program.Listener(t)
			run.Files, run.Listen = append(run.Files, file), true
			return address, program.Start(t, run)
		},
		"of a channel": func(t *testing.T, run program.Run) (string, *program.Process) {
			path := program.ShortDir(t) + "/handoff"
			run.Args = append([]string{"inetd", "--log-level=debug", "--listen=handoff:" + path}, run.Args[1:]...)
			p := program.Start(t, run)
			p.Stderr.WaitFor("waits for clients", patience)
			return program.SenderTo(t, path).Front("tcp", "127.0.0.1:0"), p
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, where := range []string{"log", "client", "null"} {
				leaked, err := os.Open("/dev/zero")
				if err != nil {
					t.Fatal(err)
				}
				defer leaked.Close()
				run := program.Run{
					Through: through,
					Args:    []string{"inetd", "--stderr=" + where, "--", "/bin/sh", "-c", describe},
					Env:     []string{"TCPREMOTEHOST=liar.example", "NOTIFY_SOCKET=/nowhere"},
				}
				if name == "of a channel" {
					run.Files = []*os.File{leaked} // which rouse knows nothing of
				}
				address, p := sockets(t, run)
				c := dial(t, address)
				isChild(t, rest(t, c), c)
				p.Stop()
			}
		})
	}
}

// isChild holds what a child told against its client.
func isChild(t *testing.T, told string, c net.Conn) {
	t.Helper()
	var open []string
	for line := range strings.Lines(told) {
		if rest, ok := strings.CutPrefix(line, "fd "); ok {
			open = append(open, strings.TrimSpace(rest))
		}
	}
	if list := strings.Join(open, "\n"); !regexp.MustCompile(`^0 (socket:\[\d+\])\n1 socket:\[\d+\]\n2 \S+$`).MatchString(list) {
		t.Errorf("open descriptors:\n%s", list)
	}
	client, local := c.LocalAddr().(*net.TCPAddr), c.RemoteAddr().(*net.TCPAddr)
	for _, want := range []string{
		"SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000", "SigCgt:\t0000000000000000", "cwd /",
		"PROTO=TCP", "TCPREMOTEIP=127.0.0.1", fmt.Sprintf("TCPREMOTEPORT=%d", client.Port),
		"TCPLOCALIP=127.0.0.1", fmt.Sprintf("TCPLOCALPORT=%d", local.Port),
		"REMOTE_HOST=127.0.0.1", "REMOTE_ADDR=127.0.0.1", fmt.Sprintf("REMOTE_PORT=%d", client.Port),
	} {
		if !strings.Contains("\n"+told, "\n"+want+"\n") {
			t.Errorf("%s is not in what it told:\n%s", want, told)
		}
	}
	for _, unwanted := range []string{"\nLISTEN_", "\nTCPREMOTEHOST", "\nNOTIFY_SOCKET", "\nROUSE_"} {
		if strings.Contains(told, unwanted) {
			t.Errorf("%q is in what it told:\n%s", unwanted, told)
		}
	}
}

// A child may be somebody else, with limits.
func TestUserAndLimits(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root starts programs as another user")
	}
	address, _ := service(t, `id -u; id -g; id -G; echo $HOME $USER; ulimit -Sn; ulimit -Hn; ulimit -c; umask`,
		"--user=nobody", "--group=daemon", "--groups=bin,sys", "--limit=nofile=50:60,core=0")
	if got, want := ask(t, address, ""), "65534\n1\n1 2 3\n/nonexistent nobody\n50\n60\n0\n0022\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// rouse that has few descriptors keeps clients waiting, and loses none.
func TestFewDescriptors(t *testing.T) {
	t.Parallel()
	file, address := program.Listener(t)
	program.Start(t, program.Run{
		Through: []string{tool(t, "prlimit"), "--nofile=24:24"}, Files: []*os.File{file}, Listen: true,
		Args: []string{"inetd", "--", "/bin/sh", "-c", "sleep 0.05; echo served"},
	})
	many(t, address, 40, 2, "served\n")
}
