package perclient

import (
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// many lets clients come side by side, again and again, and holds that each gets this.
func many(t *testing.T, address string, clients, times int, want string) {
	t.Helper()
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for range times {
				c, err := net.DialTimeout("tcp", address, patience)
				if err != nil {
					t.Error(err)
					return
				}
				c.SetDeadline(time.Now().Add(patience))
				if got, err := io.ReadAll(c); err != nil || string(got) != want {
					t.Errorf("got %q, %v; want %q", got, err, want)
				}
				c.Close()
			}
		})
	}
	all.Wait()
}

// Of 64 clients at once none is reset.
func TestManyClients(t *testing.T) {
	t.Parallel()
	address, p := service(t, `echo served`)
	many(t, address, 64, 10, "served\n")
	p.Stop()
	p.Stderr.WaitFor(`msg=stopped .*served=640 reset=0`, patience)
}

// The same of those that a dispatcher of socketbox's kind passes, whose queue is short.
func TestManyPassedClients(t *testing.T) {
	t.Parallel()
	path := program.ShortDir(t) + "/handoff"
	p := inetd(t, nil, "--listen=handoff:"+path, "--", "/bin/echo", "served")
	p.Stderr.WaitFor("waits for clients", patience)
	many(t, program.SenderTo(t, path).Front("tcp", "127.0.0.1:0"), 64, 10, "served\n")
}

func TestMaxInstances(t *testing.T) {
	t.Parallel()
	address, p := service(t, `echo in; read line; echo out`, "--max-instances=2")
	first, second, third := dial(t, address), dial(t, address), dial(t, address)
	expect(t, first, "in\n")
	expect(t, second, "in\n")
	p.Stderr.WaitFor("as many processes run as may", patience)
	third.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, _ := third.Read(make([]byte, 1)); n > 0 {
		t.Error("a third process runs")
	}
	third.SetDeadline(time.Now().Add(patience))
	fmt.Fprintln(first)
	if got := rest(t, first); got != "out\n" {
		t.Errorf("got %q", got)
	}
	expect(t, third, "in\n") // it has waited, and was not lost
}

func TestPerClient(t *testing.T) {
	t.Parallel()
	address, p := service(t, `echo in; read line`, "--per-client=1")
	c := dial(t, address)
	expect(t, c, "in\n")
	resets(t, address)
	p.Stderr.WaitFor(`level=WARN .*as many connections as one may have.* client=127\.0\.0\.1:`, patience)
	other := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: patience}
	two, err := other.Dial("tcp", address)
	if err != nil {
		t.Skipf("no second address for a client: %v", err)
	}
	defer two.Close()
	two.SetDeadline(time.Now().Add(patience))
	expect(t, two, "in\n")
}

func TestRates(t *testing.T) {
	t.Parallel()
	t.Run("of all", func(t *testing.T) {
		t.Parallel()
		address, _ := service(t, `echo served`, "--rate=4/400ms")
		began := time.Now()
		many(t, address, 8, 1, "served\n")
		if took := time.Since(began); took < 350*time.Millisecond {
			t.Errorf("8 processes were started within %v: 4 at once and 1 each 100 ms take 400 ms", took)
		}
	})
	t.Run("of a client", func(t *testing.T) {
		t.Parallel()
		address, _ := service(t, `echo served`, "--client-rate=2/1h")
		many(t, address, 2, 1, "served\n")
		resets(t, address)
	})
}

func TestTimeLimit(t *testing.T) {
	t.Parallel()
	address, p := service(t, `echo in; sleep 600 & wait`, "--time-limit=100ms")
	if got := ask(t, address, ""); got != "in\n" { // also what it left behind has ended, or the connection would be open
		t.Errorf("got %q", got)
	}
	p.Stderr.WaitFor("signal=SIGTERM", patience)
}

// What a process writes to standard error stands in the log, with its client.
func TestStandardError(t *testing.T) {
	t.Parallel()
	address, p := service(t, `printf 'first\nsecond \033[2J line\n' >&2; echo out`)
	c := dial(t, address)
	if got := rest(t, c); got != "out\n" {
		t.Errorf("the client got %q", got)
	}
	client := regexp.QuoteMeta(c.LocalAddr().String())
	p.Stderr.WaitFor(`msg=first .*client=`+client+` pid=\d+\n`, patience)
	line := p.Stderr.WaitFor(`.*second .* line.*client=`+client+` pid=\d+\n`, patience)
	if strings.Contains(line[0], "\x1b") {
		t.Errorf("a control character stands in the log: %q", line[0])
	}
}

// Those that run when rouse is asked to end may go on, for a while.
func TestEnd(t *testing.T) {
	t.Parallel()
	address, p := service(t, `echo in; read line; echo out`)
	c := dial(t, address)
	expect(t, c, "in\n")
	p.Signal(15)
	fmt.Fprintln(c)
	if got := rest(t, c); got != "out\n" {
		t.Errorf("got %q", got)
	}
	if state := p.Wait(patience); !state.Success() {
		t.Errorf("rouse ended with %v", state)
	}
}

func TestWaitMode(t *testing.T) {
	t.Parallel()
	t.Run("TCP", func(t *testing.T) {
		t.Parallel()
		file, address := program.Listener(t)
		program.Start(t, program.Run{
			Args: []string{"inetd", "--wait", "--", self(t)}, Env: []string{childVariable + "=accept"}, Files: []*os.File{file}, Listen: true,
		})
		var answers []string
		for range 4 {
			answers = append(answers, ask(t, address, ""))
		}
		if answers[0] != answers[1] || answers[1] == answers[2] || answers[2] != answers[3] || !strings.HasPrefix(answers[0], "process ") {
			t.Errorf("got %q, want two clients of one process, and then two of another", answers)
		}
	})
	t.Run("UDP", func(t *testing.T) {
		t.Parallel()
		file, address := program.PacketConn(t)
		program.Start(t, program.Run{
			Args: []string{"inetd", "--", self(t)}, Env: []string{childVariable + "=datagram"}, Files: []*os.File{file}, Listen: true,
		})
		askUDP(t, address)
	})
}

// askUDP sends datagrams, each of which a process of its own answers.
func askUDP(t *testing.T, address string) {
	t.Helper()
	c, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	for _, text := range []string{"one", "two", "three"} {
		io.WriteString(c, text)
		b := make([]byte, 100)
		if n, err := c.Read(b); err != nil || string(b[:n]) != "got "+text {
			t.Fatalf("got %q, %v", b[:n], err)
		}
	}
}
