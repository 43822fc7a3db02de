package wake

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation/handoff"
	"github.com/rouse-server/rouse/platform"
)

// elsewhere is a thread with a network of its own, which has 192.0.2.1: where the dispatcher is.
type elsewhere struct {
	t  *testing.T
	do chan func()
}

func newElsewhere(t *testing.T) *elsewhere {
	t.Helper()
	e := &elsewhere{t, make(chan func())}
	ready := make(chan error, 1)
	platform.OnOwnThread(func() {
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			err = errors.Join(interfaceUp("lo", [4]byte{127, 0, 0, 1}), interfaceUp("lo:1", [4]byte{192, 0, 2, 1}))
		}
		ready <- err
		for f := range e.do {
			f()
		}
	})
	t.Cleanup(func() { close(e.do) })
	if err := <-ready; err != nil {
		t.Skipf("a network namespace of one's own: %v", err)
	}
	return e
}

// socket makes one there: non-blocking, close-on-exec.
func (e *elsewhere) socket(domain int) int {
	made := make(chan int)
	e.do <- func() {
		fd, _ := unix.Socket(domain, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		made <- fd
	}
	return <-made
}

// listen listens there.
func (e *elsewhere) listen(port, backlog int) net.Listener {
	e.t.Helper()
	fd := e.socket(unix.AF_INET)
	unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{192, 0, 2, 1}, Port: port}), unix.Listen(fd, backlog)); err != nil {
		e.t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "listener")
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { l.Close() })
	return l
}

// peer answers all that it is told; told to connect, it connects, and answers there.
func (e *elsewhere) peer(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go e.echo(conn)
	}
}

func (e *elsewhere) echo(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	if word, _ := in.Peek(1); string(word) == "c" {
		var port int
		fmt.Fscanf(in, "connect to %d\n", &port)
		fd := e.socket(unix.AF_INET)
		defer unix.Close(fd)
		err := unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{192, 0, 2, 1}, Port: port})
		if err == unix.EINPROGRESS {
			err = platform.WaitConnected(context.Background(), fd)
		}
		if err != nil {
			return
		}
		f := os.NewFile(uintptr(fd), "client")
		defer f.Close()
		io.Copy(f, f)
		return
	}
	io.Copy(conn, in)
}

// answer makes the sockets that are asked for, but none of port 666, and none of loopback.
func (e *elsewhere) answer(r handoff.NetworkRequest) handoff.NetworkAnswer {
	a := handoff.NetworkAnswer{ID: r.ID, Number: -1}
	if r.Local.Port() == 666 || r.Remote.Port() == 666 || r.Remote.Addr().Unmap().IsLoopback() {
		a.Errno, a.Text = int(unix.EACCES), "the list does not have it"
		return a
	}
	domain := map[int]int{4: unix.AF_INET, 6: unix.AF_INET6}[r.Family]
	fd := e.socket(domain)
	if r.ReuseAddress {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	var err error
	if r.Local.IsValid() {
		err = unix.Bind(fd, addressFor(r.Local))
	}
	if err == nil && r.Operation == "connect" {
		err = unix.Connect(fd, addressFor(r.Remote))
	}
	if err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		a.Errno, a.Text = int(err.(syscall.Errno)), err.Error()
		return a
	}
	if err != nil {
		a.Errno = int(unix.EINPROGRESS)
	}
	a.Number, a.Local = fd, ownAddress(fd)
	return a
}

func addressFor(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return to4(a)
	}
	return to6(a)
}

// open opens the dispatcher's desk, and answers who comes there.
func (e *elsewhere) open(path string) {
	e.t.Helper()
	d, err := handoff.OpenDesk(path, 0o600, -1, -1)
	if err != nil {
		e.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			a, err := d.Next(ctx)
			if err != nil {
				return
			}
			c, err := a.Network()
			if err != nil {
				return
			}
			for {
				r, err := c.Next(ctx)
				if err != nil {
					break
				}
				answer := e.answer(r)
				c.Answer(answer)
				if answer.Number >= 0 {
					unix.Close(answer.Number)
				}
			}
			c.Close()
		}
	}()
	e.t.Cleanup(func() {
		cancel()
		d.Close()
		<-ended
	})
}

func disconnect(fd int) error {
	nobody := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&nobody)), unix.SizeofSockaddrAny)
	if errno != 0 {
		return errno
	}
	return nil
}

// networked is an engine whose program has sockets from elsewhere.
func networked(t *testing.T, program string) (d *desk, path string, away *elsewhere) {
	t.Helper()
	folder, err := os.MkdirTemp("", "wake") // t.TempDir is too long for a unix socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	path, away = filepath.Join(folder, "desk"), newElsewhere(t)
	l := away.listen(25, 64)
	go away.peer(l)
	d = newDesk(t, "", "tcp", "127.0.0.1:0", func(c *Config) {
		c.Command = []string{"program", "-test.run=^TestNetworkProgram$"}
		c.Env = append(c.Env, "WAKE_NETWORK_PROGRAM="+program, "WAKE_NETWORK_PEER="+l.Addr().String())
		c.Maps = maps(t, "4711=web") // nothing is guessed
		c.NetworkFrom = path + "#ftp"
	})
	return d, path, away
}

// ends waits for the program's end, which is a good one.
func (d *desk) ends(one *instance) {
	d.t.Helper()
	d.wait(one.gone, "the end of the program")
	if one.main.status != 0 {
		d.t.Errorf("the program ended with %v: %s", one.main.status, d.log)
	}
}

// A program with nothing but loopback has the network of the dispatcher, and sees no difference.
func TestNetwork(t *testing.T) {
	for _, program := range []string{"passive", "passive mapped", "active", "any source", "blocking", "nonblocking", "refused", "again", "inside", "udp", "go"} {
		t.Run(program, func(t *testing.T) {
			d, path, away := networked(t, program)
			away.open(path)
			before := openSockets(t)
			d.ends(d.run())
			for end := time.Now().Add(patient); openSockets(t) > before+2; time.Sleep(time.Millisecond) { // both ends of the talk stay
				if time.Now().After(end) {
					t.Fatalf("%d sockets, and %d before", openSockets(t), before)
				}
			}
		})
	}
}

func openSockets(t *testing.T) (count int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if target, _ := os.Readlink("/proc/self/fd/" + e.Name()); strings.HasPrefix(target, "socket:") {
			count++
		}
	}
	return count
}

// What the dispatcher refuses is refused, with one line for each.
func TestNetworkList(t *testing.T) {
	d, path, away := networked(t, "list")
	away.open(path)
	d.ends(d.run())
	for _, want := range []string{"the program connects to 192.0.2.1:666: refused", "the program binds 0.0.0.0:666: refused", "the list does not have it"} {
		if !strings.Contains(d.log.String(), want) {
			t.Errorf("the log lacks %q: %s", want, d.log)
		}
	}
}

// A server that does not answer is waited for as long as the program says.
func TestNetworkFull(t *testing.T) {
	d, path, away := networked(t, "full")
	away.open(path)
	away.listen(26, 0)
	for range 3 { // its queue
		fd := away.socket(unix.AF_INET)
		t.Cleanup(func() { unix.Close(fd) })
		unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{192, 0, 2, 1}, Port: 26})
	}
	d.ends(d.run())
}

// Without a dispatcher there is no network, and one that comes later is found.
func TestNetworkAway(t *testing.T) {
	d, path, away := networked(t, "away")
	one := d.run()
	d.says("nobody was there")
	away.open(path)
	d.ends(one)
	d.says("the dispatcher does not answer")
}

// Where the sockets come from has to be said in full, and needs somebody beside the program.
func TestNetworkConfig(t *testing.T) {
	for _, text := range []string{"/run/desk", "#ftp", "/run/desk#"} {
		if _, err := newNetwork(text); !errors.As(err, &Refused{}) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if n, err := newNetwork("/run/a#b#ftp"); err != nil || n.path != "/run/a#b" || n.backend != "ftp" {
		t.Errorf("%+v, %v", n, err)
	}
	c := Config{Command: []string{"true"}, Sockets: newDesk(t, "sleep", "tcp", "127.0.0.1:0").c.Sockets, NetworkFrom: "/run/desk#ftp"}
	if e := Explain(c); !strings.Contains(strings.Join(e.Notices, "\n"), "are made by the dispatcher") {
		t.Errorf("%q", e.Notices)
	}
	for mode, want := range map[Mode]string{Proxy: "--network-from needs listener mode", Translate: "nobody is left for --network-from"} {
		c.Mode = mode
		if _, err := c.decide(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", mode, err)
		}
	}
}
