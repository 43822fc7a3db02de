package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// batching makes a batch of a listener, which ends with the test.
func batching(t testing.TB, l net.Listener) *batch {
	t.Helper()
	b, err := newBatch(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// descriptorOf is the number of a descriptor that stays open.
func descriptorOf(t testing.TB, c any) (number int) {
	t.Helper()
	raw, err := c.(syscall.Conn).SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) { number = int(fd) })
	}
	if err != nil {
		t.Fatal(err)
	}
	return number
}

// everyKind calls play with a listener of each kind.
func everyKind(t *testing.T, play func(t *testing.T, l net.Listener)) {
	for _, to := range [][2]string{{"tcp4", "127.0.0.1:0"}, {"tcp4", "0.0.0.0:0"}, {"tcp6", "[::1]:0"}, {"tcp", ":0"}, {"unix", ""}} {
		t.Run(to[0]+to[1], func(t *testing.T) {
			if to[0] == "unix" {
				to[1] = filepath.Join(shortDir(t), "s")
			}
			l, err := net.Listen(to[0], to[1])
			if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL) {
				t.Skipf("this machine has no IPv6: %v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			play(t, l)
		})
	}
}

// What is taken in a batch is what package net accepts: the same addresses, descriptors that neither block nor are inherited,
// and the same options of the socket.
func TestBatchTakesAsAccept(t *testing.T) {
	everyKind(t, func(t *testing.T, l net.Listener) {
		first, err := net.Dial(l.Addr().Network(), l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer first.Close()
		known, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer known.Close()
		b := batching(t, l)
		second, err := net.Dial(l.Addr().Network(), l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer second.Close()
		nc := takeOne(t, b)
		defer nc.Close()
		got, want := fmt.Sprintf("%T %[1]s, %T %[2]s", nc.LocalAddr(), nc.RemoteAddr()), fmt.Sprintf("%T %[1]s, %T %[2]s", known.LocalAddr(), second.LocalAddr())
		if l.Addr().Network() == "unix" { // the client has no name
			want = fmt.Sprintf("%T %[1]s, %T %[2]s", known.LocalAddr(), known.RemoteAddr())
		}
		if got != want {
			t.Errorf("addresses %s, want %s", got, want)
		}
		if got, want := settings(t, nc), settings(t, known); !slices.Equal(got, want) {
			t.Errorf("options %v, of package net %v", got, want)
		}
	})
}

// takeOne takes one connection.
func takeOne(t testing.TB, b *batch) (nc net.Conn) {
	t.Helper()
	b.SetDeadline(time.Now().Add(bound))
	_, err := b.run(func(fd int, from *peer) bool {
		nc = from.adopt(fd)
		b.SetDeadline(time.Unix(1, 0))
		return true
	})
	if nc == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("took %v, %v", nc, err)
	}
	b.SetDeadline(time.Time{})
	return nc
}

// settings are the flags of a descriptor and of its description, and the options of a socket.
func settings(t testing.TB, c any) []int {
	t.Helper()
	fd := descriptorOf(t, c)
	var all []int
	for _, command := range []int{unix.F_GETFD, unix.F_GETFL, unix.F_GETOWN, unix.F_GETSIG} {
		n, _ := unix.FcntlInt(uintptr(fd), command, 0)
		all = append(all, n)
	}
	for _, o := range [][2]int{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE}, {unix.SOL_SOCKET, unix.SO_RCVLOWAT}, {unix.SOL_SOCKET, unix.SO_BUSY_POLL},
		{unix.SOL_SOCKET, unix.SO_RCVTIMEO}, {unix.SOL_SOCKET, unix.SO_LINGER}, {unix.SOL_SOCKET, unix.SO_REUSEADDR},
		{unix.IPPROTO_TCP, unix.TCP_NODELAY}, {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE}, {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT}, {unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT}, {unix.IPPROTO_TCP, unix.TCP_CORK},
		{unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT}, {unix.IPPROTO_TCP, unix.TCP_QUICKACK},
	} {
		n, _ := unix.GetsockoptInt(fd, o[0], o[1])
		all = append(all, n)
	}
	return all
}

// The socket is the activator's: what is shared with it stays as it was, and when the batch is closed the listener goes on.
func TestBatchLeavesSocketAsItWas(t *testing.T) {
	everyKind(t, func(t *testing.T, l net.Listener) {
		before := settings(t, l)
		b := batching(t, l)
		for range 2 {
			c, err := net.Dial(l.Addr().Network(), l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			takeOne(t, b).Close()
		}
		if after := settings(t, l); !slices.Equal(before, after) {
			t.Errorf("before %v, after %v", before, after)
		}
		b.Close()
		c, err := net.Dial(l.Addr().Network(), l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if nc, err := l.Accept(); err != nil {
			t.Error(err)
		} else {
			nc.Close()
		}
	})
}

// Where connections do not come by accept(2) alone there is no batch; nor of what is closed.
func TestBatchUnsupported(t *testing.T) {
	if _, err := newBatch(newScript()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a listener without descriptor: %v", err)
	}
	l := listen(t)
	l.Close()
	if _, err := newBatch(l); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed listener: %v", err)
	}
}

// Running out of descriptors is an error that tells so; the client stays in the queue and is taken when there are some again.
func TestBatchOutOfDescriptors(t *testing.T) {
	l := listen(t)
	b := batching(t, l)
	c := dial(t, l)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 0, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	n, err := b.run(func(int, *peer) bool { t.Error("took one"); return false })
	if told := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); told != nil {
		t.Fatal(told)
	}
	if n != 0 || !errors.Is(err, unix.EMFILE) || err.Error() != "accept4: too many open files" {
		t.Errorf("%d, %v", n, err)
	}
	nc := takeOne(t, b)
	defer nc.Close()
	if nc.RemoteAddr().String() != c.LocalAddr().String() {
		t.Errorf("took %s instead of %s", nc.RemoteAddr(), c.LocalAddr())
	}
}

// A socket that does not listen any more says EINVAL, as to package net (see accepter.endure).
func TestBatchUselessSocket(t *testing.T) {
	l := listen(t)
	b := batching(t, l)
	unix.Shutdown(descriptorOf(t, l), unix.SHUT_RDWR)
	for range 3 {
		if n, err := b.run(func(int, *peer) bool { t.Error("took one"); return false }); n != 0 || !errors.Is(err, unix.EINVAL) {
			t.Errorf("%d, %v", n, err)
		}
	}
}

// Taking connections allocates nothing: who they are is told in place.
func TestBatchAllocations(t *testing.T) {
	l := listen(t)
	b := batching(t, l)
	var fds [100]int
	for range fds {
		dial(t, l)
	}
	n, listener := 0, descriptorOf(t, b.file)
	allocations := testing.AllocsPerRun(len(fds)-1, func() {
		fd, err := b.from.accept(listener)
		if err != 0 {
			t.Fatal(err)
		}
		fds[n] = fd
		n++
	})
	for _, fd := range fds[:n] {
		unix.Close(fd)
	}
	if allocations != 0 {
		t.Errorf("%v allocations per connection", allocations)
	}
}
