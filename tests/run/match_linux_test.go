package run

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/rouse-server/rouse/tests/program"
)

// Without this a server with two ports would get one socket for the other's clients, and send secrets in clear.
func TestMaps(t *testing.T) {
	t.Parallel()
	needsListener(t)
	users(t, func(t *testing.T, through []string) {
		s := newService(t)
		s.through = through
		secure := s.hold("secure", "127.0.0.1:0")
		one, two := unused(t), unused(t)
		for _, maps := range []string{
			"--map=" + portOf(t, one) + "=web --map=" + portOf(t, two) + "=secure",
			"--map=" + one + "/tcp=systemd:web," + two + "=systemd:secure",
			"--map=" + portOf(t, two) + "/tcp=secure --map=" + one + "=web[0]",
		} {
			p := s.run(maps, "-tcp", two, "-tcp", one)
			// The listener that child names is its first.
			says(t, s.ask("/"), " local="+s.address, " listener="+secure)
			says(t, ask(t, secure, "/"), " local="+secure)
			nobodyAt(t, one)
			nobodyAt(t, two)
			stop(t, p)
		}
	})
}

// Without this a map would be a wish only: the guess would give the socket to what comes first.
func TestMapsSwitchTheGuessOff(t *testing.T) {
	t.Parallel()
	needsListener(t)
	s := newService(t)
	status, served := unused(t), unused(t)
	p := s.run("--map="+portOf(t, served)+"=web", "-tcp", status, "-tcp", served)
	says(t, s.ask("/"), " listener="+status)
	says(t, ask(t, status, "/"), " local="+status)
	p.Stderr.WaitFor(`WRN .*`+status+` .*itself`, limit)
	stop(t, p)
}

// Without this a server with a second port would not know which of its ports the world sees.
func TestGuess(t *testing.T) {
	t.Parallel()
	needsListener(t)
	t.Run("the first bind", func(t *testing.T) {
		t.Parallel()
		s := newService(t)
		more := unused(t)
		p := s.run("", "-tcp", s.other, "-tcp", more)
		says(t, s.ask("/"), " local="+s.address, " listener="+s.address)
		says(t, ask(t, more, "/"), " local="+more)
		p.Stderr.WaitFor(`WRN .*`+more+` .*itself`, limit)
		stop(t, p)
	})
	t.Run("its own port", func(t *testing.T) {
		t.Parallel()
		s := newService(t)
		p := s.run("", "-tcp", s.address, "-tcp", s.other)
		says(t, s.ask("/"), " listener="+s.address)
		says(t, ask(t, s.other, "/"), " local="+s.other)
		stop(t, p)
	})
	t.Run("two places", func(t *testing.T) {
		t.Parallel()
		s := newService(t)
		second := s.hold("second", "127.0.0.1:0")
		p := s.run("", "-tcp", second, "-tcp", s.address, "-tcp", s.other)
		says(t, s.ask("/"), " local="+s.address, " listener="+second)
		says(t, ask(t, second, "/"), " local="+second)
		says(t, ask(t, s.other, "/"), " local="+s.other)
		stop(t, p)
	})
	t.Run("both kinds", func(t *testing.T) {
		t.Parallel()
		s := newService(t)
		packets := s.holdPackets("packets")
		p := s.run("", "-udp", s.other, "-tcp", s.other)
		says(t, s.ask("/"), " listener="+s.address)
		echoes(t, packets)
		stop(t, p)
	})
}

// echoes holds that datagrams come back.
func echoes(t testing.TB, address string) {
	t.Helper()
	c, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := fmt.Fprint(c, "hello"); err != nil {
		t.Error(err)
	}
	buffer := make([]byte, 10)
	c.SetDeadline(time.Now().Add(limit))
	if n, err := c.Read(buffer); err != nil || string(buffer[:n]) != "hello" {
		t.Errorf("%q, %v", buffer[:n], err)
	}
}

// needsIPv6 skips a test where the machine has none.
func needsIPv6(t testing.TB) {
	t.Helper()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Skipf("no IPv6: %v", err)
	}
	l.Close()
}

// Without this a server would serve IPv6 clients with tables for IPv4 ones, and crash; or its port would not be found.
func TestFamilies(t *testing.T) {
	t.Parallel()
	needsListener(t)
	needsIPv6(t)
	t.Run("IPv6 on IPv4", func(t *testing.T) {
		t.Parallel()
		s := newService(t)
		p := s.run("", "-tcp", "[::]:"+s.port)
		says(t, s.ask("/"), " local="+s.address)
		stop(t, p)
	})
	for _, mapped := range []bool{false, true} {
		t.Run(fmt.Sprintf("IPv4 on IPv6, mapped %v", mapped), func(t *testing.T) {
			t.Parallel()
			s := &service{t: t}
			at := s.hold("web", "[::]:0")
			s.address = "127.0.0.1:" + portOf(t, at)
			options, bound := "", s.address
			if mapped {
				bound = unused(t)
				options = "--map=" + portOf(t, bound) + "=web"
			}
			p := s.run("--lazy=false "+options, "-how", "call", "-tcp", bound)
			exit(t, p, 1)
			says(t, p.Stderr.String(), "cannot assign requested address", "ListenStream=0.0.0.0:", "ListenStream=[::]:", "BindIPv6Only=ipv6-only", "--family=any")
			if n := strings.Count(p.Stderr.String(), "BindIPv6Only"); n != 1 {
				t.Errorf("said %d times", n)
			}
			p = s.run("--family=any "+options, "-how", "call", "-tcp", bound)
			says(t, s.ask("/"), "pid=")
			stop(t, p)
		})
	}
	t.Run("both", func(t *testing.T) {
		t.Parallel()
		s, six := bothFamilies(t)
		p := s.run("", "-tcp", "127.0.0.1:"+s.port, "-tcp", "[::1]:"+s.port)
		says(t, s.ask("/"), " local="+s.address, " listener="+s.address)
		says(t, ask(t, six, "/"), " local="+six, " peer=[::1]")
		stop(t, p)
	})
}

// bothFamilies returns a service with an IPv4 and an IPv6 socket of one port, and the address of the second.
func bothFamilies(t *testing.T) (*service, string) {
	t.Helper()
	for range 20 {
		four, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		at := "[::1]:" + portOf(t, four.Addr().String())
		six, err := net.Listen("tcp", at)
		four.Close()
		if err != nil {
			continue // somebody has it
		}
		six.Close()
		s := &service{t: t, port: portOf(t, unused(t))}
		s.address = s.hold("web", four.Addr().String())
		return s, s.hold("web", at)
	}
	t.Fatal("no port is free in both families")
	return nil, ""
}

// Without this a server whose command line asks for unix sockets could not be put behind one; and its clients' addresses,
// which it has none of, would end it.
func TestUnixSocket(t *testing.T) {
	t.Parallel()
	needsListener(t)
	s := &service{t: t}
	file, path := program.UnixListener(t)
	s.files, s.names, s.address = append(s.files, file), []string{"local"}, path
	at := unused(t)
	p := s.run("--map="+portOf(t, at)+"=local", "-how", "call", "-tcp", at)
	says(t, s.ask("/environment"), "PATH=")
	nobodyAt(t, at)
	stop(t, p)
}

// Without this warning a wrong port in a map would look as if rouse did nothing.
func TestMapNeverUsed(t *testing.T) {
	t.Parallel()
	needsListener(t)
	if !long() {
		return // it takes 10 s
	}
	s := newService(t)
	p := s.run("--lazy=false --map=1=web", "-tcp", s.other)
	p.Stderr.WaitFor(`WRN .*1=web.*`, limit)
	says(t, p.Stderr.String(), "port", "io_uring", "32-bit")
	p.Stop()
}
