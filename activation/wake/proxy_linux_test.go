package wake

import (
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/rouse-server/rouse/platform/process"
)

// Without a map the program's own processes tell where it listens, on whatever address and in whatever of its processes.
func TestProxySearch(t *testing.T) {
	for listens, edit := range map[string]func(*Config){
		"tcp 127.0.0.1:0": func(*Config) {},
		"tcp :0":          func(*Config) {},
		"tcp 127.7.7.7:0": func(*Config) {},
		"tcp [::1]:0": func(c *Config) { // in a child of the process that was started
			c.Command, c.Path = []string{"sh", "-c", `"$0" "$1" & wait`, c.Path, c.Command[1]}, "/bin/sh"
		},
	} {
		t.Run(listens, func(t *testing.T) {
			if l, err := net.Listen("tcp", strings.TrimPrefix(listens, "tcp ")); err != nil {
				t.Skip(err)
			} else {
				l.Close()
			}
			f := newFront(t, listens, edit)
			one := f.run()
			await(t, one.ready, "readiness")
			if err := f.once(); err != nil {
				t.Error(err)
			}
			for _, pid := range one.processes() {
				syscall.Kill(pid, syscall.SIGKILL)
			}
			await(t, one.gone, "the end of the program")
			f.rest()
		})
	}
}

// Where the program listens on several ports it is told to which one its clients are carried.
func TestProxySeveralPorts(t *testing.T) {
	f := newFront(t, "tcp 127.0.0.1:0 127.0.0.1:0")
	one := f.run()
	await(t, one.ready, "readiness")
	eventually(t, "a warning", func() bool {
		return strings.Contains(f.log.String(), "several ports") && strings.Contains(f.log.String(), "=web")
	})
}

// A program that wants the address of the held socket itself is told apart from one that fails otherwise.
func TestProxyAddressInUse(t *testing.T) {
	f := newFront(t, "")
	f.config.Env = append([]string{"WAKE_TEST_RELAYED=tcp " + f.address}, f.config.Env...)
	one := f.run()
	await(t, one.gone, "the end of the program")
	eventually(t, "an explanation", func() bool { return strings.Contains(f.log.String(), "must not bind that of") })
}

// A connection to a unix socket counts until it is accepted.
func TestProxyUntakenUnix(t *testing.T) {
	path := t.TempDir() + "/s"
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Skip(err)
	}
	defer l.Close()
	for want := range 3 {
		if n := untaken(nil, path); n != want {
			t.Errorf("%d wait, want %d", n, want)
		}
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	for want := 2; want >= 0; want-- {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if n := untaken(nil, path); n != want {
			t.Errorf("%d wait, want %d", n, want)
		}
	}
}

func TestProxyReaches(t *testing.T) {
	for text, ok := range map[string]bool{
		"127.0.0.1:80": true, "[::]:80": true, "0.0.0.0:80": true, "127.0.0.1:81": false, "127.0.0.2:80": false, "[::1]:80": false,
	} {
		l := process.Listening{Address: netip.MustParseAddrPort(text)}
		if reaches(l, netip.MustParseAddrPort("127.0.0.1:80")) != ok {
			t.Errorf("%s: want %v", text, ok)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at := []netip.AddrPort{netip.MustParseAddrPort(l.Addr().String())}
	if !answered(at) || untaken(at, "") != 0 {
		t.Errorf("%v is not seen", at)
	}
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if n := untaken(at, ""); n != 1 {
		t.Errorf("%d connections wait to be accepted", n)
	}
	l.Close()
	if answered(at) {
		t.Errorf("%v is seen after its end", at)
	}
}
