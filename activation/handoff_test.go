package activation

import (
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

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation/handoff"
	"github.com/rouse-server/rouse/platform"
)

// pass sends one end of a connection, and returns the other.
func pass(t *testing.T, s *handoff.Sender, l net.Listener) net.Conn {
	t.Helper()
	fd, client := connection(t, l)
	if err := s.Send(fd); err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	return client
}

// acceptOne accepts, but does not wait for ever.
func acceptOne(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	l.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Now().Add(patience))
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// exchange has both ends of a connection talk.
func exchange(t *testing.T, server, client net.Conn) {
	t.Helper()
	client.SetDeadline(time.Now().Add(patience))
	server.SetDeadline(time.Now().Add(patience))
	for _, c := range [][2]net.Conn{{server, client}, {client, server}} {
		if _, err := io.WriteString(c[0], "hello"); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 5)
		if _, err := io.ReadFull(c[1], b); err != nil || string(b) != "hello" {
			t.Fatalf("%q, %v", b, err)
		}
	}
}

// A server that listens on handoff: has its clients as plain connections, with their own addresses; and nothing is left of the
// socket when it has closed it.
func TestHandoff(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	before := openSockets(t)
	s := openOne(t, "web=handoff:"+path+"?mode=0600")
	if s.Kind != Channel || s.Role != "web" || !s.Bound() || s.Info.Local != path || s.Info.State != platform.Bound || s.Listener.Addr().String() != path {
		t.Errorf("%+v at %s", s, s.Listener.Addr())
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	sender := handoff.NewSender(path)
	defer sender.Close()
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		client := pass(t, sender, listen(t, "tcp", address))
		c := acceptOne(t, s.Listener)
		if _, plain := c.(*net.TCPConn); !plain || c.RemoteAddr().String() != client.LocalAddr().String() || c.LocalAddr().String() != client.RemoteAddr().String() {
			t.Errorf("a %T from %s to %s; the client is %s", c, c.RemoteAddr(), c.LocalAddr(), client.LocalAddr())
		}
		exchange(t, c, client)
		c.Close()
		client.Close()
	}
	if Pending([]Socket{s}) {
		t.Error("somebody waits")
	}
	pass(t, sender, listen(t, "tcp", "127.0.0.1:0")).Close()
	for end := time.Now().Add(patience); !Pending([]Socket{s}); {
		if time.Now().After(end) {
			t.Fatal("nobody waits")
		}
	}
	s.Listener.Close()
	if _, err := s.Listener.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept after close: %v", err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket file is still there: %v", err)
	}
	if err := sender.Send(0); !errors.Is(err, handoff.ErrAbsent) {
		t.Errorf("send after close: %v", err)
	}
	sender.Close()
	if n := openSockets(t) - before; n > 4 { // two listeners of this test, and what their cleanup closes
		t.Errorf("%d sockets are left open", n)
	}
}

// A connection that arrived while this process may open no more files waits until it may.
func TestHandoffWithoutRoom(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	s := openOne(t, "handoff:"+path)
	defer s.Listener.Close()
	sender := handoff.NewSender(path)
	defer sender.Close()
	client := pass(t, sender, listen(t, "tcp", "127.0.0.1:0"))
	for end := time.Now().Add(patience); !Pending([]Socket{s}); {
		if time.Now().After(end) {
			t.Fatal("nobody waits")
		}
	}
	var before unix.Rlimit
	free, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 3)
	unix.Close(free)
	if err := errors.Join(err, unix.Getrlimit(unix.RLIMIT_NOFILE, &before)); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(max(free, 4)), Max: before.Max}); err != nil {
		t.Fatal(err)
	}
	_, refused := s.Listener.Accept()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(refused, unix.EMFILE) {
		t.Errorf("%v, want EMFILE", refused)
	}
	exchange(t, acceptOne(t, s.Listener), client)
}

// A server can be told to pause, and what came meanwhile is there afterwards.
func TestHandoffDeadline(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	s := openOne(t, "handoff:"+path)
	waiting := make(chan error, 1)
	go func() {
		_, err := s.Listener.Accept()
		waiting <- err
	}()
	l := s.Listener.(*channelListener)
	for range 3 {
		l.SetDeadline(time.Unix(1, 0))
	}
	if err := <-waiting; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a waiting accept: %v", err)
	}
	sender := handoff.NewSender(path)
	defer sender.Close()
	client := pass(t, sender, listen(t, "tcp", "127.0.0.1:0"))
	if _, err := l.Accept(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("an accept after the deadline: %v", err)
	}
	l.SetDeadline(time.Now().Add(time.Millisecond))
	l.SetDeadline(time.Time{})
	if !l.Waiting() {
		t.Error("nobody waits")
	}
	exchange(t, acceptOne(t, l), client)
}

// What others pass by an inherited socket is the same; the server ends when they are gone.
func TestInheritedChannel(t *testing.T) {
	for name, kind := range map[string]int{"datagrams": unix.SOCK_DGRAM, "packets": unix.SOCK_SEQPACKET, "stream": unix.SOCK_STREAM} {
		t.Run(name, func(t *testing.T) {
			pair, err := unix.Socketpair(unix.AF_UNIX, kind, 0)
			if err != nil {
				t.Skip(err)
			}
			fd := given(t, pair[0])
			sender := handoff.NewCarrier(pair[1])
			sockets, err := opener().Open([]Address{address(t, fmt.Sprintf("fd:%d?channel", fd))})
			if err != nil {
				t.Fatal(err)
			}
			defer Close(sockets)
			s := sockets[0]
			if s.Kind != Channel || s.Number != fd || s.Bound() {
				t.Errorf("%+v", s)
			}
			client := pass(t, sender, listen(t, "tcp", "127.0.0.1:0"))
			exchange(t, acceptOne(t, s.Listener), client)
			if kind == unix.SOCK_DGRAM { // which has no end
				return
			}
			sender.Close()
			if _, err := s.Listener.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("accept after the end: %v", err)
			}
		})
	}
}

// What is no channel is refused by name.
func TestChannelErrors(t *testing.T) {
	o := opener()
	listening := passed(t, listen(t, "tcp", "127.0.0.1:0").(syscall.Conn))
	_, err := o.Open([]Address{address(t, fmt.Sprintf("fd:%d?channel", listening))})
	expectError(t, "a listener", err, "?channel is for a unix datagram socket")
	_, err = o.Open([]Address{address(t, "fd:999?channel")})
	expectError(t, "nothing", err, "fd:999", "pass a unix socket there")
	_, err = o.Open([]Address{address(t, "handoff:"+filepath.Join(shortDir(t), "s")+"?from=nobody-of-that-name")})
	expectError(t, "a user", err, "from=nobody-of-that-name", "neither a user")
	path := filepath.Join(shortDir(t), "s")
	openOne(t, "handoff:"+path)
	_, err = o.Open([]Address{address(t, "handoff:"+path)})
	expectError(t, "one that lives", err, path)
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("%v is not EADDRINUSE", err)
	}
}

// A program gets the channel itself, of which nothing was read.
func TestHoldChannel(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	held, _, err := opener().Hold([]Address{address(t, "web=handoff:"+path+"?proxy=v2")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	h := held[0]
	if h.Kind != Channel || h.Name != "web" || h.Number != -1 || h.Channel == nil || !h.Bound || h.Proxy != "v2" || h.String() != "handoff:"+path {
		t.Errorf("%+v", h)
	}
	sender := handoff.NewSender(path)
	defer sender.Close()
	client := pass(t, sender, listen(t, "tcp", "127.0.0.1:0"))
	h.Channel.Grant(1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	arrival, err := h.Channel.Next(ctx)
	if err != nil || arrival.Meta.Client.String() != client.LocalAddr().String() {
		t.Errorf("%+v, %v", arrival, err)
	} else {
		unix.Close(arrival.Number)
	}
	CloseHeld(held)
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket file is still there: %v", err)
	}
}

// A connection of which the dispatcher knows more than the kernel says what the dispatcher says.
func TestToldConnection(t *testing.T) {
	fd, client := connection(t, listen(t, "tcp", "127.0.0.1:0"))
	kernel := netip.MustParseAddrPort(client.LocalAddr().String())
	c, err := passedConnection(&handoff.Arrival{Number: fd, Meta: handoff.Meta{
		Client: netip.MustParseAddrPort("[2001:db8::1]:1234"), Local: netip.MustParseAddrPort("192.0.2.1:443"), Data: []byte("be"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.RemoteAddr().String() != "[2001:db8::1]:1234" || c.LocalAddr().String() != "192.0.2.1:443" || c.(*toldConnection).Unread() != 2 {
		t.Errorf("from %s to %s", c.RemoteAddr(), c.LocalAddr())
	}
	io.WriteString(client, "gin")
	b := make([]byte, 5)
	if _, err := io.ReadFull(c, b); err != nil || string(b) != "begin" || c.(*toldConnection).Unread() != 0 {
		t.Errorf("read %q, %v", b, err)
	}
	if _, ok := c.(*toldConnection).NetConn().(*net.TCPConn); !ok {
		t.Errorf("beneath is a %T", c.(*toldConnection).NetConn())
	}
	fd, _ = connection(t, listen(t, "tcp", "127.0.0.1:0"))
	mapped := netip.AddrPortFrom(netip.AddrFrom16(kernel.Addr().As16()), kernel.Port())
	if told := differs(mapped, client.LocalAddr()); told != nil {
		t.Errorf("%s is another address than %s", told, client.LocalAddr())
	}
	if c, err = passedConnection(&handoff.Arrival{Number: fd}); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, plain := c.(*net.TCPConn); !plain {
		t.Errorf("one of which nothing is told is a %T", c)
	}
}

// office is a dispatcher's desk, and the address of a backend there.
func office(t *testing.T) (desk *handoff.Desk, at string) {
	t.Helper()
	path := filepath.Join(shortDir(t), "desk")
	desk, err := handoff.OpenDesk(path, 0o600, -1, -1)
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { desk.Close() })
	return desk, "dispatch:" + path + "#blog"
}

// admitNext lets the next applicant in.
func admitNext(t *testing.T, desk *handoff.Desk, gives handoff.Kind, sockets int, e handoff.Events) (*handoff.Applicant, *handoff.Session) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	a, err := desk.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	s, err := a.Admit(gives, sockets, e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return a, s
}

// A server that registers accepts what the dispatcher gives, tells so, and leaves what it has not accepted to others.
func TestDispatchServed(t *testing.T) {
	desk, at := office(t)
	s := openOne(t, at)
	accepted, returned := make(chan uint64, 9), make(chan []uint64, 1)
	a, session := admitNext(t, desk, handoff.Connection, 0, handoff.Events{
		Accepted: func(id uint64) { accepted <- id }, Leaving: func(ids []uint64) { returned <- ids },
	})
	if a.Backend != "blog" || a.Takes != "both" {
		t.Errorf("%+v", a.Request)
	}
	l := listen(t, "tcp", "127.0.0.1:0")
	give := func() (uint64, net.Conn) {
		fd, client := connection(t, l)
		defer unix.Close(fd)
		for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			id, err := session.Give(fd, handoff.Meta{})
			if err == nil {
				return id, client
			}
			if time.Now().After(end) {
				t.Fatal(err)
			}
		}
	}
	first, client := give()
	exchange(t, acceptOne(t, s.Listener), client)
	if id := <-accepted; id != first {
		t.Errorf("%d was accepted, not %d", id, first)
	}
	second, _ := give()
	third, _ := give()
	if s.Listener.(*channelListener).Waiting() {
		t.Error("somebody waits whom nobody else could serve")
	}
	s.Listener.Close()
	if left := <-returned; len(left) != 2 || left[0]+left[1] != second+third || len(accepted) > 0 {
		t.Errorf("%d are left to others, want %d and %d; %d more were accepted", left, second, third, len(accepted))
	}
}

// The listeners that a dispatcher gives are accepted from, until it takes them away.
func TestDispatchListeners(t *testing.T) {
	desk, at := office(t)
	s := openOne(t, at+"?takes=listener")
	_, session := admitNext(t, desk, handoff.Listener, 0, handoff.Events{})
	l := listen(t, "tcp", "127.0.0.1:0")
	fd := passed(t, l.(syscall.Conn))
	id, err := session.GiveSocket(handoff.Listener, fd, "web", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	exchange(t, acceptOne(t, s.Listener), client)
	if err := session.Withdraw(id); err != nil {
		t.Fatal(err)
	}
	channel := s.Listener.(*channelListener)
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		channel.mu.Lock()
		left := len(channel.queues)
		channel.mu.Unlock()
		if left == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it is not left")
		}
	}
}

// A program gets the listener that the dispatcher gives, with the channel by which that may be withdrawn; or the channel.
func TestHoldDispatch(t *testing.T) {
	for _, c := range []struct {
		options string
		gives   handoff.Kind
		takes   string
		kind    Kind
	}{
		{"", handoff.Listener, "either", Listener}, {"", handoff.Connection, "either", Channel},
		{"?takes=connections", handoff.Connection, "connections", Channel}, {"?takes=listener", handoff.Listener, "listener", Listener},
	} {
		desk, at := office(t)
		l := listen(t, "tcp", "127.0.0.1:0")
		fd := passed(t, l.(syscall.Conn))
		type result struct {
			held []Held
			err  error
		}
		done := make(chan result, 1)
		go func() {
			held, _, err := opener().Hold([]Address{address(t, at+c.options)}, nil)
			done <- result{held, err}
		}()
		n := 0
		if c.gives == handoff.Listener {
			n = 1
		}
		a, session := admitNext(t, desk, c.gives, n, handoff.Events{})
		if n == 1 {
			if _, err := session.GiveSocket(handoff.Listener, fd, "web", l.Addr().String()); err != nil {
				t.Fatal(err)
			}
		}
		r := <-done
		if r.err != nil || len(r.held) != 1 || a.Takes != c.takes {
			t.Fatalf("%q: %v, %v, takes %s", c.options, r.held, r.err, a.Takes)
		}
		h := r.held[0]
		if h.Kind != c.kind || h.Channel == nil || h.Source != at || h.String() != at {
			t.Errorf("%q: %+v", c.options, h)
		}
		if c.kind == Listener && (h.Info.Local != l.Addr().String() || h.Info.State != platform.Listening || h.Name != "web" || h.Bound) {
			t.Errorf("%q: %+v", c.options, h)
		}
		CloseHeld(r.held)
	}
}

// A backend that the dispatcher does not know is told at once.
func TestHoldDispatchRefused(t *testing.T) {
	for _, options := range []string{"", "?takes=connections"} {
		desk, at := office(t)
		go func() {
			if a, err := desk.Next(t.Context()); err == nil {
				a.Refuse("there is no backend blog")
			}
		}()
		held, _, err := opener().Hold([]Address{address(t, at+options)}, nil)
		expectError(t, at, err, at, "there is no backend blog")
		if held != nil || strings.Count(err.Error(), "dispatch:") > 1 {
			t.Errorf("%v beside the error %v", held, err)
		}
	}
}

// Who waits for a dispatcher can be asked to end.
func TestHoldDispatchEnding(t *testing.T) {
	ending, end := context.WithCancel(t.Context())
	o := opener()
	o.Ending = ending
	time.AfterFunc(10*time.Millisecond, end)
	path := filepath.Join(shortDir(t), "desk")
	held, _, err := o.Hold([]Address{address(t, "dispatch:"+path+"#blog")}, nil)
	if !errors.Is(err, context.Canceled) || held != nil {
		t.Errorf("%v, %v", held, err)
	}
}

// A backend that takes connections starts without its dispatcher.
func TestHoldDispatchAbsent(t *testing.T) {
	path := filepath.Join(shortDir(t), "desk")
	held, _, err := opener().Hold([]Address{address(t, "dispatch:"+path+"#blog?takes=connections")}, nil)
	if err != nil || len(held) != 1 || held[0].Kind != Channel {
		t.Fatalf("%v, %v", held, err)
	}
	CloseHeld(held)
	if a := address(t, "dispatch:#blog"); strings.Contains(a.Detail, "run") {
		t.Errorf("%+v", a)
	} else if path, name := a.backend(); path != usualDesk || name != "blog" {
		t.Errorf("%s, %s", path, name)
	}
}
