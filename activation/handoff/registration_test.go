package handoff

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/platform"
)

// register registers a backend that leaves with the test.
func register(t testing.TB, d *Desk, o RegisterOptions) *Registration {
	t.Helper()
	r := Register(d.Path(), "blog", o)
	t.Cleanup(func() { r.Close() })
	return r
}

func assigned(t testing.TB, r *Registration) (Kind, []*Arrival) {
	t.Helper()
	kind, first, err := r.Assigned(within(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range first {
		t.Cleanup(func() { unix.Close(a.Number) })
	}
	return kind, first
}

func TestRegistration(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	client, fd := connection(t)
	r := register(t, d, RegisterOptions{Takes: "connections", Credit: 1})
	s, w, a := admit(t, d, Connection, 0)
	if a.Backend != "blog" || a.Credit != 1 || a.Takes != "connections" || s.Protocol() != "rouse" {
		t.Errorf("%+v", a.Request)
	}
	if kind, first := assigned(t, r); kind != Connection || len(first) != 0 {
		t.Error(kind, first)
	}
	id := give(t, s, fd)
	expectFull(t, s, fd)
	arrival := next(t, r)
	answers(t, arrival.Number, client)
	expectNone(t, r)
	if !slices.Equal(s.Unaccepted(), []uint64{id}) {
		t.Error(s.Unaccepted())
	}
	arrival.Accepted()
	arrival.Accepted() // once is enough
	if got := get(t, w.accepted); got != id {
		t.Error(got)
	}
	r.Grant(1)
	get(t, w.credit)
	give(t, s, fd)
	next(t, r).Accepted()
	get(t, w.accepted)
	if r.String() != "dispatch:"+d.Path()+"#blog" {
		t.Error(r)
	}
}

// A crowd over a small window: all arrive, and the credit is never exceeded.
func TestRegistrationCrowd(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	_, fd := connection(t)
	const window, all = 8, 2000
	r := register(t, d, RegisterOptions{Credit: window})
	s, w, _ := admit(t, d, Connection, 0)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range all / 4 {
				a, err := r.Next(within(t))
				if err != nil {
					t.Error(err)
					return
				}
				a.Accepted()
				unix.Close(a.Number)
				r.Grant(1)
			}
		})
	}
	for given := 0; given < all; {
		_, err := s.Give(fd, Meta{})
		switch {
		case err == nil:
			given++
		case errors.Is(err, ErrFull):
			get(t, w.credit)
		default:
			t.Fatal(err)
		}
		if n := len(s.Unaccepted()); n > window {
			t.Fatalf("%d are under way with a credit of %d", n, window)
		}
	}
	group.Wait()
	for range all {
		get(t, w.accepted)
	}
}

// Who closes leaves what it did not take to others, and keeps what Next has returned.
func TestRegistrationClose(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	_, fd := connection(t)
	r := register(t, d, RegisterOptions{Credit: 10})
	s, w, _ := admit(t, d, Connection, 0)
	one, two := give(t, s, fd), give(t, s, fd)
	three := give(t, s, fd)
	next(t, r).Accepted()
	inHand := next(t, r)
	r.Close()
	if got := []uint64{get(t, w.accepted), get(t, w.accepted)}; !slices.Equal(got, []uint64{one, two}) {
		t.Error(got)
	}
	if got := get(t, w.returned); !slices.Equal(got, []uint64{three}) {
		t.Error(got)
	}
	if err := get(t, w.ended); err != nil {
		t.Error(err)
	}
	inHand.Accepted()
	if _, err := r.Next(within(t)); err != net.ErrClosed {
		t.Error(err)
	}
	if _, _, err := r.Assigned(within(t)); err != nil {
		t.Error("it was assigned before:", err)
	}
}

// A restart of the dispatcher: the backend comes back with its credit and its kind, and says so once.
func TestRegistrationReconnect(t *testing.T) {
	noLeak(t)
	var l logged
	d := openDesk(t)
	_, fd := connection(t)
	r := register(t, d, RegisterOptions{Credit: 3, Log: l.log()})
	s, w, _ := admit(t, d, Connection, 0)
	assigned(t, r)
	give(t, s, fd)
	give(t, s, fd)
	next(t, r) // in hand
	d.Close()
	s.Close() // in order: what nobody has taken goes elsewhere
	if err := get(t, w.ended); err != nil || len(w.accepted) != 1 || len(s.Unaccepted()) != 1 {
		t.Error(err, len(w.accepted), s.Unaccepted())
	}
	l.await(t, "no dispatcher", 1)
	expectNone(t, r)
	again, err := OpenDesk(d.Path(), 0o600, -1, -1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { again.Close() })
	s, _, a := admit(t, again, Connection, 0)
	if a.Takes != "connections" || a.Credit != 2 {
		t.Errorf("%+v", a.Request)
	}
	give(t, s, fd)
	next(t, r)
	l.await(t, "registered", 2)
}

// A dispatcher that died cannot give to others what it had passed: it is the backend's.
func TestRegistrationOrphans(t *testing.T) {
	noLeak(t)
	path := filepath.Join(shortDir(t), "desk")
	dispatcher := exec.Command(os.Args[0], "-test.run=^TestDispatcherThatDies$")
	dispatcher.Env = append(os.Environ(), "DESK="+path)
	out, err := dispatcher.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := dispatcher.Start(); err != nil {
		t.Fatal(err)
	}
	end := sync.OnceFunc(func() {
		dispatcher.Process.Kill()
		dispatcher.Wait()
	})
	t.Cleanup(end)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.HasPrefix(line, "---") || strings.HasPrefix(line, "PASS") {
		t.Skipf("no dispatcher: %q, %v", line, err)
	}
	r := Register(path, "blog", RegisterOptions{Credit: 5})
	t.Cleanup(func() { r.Close() })
	client, err := net.Dial("tcp4", strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	client.SetDeadline(time.Now().Add(limit))
	waitQueued(t, r)
	end()
	a := next(t, r)
	a.Accepted() // nobody hears it
	answers(t, a.Number, client)
}

// TestDispatcherThatDies is the other process of TestRegistrationOrphans.
func TestDispatcherThatDies(t *testing.T) {
	path := os.Getenv("DESK")
	if path == "" {
		return
	}
	d, err := OpenDesk(path, 0o600, -1, -1)
	if err != nil {
		t.Fatal(err)
	}
	front := listenTCP(t)
	os.Stdout.WriteString(front.Addr().String() + "\n")
	s, w, _ := admit(t, d, Connection, 0)
	c, err := front.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	give(t, s, descriptor(t, c))
	c.Close()
	get(t, w.ended) // it is killed before
}

// One that lives may give them to others, so they are not touched.
func TestRegistrationTurnedOut(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	_, fd := connection(t)
	r := register(t, d, RegisterOptions{Credit: 5})
	s, _, _ := admit(t, d, Connection, 0)
	give(t, s, fd)
	waitQueued(t, r)
	r.mu.Lock()
	l := r.link
	r.mu.Unlock()
	if l.pidfd < 0 {
		t.Skip("the kernel does not tell the process at the other end (SO_PEERPIDFD, Linux 6.5)")
	}
	d.Close()
	s.conn.close()
	l.awaitGone(t)
	expectNone(t, r)
}

func waitQueued(t testing.TB, r *Registration) {
	t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(time.Millisecond) {
		r.mu.Lock()
		n := len(r.queue)
		r.mu.Unlock()
		if n > 0 {
			return
		}
	}
	t.Fatal("nothing arrived")
}

func (l *link) awaitGone(t testing.TB) {
	t.Helper()
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(time.Millisecond) {
		l.r.mu.Lock()
		gone := l.gone
		l.r.mu.Unlock()
		if gone {
			return
		}
	}
	t.Fatal("the link is there still")
}

// Listeners: given at once and later, withdrawn, and offered again to the next dispatcher.
func TestRegistrationListeners(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	front, later := listenTCP(t), listenTCP(t)
	packet, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer packet.Close()
	r := register(t, d, RegisterOptions{Takes: "either"})
	s, w, _ := admit(t, d, Listener, 2)
	one, err := s.GiveSocket(Listener, descriptor(t, front), "web", "tcp:"+front.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	two, err := s.GiveSocket(Packet, descriptor(t, packet.(*net.UDPConn)), "dns", "udp:"+packet.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	kind, first := assigned(t, r)
	if kind != Listener || len(first) != 2 || first[0].ID != one || first[0].Kind != Listener || first[0].Meta.Listener != "web" ||
		first[1].ID != two || first[1].Kind != Packet || !platform.SameFile(first[0].Number, descriptor(t, front)) {
		t.Fatalf("%s %+v", kind, first)
	}
	three, err := s.GiveSocket(Listener, descriptor(t, later), "web2", "")
	if err != nil {
		t.Fatal(err)
	}
	if a := next(t, r); a.Kind != Listener || a.ID != three {
		t.Errorf("%+v", a)
	}
	if err := s.Withdraw(one); err != nil {
		t.Fatal(err)
	}
	if a := next(t, r); a.Kind != Withdrawn || a.ID != one || a.Number != -1 {
		t.Errorf("%+v", a)
	}
	if err := s.Withdraw(one); !errors.Is(err, ErrAbsent) {
		t.Error(err)
	}
	s.Close()
	get(t, w.ended)
	again, w, a := admit(t, d, Listener, 0)
	slices.SortFunc(a.Held, func(x, y HeldSocket) int { return int(x.ID) - int(y.ID) })
	if a.Takes != "listener" || len(a.Held) != 2 || a.Held[0].ID != two || a.Held[1].ID != three ||
		!platform.SameFile(a.Held[1].Number, descriptor(t, later)) {
		t.Fatalf("%+v", a.Request)
	}
	for _, h := range a.Held {
		unix.Close(h.Number)
	}
	if err := again.Withdraw(three); err != nil {
		t.Fatal(err)
	}
	if a := next(t, r); a.Kind != Withdrawn || a.ID != three {
		t.Errorf("%+v", a)
	}
	if four, err := again.GiveSocket(Listener, descriptor(t, front), "", ""); err != nil || four <= two {
		t.Error(four, err)
	}
	next(t, r)
	r.Close()
	get(t, w.returned)
	if err := get(t, w.ended); err != nil {
		t.Error(err)
	}
}

// Who ends while the dispatcher is restarted gives the next one what the last had lent, or the clients in its queue were lost.
func TestRegistrationGivesBack(t *testing.T) {
	noLeak(t)
	var l logged
	d := openDesk(t)
	front := listenTCP(t)
	r := register(t, d, RegisterOptions{Takes: "listener", Log: l.log()})
	s, w, _ := admit(t, d, Listener, 1)
	one, err := s.GiveSocket(Listener, descriptor(t, front), "web", "")
	if err != nil {
		t.Fatal(err)
	}
	_, first := assigned(t, r)
	unix.Close(first[0].Number)
	d.Close()
	s.Close()
	get(t, w.ended)
	l.await(t, "no dispatcher", 1)
	closed := make(chan error, 1)
	go func() { closed <- r.Close() }()
	again, err := OpenDesk(d.Path(), 0o600, -1, -1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { again.Close() })
	_, w, a := admit(t, again, Listener, 0)
	if len(a.Held) != 1 || a.Held[0].ID != one || !platform.SameFile(a.Held[0].Number, descriptor(t, front)) {
		t.Fatalf("%+v", a.Request)
	}
	unix.Close(a.Held[0].Number)
	if err := errors.Join(get(t, closed), get(t, w.ended)); err != nil {
		t.Error(err)
	}
}

// Refusals: one that no retry mends is told at once, another is tried again.
func TestRegistrationRefused(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	r := register(t, d, RegisterOptions{})
	applicant(t, d).Later("all places are taken")
	applicant(t, d).Refuse("there is no backend blog")
	_, _, err := r.Assigned(within(t))
	expectError(t, "refused", err, r.String(), "no backend blog")
	if _, again := r.Next(within(t)); again != err {
		t.Error(again)
	}
	insists := register(t, d, RegisterOptions{Insist: true}) // the rules may be mended
	applicant(t, d).Refuse("there is no backend blog")
	admit(t, d, Connection, 0)
	if kind, _, err := insists.Assigned(within(t)); err != nil || kind != Connection {
		t.Error(kind, err)
	}
	other := register(t, d, RegisterOptions{Dispatcher: []uint32{4242}})
	_, _, err = other.Assigned(within(t))
	expectError(t, "dispatcher of another user", err, "may not be one")
	waits := Register(filepath.Join(shortDir(t), "none"), "blog", RegisterOptions{})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, _, err := waits.Assigned(ctx); err != context.DeadlineExceeded {
		t.Error(err)
	}
	waits.Close()
	if _, _, err := waits.Assigned(within(t)); err != net.ErrClosed {
		t.Error(err)
	}
}

// What a dispatcher passes wrongly is closed, and takes no credit.
func TestRegistrationChecks(t *testing.T) {
	noLeak(t)
	var l logged
	d := openDesk(t)
	client, fd := connection(t)
	r := register(t, d, RegisterOptions{Credit: 1, Log: l.log()})
	s, w, _ := admit(t, d, Connection, 0)
	for _, wrong := range notConnections(t) {
		if wrong < 0 {
			continue
		}
		give(t, s, wrong)
		get(t, w.accepted)
		get(t, w.credit)
	}
	l.await(t, "is refused", 1)
	give(t, s, fd)
	answers(t, next(t, r).Number, client)
}

// A backend that can open no more descriptors gives the connection back, and comes again.
func TestRegistrationNoDescriptors(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	client, fd := connection(t)
	r := register(t, d, RegisterOptions{Credit: 2})
	s, w, _ := admit(t, d, Connection, 0)
	assigned(t, r)
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	free, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(free)
	id := func() uint64 {
		none := before
		none.Cur = uint64(free)
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &none); err != nil {
			t.Fatal(err)
		}
		defer unix.Setrlimit(unix.RLIMIT_NOFILE, &before)
		id := give(t, s, fd)
		if got := get(t, w.returned); !slices.Equal(got, []uint64{id}) {
			t.Error(got)
		}
		return id
	}()
	if err := get(t, w.ended); err != nil || id == 0 {
		t.Error(err)
	}
	s, _, a := admit(t, d, Connection, 0)
	if a.Credit != 2 {
		t.Errorf("it grants %d", a.Credit)
	}
	give(t, s, fd)
	answers(t, next(t, r).Number, client)
}

// A dispatcher that breaks the protocol is left, and tried again.
func TestRegistrationWrongDispatcher(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	_, fd := connection(t)
	r := register(t, d, RegisterOptions{Credit: 1})
	s, w, _ := admit(t, d, Connection, 0)
	one := give(t, s, fd)
	waitQueued(t, r)
	s.conn.send(connectionFrame{id: 2}.append(nil), fd) // beyond the credit
	if got := get(t, w.returned); !slices.Equal(got, []uint64{one}) {
		t.Error(got)
	}
	get(t, w.ended)
	for _, word := range [][]byte{[]byte("nonsense"), connectionFrame{id: 1}.append(nil), socketFrame{id: 1}.append(nil), append(head(nil, typeWithdraw), 1)} {
		s, w, _ = admit(t, d, Connection, 0)
		s.conn.send(word)
		get(t, w.ended)
	}
	s, _, _ = admit(t, d, Connection, 0)
	s.conn.send(head(nil, 250)) // of a later version
	give(t, s, fd)
	next(t, r)
}

// socketbox's protocol on the backend's side: nothing is taken that was not granted.
func TestRegistrationSocketbox(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	client, fd := connection(t)
	slot := uint32(7)
	r := register(t, d, RegisterOptions{Slot: &slot, Credit: 2})
	applicant(t, d).Refuse("taken") // it closes without a word, and the slot may be free later
	s, w, a := admit(t, d, Connection, 0)
	if a.Slot == nil || *a.Slot != 7 {
		t.Fatalf("%+v", a.Request)
	}
	if kind, _ := assigned(t, r); kind != Connection {
		t.Error(kind)
	}
	for range 3 {
		give(t, s, fd)
		get(t, w.accepted)
	}
	s.conn.send([]byte{3, 0, 0, 0}) // without a descriptor: skipped
	for range 2 {
		a := next(t, r)
		answers(t, a.Number, client)
		a.Accepted()
	}
	expectNone(t, r)
	r.Grant(1)
	answers(t, next(t, r).Number, client)
	r.Grant(5)
	s.Close()
	get(t, w.ended)
	s, _, _ = admit(t, d, Connection, 0)
	give(t, s, fd)
	answers(t, next(t, r).Number, client)
}
