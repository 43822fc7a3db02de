package handoff

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// receiver opens a channel at a new path.
func receiver(t testing.TB, o DatagramOptions) (d *Datagrams, path string) {
	t.Helper()
	path = filepath.Join(shortDir(t), "s")
	o.Owner, o.Group = -1, -1
	d, err := ListenDatagrams(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, path
}

// sendAs sends a message to the path as an unconnected sender does; credentials are who it says to be.
func sendAs(t testing.TB, path string, data, credentials []byte, descriptors ...int) {
	t.Helper()
	fd, err := newSocket(unix.SOCK_DGRAM)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	control := credentials
	if len(descriptors) > 0 {
		control = append(control, unix.UnixRights(descriptors...)...)
	}
	if _, err := unix.SendmsgN(fd, data, control, &unix.SockaddrUnix{Name: path}, 0); err != nil {
		t.Fatal(err)
	}
}

// What arrives is the first descriptor of a message, whatever its bytes are; the others are closed.
func TestDatagrams(t *testing.T) {
	noLeak(t)
	d, path := receiver(t, DatagramOptions{Credit: 10})
	_, other := connection(t)
	for _, data := range [][]byte{{0}, []byte("x"), make([]byte, 128), make([]byte, 1000)} {
		client, fd := connection(t)
		sendAs(t, path, data, nil, fd, other, other)
		a := next(t, d)
		if a.Kind != Connection || a.Meta.At.IsZero() {
			t.Errorf("%+v", a)
		}
		if want := client.LocalAddr().(*net.TCPAddr).AddrPort(); a.Meta.Client != want {
			t.Errorf("the client is %v, not %v", a.Meta.Client, want)
		}
		if want := client.RemoteAddr().(*net.TCPAddr).AddrPort(); a.Meta.Local != want {
			t.Errorf("it connected to %v, not %v", a.Meta.Local, want)
		}
		if flags, _ := unix.FcntlInt(uintptr(a.Number), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 {
			t.Error("child processes inherit it")
		}
		a.Accepted() // means nothing here
		answers(t, a.Number, client)
	}
}

// No more is given than was granted; the rest waits, and none of it is lost.
func TestDatagramsGrant(t *testing.T) {
	noLeak(t)
	d, path := receiver(t, DatagramOptions{Credit: 1})
	s := NewSender(path)
	t.Cleanup(func() { s.Close() })
	client, fd := connection(t)
	const sent = 100
	for range sent {
		if err := s.sendWithin(within(t), fd); err != nil {
			t.Fatal(err)
		}
	}
	next(t, d)
	expectNone(t, d)
	d.Grant(sent - 2)
	for range sent - 2 {
		a := next(t, d)
		answers(t, a.Number, client)
	}
	expectNone(t, d)
	d.Grant(5)
	next(t, d)
	expectNone(t, d)
}

// The kernel's queue is emptied as long as there is room here, and no longer.
func TestDatagramsReserve(t *testing.T) {
	noLeak(t)
	d, path := receiver(t, DatagramOptions{})
	d.mutex.Lock()
	d.reserve = 7
	d.mutex.Unlock()
	_, fd := connection(t)
	s := NewSender(path)
	t.Cleanup(func() { s.Close() })
	sent := 0
	for ; s.Send(fd) == nil; sent++ { // until the kernel's queue, or the sender's buffer, is full too
	}
	if sent < 7 {
		t.Fatalf("%d were taken", sent)
	}
	if d.mutex.Lock(); len(d.queue) > 8 { // the reserve, and one that it had in its hands
		t.Errorf("%d are in the queue", len(d.queue))
	}
	d.mutex.Unlock()
	d.Grant(sent)
	for range sent {
		next(t, d)
	}
	expectNone(t, d)
}

// notConnections returns descriptors that are none, by what the error says of them.
func notConnections(t testing.TB) map[string]int {
	t.Helper()
	unconnected, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.CloseOnExec(unconnected)
	udp, err := net.Dial("udp4", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	ours, _ := pair(t, unix.SOCK_STREAM)
	packets, _ := pair(t, unix.SOCK_DGRAM)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unix.Close(unconnected)
		udp.Close()
		unix.Close(ours)
		unix.Close(packets)
		null.Close()
	})
	return map[string]int{
		"it listens":                         descriptor(t, listenTCP(t)),
		"it is not connected":                unconnected,
		"it is a datagram socket (udp)":      descriptor(t, udp.(*net.UDPConn)),
		"accept=unix allows it":              ours,
		"it is a datagram socket (unix)":     packets,
		"character device (/dev/null)":       int(null.Fd()),
		"there was no descriptor in the mes": -1,
	}
}

// What is no connection is refused, closed and logged with its sender; a connection of a unix socket too, unless allowed.
func TestDatagramsRefused(t *testing.T) {
	noLeak(t)
	for reason, fd := range notConnections(t) {
		var l logged
		d, path := receiver(t, DatagramOptions{Credit: 10, Log: l.log()})
		var descriptors []int
		if fd >= 0 {
			descriptors = []int{fd}
		}
		sendAs(t, path, []byte{0}, nil, descriptors...)
		l.await(t, reason, 1)
		if who := fmt.Sprintf("uid %d, pid %d", os.Getuid(), os.Getpid()); !strings.Contains(l.String(), who) || !strings.Contains(l.String(), d.String()) {
			t.Errorf("%q does not name %q and %q", l.String(), who, d)
		}
		_, good := connection(t)
		sendAs(t, path, []byte{0}, nil, good)
		next(t, d)
		expectNone(t, d)
	}
	d, path := receiver(t, DatagramOptions{Credit: 10, Accepts: Accepts{Unix: true}})
	ours, _ := pair(t, unix.SOCK_STREAM)
	sendAs(t, path, []byte{0}, nil, ours)
	unix.Close(ours)
	if a := next(t, d); a.Meta.Client.IsValid() || a.Meta.Local.IsValid() {
		t.Errorf("%+v", a)
	}
}

// A connection whose client has reset it since is nothing to complain of.
func TestDatagramsReset(t *testing.T) {
	noLeak(t)
	var l logged
	d, path := receiver(t, DatagramOptions{Credit: 10, Log: l.log()})
	client, fd := connection(t)
	client.SetLinger(0)
	client.Close()
	polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	unix.Poll(polled, int(limit.Milliseconds()))
	sendAs(t, path, []byte{0}, nil, fd)
	client, fd = connection(t)
	sendAs(t, path, []byte{0}, nil, fd)
	answers(t, next(t, d).Number, client)
	if l.String() != "" {
		t.Error(l.String())
	}
}

// Only root, our own user and those that are configured may send.
func TestDatagramsSenders(t *testing.T) {
	noLeak(t)
	if os.Geteuid() != 0 {
		t.Skip("only root may send in the name of others (unix(7), SCM_CREDENTIALS)")
	}
	_, fd := connection(t)
	var l logged
	d, path := receiver(t, DatagramOptions{Credit: 10, Log: l.log()})
	sendAs(t, path, []byte{0}, claim(t, 12345), fd)
	sendAs(t, path, []byte{0}, claim(t, 65534), fd)
	l.await(t, "this user may not send here: from=12345 would allow it", 1)
	l.await(t, "uid 65534", 1)
	sendAs(t, path, []byte{0}, claim(t, 0), fd)
	next(t, d)
	expectNone(t, d)

	d, path = receiver(t, DatagramOptions{Credit: 10, Senders: []uint32{12345}, Log: l.log()})
	sendAs(t, path, []byte{0}, claim(t, 12346), fd)
	l.await(t, "from=12346", 1)
	sendAs(t, path, []byte{0}, claim(t, 12345), fd)
	next(t, d)
	expectNone(t, d)
}

// Who sends nonsense cannot flood the log; what was left out is counted.
func TestDatagramsFlood(t *testing.T) {
	noLeak(t)
	var l logged
	d, path := receiver(t, DatagramOptions{Credit: 10, Log: l.log()})
	s := NewSender(path)
	t.Cleanup(func() { s.Close() })
	fd := descriptor(t, listenTCP(t))
	const sent = 200
	for range sent {
		if err := s.sendWithin(within(t), fd); err != nil {
			t.Fatal(err)
		}
	}
	_, good := connection(t)
	if err := s.sendWithin(within(t), good); err != nil {
		t.Fatal(err)
	}
	next(t, d)
	d.Close()
	lines := strings.Count(l.String(), "\n")
	if lines > 20 || !strings.Contains(l.String(), "more of this kind") {
		t.Errorf("%d lines:\n%s", lines, l.String())
	}
}

// While this process may open no more descriptors, connections wait in the kernel: one that it took then would be lost.
func TestDatagramsScarce(t *testing.T) {
	noLeak(t)
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Setrlimit(unix.RLIMIT_NOFILE, &before) })
	var l logged
	client, fd := connection(t)
	path := filepath.Join(shortDir(t), "s")
	s := sender(t, path)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(openDescriptors() + 40), Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	const sent = 120
	d, err := ListenDatagrams(path, DatagramOptions{Owner: -1, Group: -1, Credit: sent, Log: l.log()})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var group sync.WaitGroup
	defer group.Wait()
	ctx := within(t)
	group.Go(func() {
		for range sent {
			if err := s.sendWithin(ctx, fd); err != nil {
				t.Error(err)
			}
		}
	})
	l.await(t, "may open no more descriptors", 1)
	for range sent {
		a, err := d.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		answers(t, a.Number, client)
		unix.Close(a.Number)
	}
	if strings.Contains(l.String(), "refused") {
		t.Error(l.String())
	}
}

// A pair of any type carries connections, and its end is told where the kernel tells it: after all that came before.
func TestInheritCarrier(t *testing.T) {
	for name, kind := range map[string]int{"seqpacket": unix.SOCK_SEQPACKET, "stream": unix.SOCK_STREAM, "dgram": unix.SOCK_DGRAM} {
		t.Run(name, func(t *testing.T) {
			noLeak(t)
			ours, theirs := pair(t, kind)
			theirs, _ = unix.FcntlInt(uintptr(theirs), unix.F_DUPFD_CLOEXEC, 3)
			d, err := InheritDatagrams(ours, "fd:3", DatagramOptions{Credit: 2})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { d.Close() })
			if d.String() != "fd:3" {
				t.Error(d)
			}
			s := NewCarrier(theirs)
			t.Cleanup(func() { s.Close() })
			if err := s.Check(); err != nil {
				t.Error(err)
			}
			client, fd := connection(t)
			for range 3 {
				if err := s.Ready(within(t)); err != nil {
					t.Fatal(err)
				}
				if err := s.Send(fd); err != nil {
					t.Fatal(err)
				}
			}
			answers(t, next(t, d).Number, client)
			if kind == unix.SOCK_DGRAM {
				return // the kernel does not tell the end of a datagram pair
			}
			unix.Shutdown(theirs, unix.SHUT_RDWR)
		})
	}
}

func TestInheritEnd(t *testing.T) {
	noLeak(t)
	for _, kind := range []int{unix.SOCK_SEQPACKET, unix.SOCK_STREAM} {
		ours, theirs := pair(t, kind)
		d, err := InheritDatagrams(ours, "fd:3", DatagramOptions{Credit: 2})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		_, fd := connection(t)
		if err := sendMessage(theirs, []byte{0}, fd); err != nil {
			t.Fatal(err)
		}
		unix.Shutdown(theirs, unix.SHUT_RDWR)
		next(t, d)
		for range 2 {
			if _, err := d.Next(within(t)); err != io.EOF {
				t.Errorf("%v is not io.EOF", err)
			}
		}
	}
}

// boundDatagram is a socket as an activator or the original's receivers make one, with the machine's default queue.
func boundDatagram(t testing.TB, path string) int {
	t.Helper()
	fd, err := newSocket(unix.SOCK_DGRAM)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
		t.Fatal(err)
	}
	return fd
}

// What waited in an inherited socket before this process looked at it has no sender, and is taken; what comes later is
// checked. What nobody took here stays for the next one who reads the socket.
func TestInheritBound(t *testing.T) {
	noLeak(t)
	path := filepath.Join(shortDir(t), "s")
	held := boundDatagram(t, path)
	t.Cleanup(func() { unix.Close(held) })
	inherit := func() *Datagrams {
		fd, _ := unix.FcntlInt(uintptr(held), unix.F_DUPFD_CLOEXEC, 3)
		d, err := InheritDatagrams(fd, "systemd:web", DatagramOptions{Credit: 1})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		return d
	}
	client, fd := connection(t)
	for range 3 {
		sendAs(t, path, []byte{0}, nil, fd)
	}
	d := inherit()
	answers(t, next(t, d).Number, client)
	sendAs(t, path, []byte{0}, nil, fd)
	d.Close()
	if _, err := d.Next(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the file is not ours to remove: %v", err)
	}
	d = inherit()
	d.Grant(2)
	for range 3 {
		answers(t, next(t, d).Number, client)
	}
	expectNone(t, d)
}

// A successor at the same path gets what was left.
func TestDatagramsSuccessor(t *testing.T) {
	noLeak(t)
	var l logged
	before, path := receiver(t, DatagramOptions{Log: l.log()})
	client, fd := connection(t)
	s := NewSender(path)
	t.Cleanup(func() { s.Close() })
	const sent = 50
	for range sent {
		if err := s.sendWithin(within(t), fd); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	after, err := ListenDatagrams(path, DatagramOptions{Owner: -1, Group: -1, Credit: sent + 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { after.Close() })
	before.Close()
	if err := s.sendWithin(within(t), fd); err != nil { // by itself to the new one
		t.Error(err)
	}
	for range sent + 1 {
		answers(t, next(t, after).Number, client)
	}
	if l.String() != "" {
		t.Error(l.String())
	}
	sendAs(t, path, []byte{0}, nil, fd)
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the successor's file is gone: %v", err)
	}
}

// Without a successor they are reset, which is told.
func TestDatagramsLeft(t *testing.T) {
	noLeak(t)
	var l logged
	d, path := receiver(t, DatagramOptions{Log: l.log()})
	_, fd := connection(t)
	sendAs(t, path, []byte{0}, nil, fd)
	sendAs(t, path, []byte{0}, nil, fd)
	d.Close()
	d.Close()
	l.await(t, "connections=2", 1)
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
}

func TestInheritRefused(t *testing.T) {
	noLeak(t)
	unbound, err := newSocket(unix.SOCK_DGRAM)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(unbound)
	stream, err := net.Listen("unix", filepath.Join(shortDir(t), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	_, tcp := connection(t)
	for reason, fd := range map[string]int{
		"over which nothing can arrive": unbound,
		"it listens":                    descriptor(t, stream.(*net.UnixListener)),
		"a unix socket is expected":     tcp,
		"not open":                      4000,
	} {
		_, err := InheritDatagrams(fd, "fd:7", DatagramOptions{})
		expectError(t, reason, err, "fd:7: ", reason)
	}
}

func TestAddresses(t *testing.T) {
	mapped := &syscall.SockaddrInet6{Port: 80, Addr: netip.MustParseAddr("::ffff:192.0.2.1").As16()}
	if got := addrPort(mapped); got != netip.MustParseAddrPort("[::ffff:192.0.2.1]:80") {
		t.Error(got)
	}
	link := &syscall.SockaddrInet6{Port: 80, Addr: netip.MustParseAddr("fe80::1").As16(), ZoneId: 7}
	if got := addrPort(link); got != netip.MustParseAddrPort("[fe80::1%7]:80") {
		t.Error(got)
	}
}

// One connection after the other goes over a path, from Send to Next.
func BenchmarkDatagrams(b *testing.B) {
	d, path := receiver(b, DatagramOptions{})
	s := sender(b, path)
	_, fd := connection(b)
	ctx := b.Context()
	b.ReportAllocs()
	for b.Loop() {
		d.Grant(1)
		if err := s.Send(fd); err != nil {
			b.Fatal(err)
		}
		a, err := d.Next(ctx)
		if err != nil {
			b.Fatal(err)
		}
		unix.Close(a.Number)
	}
}
