package route

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation/handoff"
	"github.com/rouse-server/rouse/platform"
)

// inNamespace runs f on a thread with a network of its own, which has 192.0.2.1 beside the loopback addresses.
func inNamespace(t *testing.T, f func()) {
	t.Helper()
	ready, done := make(chan error, 1), make(chan struct{})
	platform.OnOwnThread(func() {
		defer close(done)
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = errors.Join(address("lo", [4]byte{127, 0, 0, 1}), address("lo:1", [4]byte{192, 0, 2, 1}))
		}
		ready <- err
		if err == nil {
			f()
		}
	})
	if err := <-ready; err != nil {
		t.Skipf("a network namespace of one's own: %v", err)
	}
	<-done
}

// address gives the interface an address, and turns it on.
func address(name string, a [4]byte) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	if err := errors.Join(r.SetInet4Addr(a[:]), unix.IoctlIfreq(fd, unix.SIOCSIFADDR, r)); err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
}

// made answers, and closes what was made when the test ends.
func made(t *testing.T, n Network, r handoff.NetworkRequest) handoff.NetworkAnswer {
	a := n.answer(t.Context(), r)
	if a.Number >= 0 {
		t.Cleanup(func() { unix.Close(a.Number) })
	}
	return a
}

// Sockets are bound, listen and connect, where the list allows it; what the kernel refuses is told as it says it.
func TestAnswer(t *testing.T) {
	n := Network{Listen: reachOf(t, "192.0.2.1:20", "192.0.2.1:30000-30002"), Connect: reachOf(t, "192.0.2.0/24:*", "198.51.100.77:9")}
	inNamespace(t, func() {
		listen := handoff.NetworkRequest{Operation: "listen", Family: 4, Type: "stream", Local: at("192.0.2.1:0"), Backlog: 5}
		seen := map[uint16]bool{}
		var last handoff.NetworkAnswer
		for range 3 {
			last = made(t, n, listen)
			if last.Errno != 0 || last.Local.Addr() != netip.MustParseAddr("192.0.2.1") || last.Local.Port()/10 != 3000 || seen[last.Local.Port()] {
				t.Errorf("any port: %+v", last)
			}
			seen[last.Local.Port()] = true
		}
		if a := made(t, n, listen); a.Errno != int(unix.EADDRINUSE) || !strings.Contains(a.Text, "none of the ports in its list is free") {
			t.Errorf("no port is left: %+v", a)
		}
		for option, want := range map[int]int{unix.SO_PROTOCOL: unix.IPPROTO_TCP, unix.SO_ACCEPTCONN: 1} {
			if got, err := unix.GetsockoptInt(last.Number, unix.SOL_SOCKET, option); got != want || err != nil {
				t.Errorf("option %d: %d, %v", option, got, err)
			}
		}
		connect := handoff.NetworkRequest{Operation: "connect", Family: 4, Type: "stream", Remote: last.Local}
		if a := made(t, n, connect); a.Errno != 0 || a.Number < 0 || a.Local.Port() == 0 {
			t.Errorf("connect: %+v", a)
		}
		connect.NoWait = true
		if a := made(t, n, connect); a.Errno != 0 && a.Errno != int(unix.EINPROGRESS) || platform.WaitConnected(t.Context(), a.Number) != nil {
			t.Errorf("connect, and do not wait: %+v", a)
		}
		connect.NoWait, connect.Local, connect.ReuseAddress = false, at("192.0.2.1:20"), true
		if a := made(t, n, connect); a.Errno != 0 || a.Local != connect.Local {
			t.Errorf("connect from port 20: %+v", a)
		}
		connect.Local, connect.Remote = netip.AddrPort{}, at("192.0.2.1:9")
		if a := made(t, n, connect); a.Errno != int(unix.ECONNREFUSED) || a.Number != -1 {
			t.Errorf("nobody is there: %+v", a)
		}
		connect.Remote = at("198.51.100.77:9")
		if a := made(t, n, connect); a.Errno != int(unix.ENETUNREACH) {
			t.Errorf("no way there: %+v", a)
		}
		bound := handoff.NetworkRequest{Operation: "listen", Family: 4, Type: "stream", Local: at("192.0.2.1:20"), ReuseAddress: true}
		for range 2 { // neither listens
			if a := made(t, n, bound); a.Errno != 0 || a.Local != bound.Local {
				t.Errorf("bound only: %+v", a)
			}
		}
	})
}

// Where the list has all ports, the kernel chooses one, and none below 1024.
func TestAnswerAnyPort(t *testing.T) {
	inNamespace(t, func() {
		for _, list := range []string{"any:*", "192.0.2.1:1000-1030"} {
			for range 20 {
				a := Network{Listen: reachOf(t, list)}.answer(t.Context(), handoff.NetworkRequest{Operation: "listen", Family: 6, Type: "stream", Local: at("[::ffff:192.0.2.1]:0")})
				if a.Errno != 0 || a.Local.Port() < 1024 {
					t.Errorf("%s: %+v", list, a)
				}
				unix.Close(a.Number)
			}
		}
	})
}

// A socket of both families has a port that the list has for both of them; where there is none it is for IPv6 alone.
func TestAnswerAnyPortOfBothFamilies(t *testing.T) {
	ask := handoff.NetworkRequest{Operation: "listen", Family: 6, Type: "stream", Local: at("[::]:0"), Backlog: 1}
	inNamespace(t, func() {
		for range 10 {
			n := Network{Listen: reachOf(t, "::/0:30000-30100", "::/0:20000-20002", "0.0.0.0/0:20002-20100")}
			if a := n.answer(t.Context(), ask); a.Errno != 0 || a.Local.Port() != 20002 {
				t.Errorf("%+v", a)
			} else {
				unix.Close(a.Number)
			}
			a := made(t, Network{Listen: reachOf(t, "::/0:30000-30100", "0.0.0.0/0:20000-20100")}, ask)
			only6, err := unix.GetsockoptInt(a.Number, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
			if a.Errno != 0 || a.Local.Port() < 30000 || err != nil || only6 != 1 {
				t.Errorf("%+v, only IPv6 %d, %v", a, only6, err)
			}
		}
	})
}

// The end of the dispatcher ends questions that wait for a connection.
func TestAnswerEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	full, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(full)
	if err := errors.Join(unix.Bind(full, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(full, 0)); err != nil {
		t.Fatal(err)
	}
	sa, _ := unix.Getsockname(full)
	n := Network{Connect: reachOf(t, "127.0.0.0/8:*")}
	answers := make(chan handoff.NetworkAnswer, 8)
	for range cap(answers) { // the queue holds some of them
		go func() {
			answers <- n.answer(ctx, handoff.NetworkRequest{Operation: "connect", Family: 4, Type: "stream", Remote: addressOf(sa)})
		}()
	}
	time.AfterFunc(50*time.Millisecond, cancel)
	waited := 0
	for range cap(answers) {
		a := <-answers
		if a.Errno == int(unix.ECONNABORTED) {
			waited++
		} else if a.Errno != 0 {
			t.Errorf("%+v", a)
		}
		if a.Number >= 0 {
			unix.Close(a.Number)
		}
	}
	if waited == 0 {
		t.Error("none waited")
	}
}
