package inetd

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestProcessGetsItsConnection(t *testing.T) {
	h := hold(t, "tcp:127.0.0.1:0")
	start(t, shell(`read line; echo "$0 says $line"; pwd`), Options{}, h)
	for i := range 3 {
		c := dial(t, h)
		fmt.Fprintf(c, "hello %d\n", i)
		if got, want := answer(t, c), fmt.Sprintf("sh says hello %d\n/\n", i); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("TCPREMOTEHOST", "liar.example")
	t.Setenv("LISTEN_FDS", "1")
	t.Setenv("NOTIFY_SOCKET", "/nowhere")
	for _, test := range []struct{ listen, dial, ip string }{
		{"tcp:127.0.0.1:0", "127.0.0.1", "127.0.0.1"},
		{"tcp:[::1]:0", "::1", "::1"},
		{"tcp:[::]:0", "127.0.0.1", "127.0.0.1"}, // mapped
		{"tcp:[::]:0", "::1", "::1"},
	} {
		t.Run(test.listen+" from "+test.dial, func(t *testing.T) {
			h := hold(t, test.listen)
			start(t, Service{Command: []string{"env"}, Path: "/usr/bin/env"}, Options{}, h)
			_, port, _ := net.SplitHostPort(h.Info.Local)
			c, err := net.Dial("tcp", net.JoinHostPort(test.dial, port))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_, ours, _ := net.SplitHostPort(c.LocalAddr().String())
			got := "\n" + answer(t, c)
			for _, want := range []string{
				"PROTO=TCP", "TCPREMOTEIP=" + test.ip, "TCPREMOTEPORT=" + ours, "TCPLOCALIP=" + test.ip, "TCPLOCALPORT=" + port,
				"REMOTE_HOST=" + test.ip, "REMOTE_ADDR=" + test.ip, "REMOTE_PORT=" + ours,
			} {
				if !strings.Contains(got, "\n"+want+"\n") {
					t.Errorf("%s is not in%s", want, got)
				}
			}
			for _, unwanted := range []string{"TCPREMOTEHOST", "LISTEN_FDS", "NOTIFY_SOCKET"} {
				if strings.Contains(got, "\n"+unwanted) {
					t.Errorf("%s is in%s", unwanted, got)
				}
			}
		})
	}
}

func TestUnixSocket(t *testing.T) {
	h := hold(t, "unix:"+t.TempDir()+"/s")
	start(t, shell(`echo "$PROTO$TCPREMOTEIP"`), Options{}, h)
	if got := answer(t, dial(t, h)); got != "UNIX\n" {
		t.Errorf("got %q", got)
	}
}

func TestMostProcesses(t *testing.T) {
	h := hold(t, "tcp:127.0.0.1:0")
	service := shell(`echo in; read line; echo out`)
	service.Most = 2
	r := start(t, service, Options{}, h)
	var served, waiting []net.Conn
	for range 2 {
		c := dial(t, h)
		expect(t, c, "in\n")
		served = append(served, c)
	}
	for range 5 {
		waiting = append(waiting, dial(t, h))
	}
	r.log.await(t, "as many processes run as may", "max=2")
	waiting[0].SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := waiting[0].Read(make([]byte, 1)); err == nil {
		t.Errorf("a third process has started: %d bytes", n)
	}
	for _, c := range append(served, waiting...) {
		c.SetDeadline(time.Now().Add(patience))
		fmt.Fprintln(c)
	}
	for _, c := range served {
		expect(t, c, "out\n")
	}
	for _, c := range waiting {
		if got := answer(t, c); got != "in\nout\n" {
			t.Errorf("got %q", got)
		}
	}
}

// expect reads exactly this.
func expect(t *testing.T, c net.Conn, want string) {
	t.Helper()
	b := make([]byte, len(want))
	for n := 0; n < len(want); {
		more, err := c.Read(b[n:])
		if n += more; err != nil {
			t.Fatalf("got %q, %v; want %q", b[:n], err, want)
		}
	}
	if string(b) != want {
		t.Fatalf("got %q, want %q", b, want)
	}
}

func TestPerClient(t *testing.T) {
	h := hold(t, "tcp:127.0.0.1:0")
	service := shell(`echo in; read line`)
	service.PerClient = 1
	r := start(t, service, Options{}, h)
	first := dial(t, h)
	expect(t, first, "in\n")
	resets(t, h)
	r.log.await(t, "as many connections as one may have", "client=127.0.0.1:")
	other := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.2")}}
	c, err := other.Dial("tcp", h.Info.Local)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	expect(t, c, "in\n")
	first.Close()
	r.log.await(t, "served", "client="+first.LocalAddr().String())
	expect(t, dial(t, h), "in\n")
}

func TestRateMakesClientsWait(t *testing.T) {
	h := hold(t, "tcp:127.0.0.1:0")
	service := shell(`echo in`)
	service.Rate = Rate{3, 300 * time.Millisecond}
	r := start(t, service, Options{}, h)
	began := time.Now()
	var clients sync.WaitGroup
	for range 9 {
		clients.Go(func() {
			if got := answer(t, dial(t, h)); got != "in\n" {
				t.Errorf("got %q", got)
			}
		})
	}
	clients.Wait()
	if took := time.Since(began); took < 550*time.Millisecond {
		t.Errorf("9 processes were started within %v; 3 at once and 1 each 100 ms take 600 ms", took)
	}
	r.log.await(t, "clients come faster", "max=3")
}

// No start is lost to somebody who found no client.
func TestRateIsWhatItSays(t *testing.T) {
	h := hold(t, "tcp:127.0.0.1:0")
	service := shell(`echo in`)
	service.Rate = Rate{10, time.Hour}
	start(t, service, Options{}, h)
	for range 10 {
		if got := answer(t, dial(t, h)); got != "in\n" {
			t.Errorf("got %q", got)
		}
	}
}

func TestClientRate(t *testing.T) {
	h := hold(t, "tcp:127.0.0.1:0")
	service := shell(`echo in`)
	service.ClientRate = Rate{2, time.Hour}
	r := start(t, service, Options{}, h)
	for range 2 {
		answer(t, dial(t, h))
	}
	resets(t, h)
	r.log.await(t, "comes too often")
}

func TestTimeLimit(t *testing.T) {
	h := hold(t, "tcp:127.0.0.1:0")
	service := shell(`echo in; sleep 600 & wait`) // the sleep is to end too
	service.Time = 100 * time.Millisecond
	r := start(t, service, Options{}, h)
	c := dial(t, h)
	if got := answer(t, c); got != "in\n" { // and all that had the connection has ended
		t.Errorf("got %q", got)
	}
	r.log.await(t, "ended by a signal", "SIGTERM")
}

func TestStandardError(t *testing.T) {
	for _, test := range []struct {
		where  Stderr
		answer string
		logged bool
	}{{Log, "out\n", true}, {Client, "out\nwrong \x1b[2Jthing\nand more", false}, {Null, "out\n", false}} {
		t.Run(string(test.where), func(t *testing.T) {
			h := hold(t, "tcp:127.0.0.1:0")
			service := shell(`echo out; printf 'wrong \033[2Jthing\nand more' >&2`)
			service.Stderr = test.where
			r := start(t, service, Options{}, h)
			c := dial(t, h)
			if got := answer(t, c); got != test.answer {
				t.Errorf("the client got %q, want %q", got, test.answer)
			}
			r.log.await(t, "served")
			if !test.logged {
				return
			}
			r.log.await(t, `msg="wrong �[2Jthing"`, "client="+c.LocalAddr().String(), "service=script", "pid=")
			r.log.await(t, `msg="and more"`)
		})
	}
}

// Many clients at once: each is served, and none is reset.
func TestManyClients(t *testing.T) {
	h := hold(t, "tcp:127.0.0.1:0")
	start(t, Service{Command: []string{"echo", "x"}, Path: "/bin/echo"}, Options{}, h)
	var clients sync.WaitGroup
	for range 64 {
		clients.Go(func() {
			for range 3 {
				if got := answer(t, dial(t, h)); got != "x\n" {
					t.Errorf("got %q", got)
				}
			}
		})
	}
	clients.Wait()
}

func TestProgramThatIsGone(t *testing.T) {
	h := hold(t, "tcp:127.0.0.1:0")
	path := t.TempDir() + "/program"
	write(t, path, "no program at all", 0o755)
	r := start(t, Service{Command: []string{"program"}, Path: path}, Options{}, h)
	resets(t, h)
	r.log.await(t, "no process could be started", "exec format error", "program="+path)
	write(t, path, "#!/bin/sh\necho here\n", 0o755)
	if got := answer(t, dial(t, h)); got != "here\n" {
		t.Errorf("got %q", got)
	}
}

func TestEnd(t *testing.T) {
	t.Run("those that run may go on", func(t *testing.T) {
		h := hold(t, "tcp:127.0.0.1:0")
		r := start(t, shell(`echo in; read line; echo out`), Options{Grace: patience}, h)
		c := dial(t, h)
		expect(t, c, "in\n")
		r.stop()
		fmt.Fprintln(c)
		if got := answer(t, c); got != "out\n" {
			t.Errorf("got %q", got)
		}
		if err := r.wait(); err != nil {
			t.Error(err)
		}
		r.log.await(t, "stopped", "served=1", "reset=0")
	})
	t.Run("but not for ever", func(t *testing.T) {
		h := hold(t, "tcp:127.0.0.1:0")
		r := start(t, shell(`trap 'echo bye; exit' TERM; echo in; while :; do sleep 0.02; done`), Options{Grace: 50 * time.Millisecond}, h)
		c := dial(t, h)
		expect(t, c, "in\n")
		r.stop()
		if got := answer(t, c); got != "bye\n" {
			t.Errorf("got %q", got)
		}
		r.wait()
	})
	t.Run("at once", func(t *testing.T) {
		h := hold(t, "tcp:127.0.0.1:0")
		now := make(chan struct{})
		r := start(t, shell(`trap '' TERM; echo in; while :; do sleep 1; done`), Options{Grace: time.Hour, AtOnce: now}, h)
		expect(t, dial(t, h), "in\n")
		r.stop()
		close(now)
		r.wait()
	})
}

func TestRefused(t *testing.T) {
	listener := hold(t, "tcp:127.0.0.1:0")
	folder := t.TempDir()
	proxied := listener
	proxied.Proxy = "v2"
	for name, b := range map[string]struct {
		bound Bound
		want  string
	}{
		"no program":         {Bound{Service{}, nil}, "no program"},
		"no file":            {Bound{Service{Command: []string{folder + "/none"}}, nil}, "is not there"},
		"no folder":          {Bound{Service{Command: []string{"/bin/sh"}, Dir: folder + "/none"}, held(listener)}, "folder " + folder + "/none to start in"},
		"a file as folder":   {Bound{Service{Command: []string{"/bin/sh"}, Dir: "/bin/sh"}, held(listener)}, "no folder to start in"},
		"a folder":           {Bound{Service{Command: []string{folder}}, nil}, "is a folder"},
		"no socket":          {Bound{shell("true"), nil}, "no socket"},
		"wait and PROXY":     {Bound{waiting(shell("true")), held(proxied)}, "?proxy="},
		"wait and clients":   {Bound{Service{Command: []string{"/bin/sh"}, Wait: true, PerClient: 1}, held(listener)}, "cannot be held"},
		"UDP and clients":    {Bound{Service{Command: []string{"/bin/sh"}, PerClient: 1}, held(hold(t, "udp:127.0.0.1:0"))}, "UDP socket is given to one process"},
		"nothing of a limit": {Bound{Service{Command: []string{"/bin/sh"}, Rate: Rate{Number: 1}}, held(listener)}, "less than nothing"},
		"standard error":     {Bound{Service{Command: []string{"/bin/sh"}, Stderr: "file"}, held(listener)}, "not to file"},
		"a NUL":              {Bound{Service{Command: []string{"/bin/sh", "a\x00b"}}, held(listener)}, "NUL"},
		"a limit":            {Bound{Service{Command: []string{"/bin/sh"}, Limits: []Limit{{Name: "files"}}}, held(listener)}, "limit"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Run(context.Background(), []Bound{b.bound}, Options{Log: slog.New(slog.DiscardHandler)})
			if _, ok := err.(Refused); !ok || !strings.Contains(err.Error(), b.want) {
				t.Errorf("got %v, want Refused with %q", err, b.want)
			}
		})
	}
}
