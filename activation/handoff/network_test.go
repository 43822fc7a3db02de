package handoff

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// broker answers every question of a conversation by a socket of the test, late ones first.
func broker(t testing.TB, d *Desk, batch int) {
	a, err := d.Next(context.Background())
	if err != nil {
		return
	}
	c, err := a.Network()
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	for {
		var asked []NetworkRequest
		for range batch {
			r, err := c.Next(context.Background())
			if err != nil {
				if err != io.EOF {
					t.Error(err)
				}
				return
			}
			asked = append(asked, r)
		}
		for i := len(asked) - 1; i >= 0; i-- {
			if err := c.Answer(brokered(t, asked[i])); err != nil {
				t.Error(err)
			}
		}
	}
}

func brokered(t testing.TB, r NetworkRequest) NetworkAnswer {
	if r.Operation == "connect" {
		return NetworkAnswer{ID: r.ID, Errno: int(unix.EACCES), Text: "no rule allows " + r.Remote.String(), Number: -1}
	}
	l, err := net.Listen("tcp4", r.Local.String())
	if err != nil {
		return NetworkAnswer{ID: r.ID, Errno: int(unix.EADDRINUSE), Number: -1}
	}
	t.Cleanup(func() { l.Close() })
	return NetworkAnswer{ID: r.ID, Local: netip.MustParseAddrPort(l.Addr().String()), Number: descriptor(t, l.(*net.TCPListener))}
}

func TestNetwork(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	var brokers sync.WaitGroup
	const asked = 4
	brokers.Go(func() { broker(t, d, asked) })
	n, err := DialNetwork(d.Path(), "ftp")
	if err != nil {
		t.Fatal(err)
	}
	any := netip.MustParseAddrPort("127.0.0.1:0")
	var group sync.WaitGroup
	for i := range asked {
		group.Go(func() {
			if i == 0 {
				fd, _, err := n.Connect(NetworkRequest{Family: 4, Type: "stream", Remote: netip.MustParseAddrPort("192.0.2.1:25")})
				if fd != -1 || !errors.Is(err, syscall.EACCES) {
					t.Error(fd, err)
				}
				expectError(t, "refused", err, "no rule allows 192.0.2.1:25")
				return
			}
			fd, local, err := n.Listen(NetworkRequest{Family: 4, Type: "stream", Local: any, Backlog: 5})
			if err != nil {
				t.Error(err)
				return
			}
			defer unix.Close(fd)
			if err := CheckListener(fd); err != nil || local.Port() == 0 {
				t.Error(err, local)
			}
		})
	}
	group.Wait()
	if _, _, err := n.Listen(NetworkRequest{Family: 6, Type: "stream", Local: any}); !errors.Is(err, syscall.EAFNOSUPPORT) {
		t.Error(err)
	}
	// The dispatcher is gone: an error; it is back: the next question goes there.
	again := n.talk
	again.conn.close()
	brokers.Wait()
	again.fail(io.EOF)
	brokers.Go(func() { broker(t, d, 1) })
	fd, _, err := n.Listen(NetworkRequest{Family: 4, Type: "stream", Local: any})
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	n.Close()
	brokers.Wait()
	if _, _, err := n.Listen(NetworkRequest{Family: 4, Type: "stream", Local: any}); !errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
}

// Questions that break the protocol end the conversation; one that floods waits.
func TestNetworkWrongQuestions(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	good := NetworkRequest{ID: 1, Operation: "listen", Family: 4, Type: "stream", Local: netip.MustParseAddrPort("127.0.0.1:0")}
	conversation := func() (stranger, *Conversation) {
		s := connect(t, d)
		s.says(appendNetworkHello(nil, "ftp"))
		c, err := applicant(t, d).Network()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		s.hearsType(typeWelcome)
		return s, c
	}
	misfit, nameless := good, good
	misfit.Family = 6
	nameless.ID = 0
	for name, word := range map[string][]byte{
		"nonsense": []byte("nonsense"), "misfit": misfit.append(nil), "number 0": nameless.append(nil), "short": good.append(nil)[:20],
	} {
		s, c := conversation()
		s.says(word)
		if r, err := c.Next(within(t)); !errors.Is(err, errFrame) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		c.Close()
		s.hearsType(typeRefused)
		s.hearsEnd()
	}
	s, c := conversation()
	for good.ID = 1; good.ID <= mostAsked+1; good.ID++ {
		s.says(good.append(nil))
	}
	for range mostAsked {
		if _, err := c.Next(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := c.Next(ctx); err != context.Canceled {
		t.Errorf("one too many: %+v, %v", r, err)
	}
	if err := c.Answer(NetworkAnswer{ID: 9, Number: -1}); err != nil {
		t.Error(err)
	}
	if err := c.Answer(NetworkAnswer{ID: 9, Number: -1}); err == nil {
		t.Error("answered twice")
	}
	if r, err := c.Next(within(t)); err != nil || r.ID != mostAsked+1 {
		t.Error(r, err)
	}
}

func TestNetworkRefused(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	go func() {
		if a, err := d.Next(context.Background()); err == nil {
			a.Refuse("backend ftp has no network")
		}
	}()
	_, err := DialNetwork(d.Path(), "ftp")
	expectError(t, "refused", err, "ftp", "has no network")
	_, err = DialNetwork(d.Path(), "ftp", 4242)
	expectError(t, "of another user", err, "may not be one")
}
