package inetd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation"
	"github.com/rouse-server/rouse/activation/handoff"
)

// passed is a channel over which a test passes what it likes.
type passed struct {
	arrivals chan *handoff.Arrival
	once     sync.Once
	closed   chan struct{}

	mu      sync.Mutex
	granted int
	more    chan struct{} // closed and replaced when there is more
}

func newPassed() *passed {
	return &passed{arrivals: make(chan *handoff.Arrival), closed: make(chan struct{}), more: make(chan struct{})}
}

func (p *passed) Next(ctx context.Context) (*handoff.Arrival, error) {
	select {
	case a, ok := <-p.arrivals:
		if !ok {
			return nil, io.EOF
		}
		return a, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *passed) Grant(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.granted += n
	close(p.more)
	p.more = make(chan struct{})
}

// grants waits until so many have been granted.
func (p *passed) grants(t *testing.T, n int) {
	t.Helper()
	limit := time.After(patience)
	for {
		p.mu.Lock()
		granted, more := p.granted, p.more
		p.mu.Unlock()
		if granted == n {
			return
		}
		select {
		case <-more:
		case <-limit:
			t.Fatalf("%d connections were granted, want %d", granted, n)
		}
	}
}

func (p *passed) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

func (p *passed) String() string { return "test:" }

func (p *passed) held() activation.Held {
	return activation.Held{Source: "test:", Number: -1, Kind: activation.Channel, Channel: p}
}

// connect returns a client, and the descriptor of its connection as a dispatcher has it.
func connect(t *testing.T) (client *net.TCPConn, fd int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	return c.(*net.TCPConn), duplicate(t, server.(*net.TCPConn))
}

func duplicate(t *testing.T, c syscall.Conn) int {
	t.Helper()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	number := -1
	if err := raw.Control(func(fd uintptr) { number, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3) }); err != nil || number < 0 {
		t.Fatal(err)
	}
	return number
}

// A connection that was passed is served like one that was accepted; the addresses are those that the dispatcher tells.
func TestPassedConnections(t *testing.T) {
	p := newPassed()
	service := shell(`echo $TCPREMOTEIP $TCPLOCALPORT; read line; echo $line`)
	service.Most = 2
	r := start(t, service, Options{Grace: patience}, p.held())
	p.grants(t, 2)
	var clients []*net.TCPConn
	for range 2 {
		c, fd := connect(t)
		meta := handoff.Meta{Client: netip.MustParseAddrPort("[::ffff:192.0.2.1]:7"), Local: netip.MustParseAddrPort("192.0.2.2:25")}
		p.arrivals <- &handoff.Arrival{Kind: handoff.Connection, Number: fd, Meta: meta}
		expect(t, c, "192.0.2.1 25\n")
		clients = append(clients, c)
	}
	fmt.Fprintln(clients[0], "bye")
	if got := answer(t, clients[0]); got != "bye\n" {
		t.Errorf("got %q", got)
	}
	p.grants(t, 3) // the place of the one that ended
	c, fd := connect(t)
	p.arrivals <- &handoff.Arrival{Kind: handoff.Connection, Number: fd}
	expect(t, c, fmt.Sprintf("127.0.0.1 %d\n", c.RemoteAddr().(*net.TCPAddr).Port)) // without metadata the kernel's
	r.stop()
	<-p.closed // so that the dispatcher knows, while those that run go on
	fmt.Fprintln(c, "still here")
	if got := answer(t, c); got != "still here\n" {
		t.Errorf("got %q", got)
	}
	clients[1].Close()
	if err := r.wait(); err != nil {
		t.Error(err)
	}
}

// Bytes that were read before cannot be passed on.
func TestPassedBytes(t *testing.T) {
	p := newPassed()
	r := start(t, shell(`cat`), Options{}, p.held())
	p.grants(t, ahead)
	c, fd := connect(t)
	p.arrivals <- &handoff.Arrival{Kind: handoff.Connection, Number: fd, Meta: handoff.Meta{Data: []byte("x")}}
	isReset(t, c)
	r.log.await(t, "bytes were read of it before")
	p.grants(t, ahead+1)
}

// A listener that a dispatcher lends is accepted from until it is withdrawn.
func TestLentListener(t *testing.T) {
	p := newPassed()
	start(t, shell(`echo in`), Options{}, p.held())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p.arrivals <- &handoff.Arrival{Kind: handoff.Listener, ID: 7, Number: duplicate(t, l.(*net.TCPListener))}
	h := activation.Held{}
	h.Info.Local = l.Addr().String()
	if got := answer(t, dial(t, h)); got != "in\n" {
		t.Errorf("got %q", got)
	}
	p.arrivals <- &handoff.Arrival{Kind: handoff.Withdrawn, ID: 7, Number: -1}
	p.arrivals <- &handoff.Arrival{Kind: handoff.Withdrawn, ID: 8, Number: -1} // never lent: nothing
	c := dial(t, h)
	accepted := make(chan error, 1)
	go func() { // nobody else takes it now
		server, err := l.Accept()
		if err == nil {
			_, err = io.WriteString(server, "mine\n")
			server.Close()
		}
		accepted <- err
	}()
	if got := answer(t, c); got != "mine\n" && got != "in\n" { // the withdrawal may come a moment later than the client
		t.Errorf("got %q", got)
	}
	l.Close()
	<-accepted
}

func TestChannelThatEnds(t *testing.T) {
	p := newPassed()
	close(p.arrivals)
	r := start(t, shell(`true`), Options{}, p.held())
	if err := r.wait(); !errors.Is(err, io.EOF) {
		t.Errorf("Run returned %v, want io.EOF", err)
	}
}

// socketbox's way, from end to end.
func TestDatagrams(t *testing.T) {
	path := t.TempDir() + "/s"
	h := hold(t, "handoff:"+path)
	start(t, shell(`echo $TCPREMOTEPORT`), Options{}, h)
	s := handoff.NewSender(path)
	defer s.Close()
	for range 20 {
		c, fd := connect(t)
		for {
			err := s.Send(fd)
			if err == nil {
				break
			}
			if !errors.Is(err, handoff.ErrFull) {
				t.Fatal(err)
			}
			if err := s.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		unix.Close(fd)
		if got, want := answer(t, c), fmt.Sprintf("%d\n", c.LocalAddr().(*net.TCPAddr).Port); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
