package handoff

import (
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// told is what the events of a session said.
type told struct {
	accepted chan uint64
	credit   chan struct{}
	returned chan []uint64
	ended    chan error
}

func newTold() (told, Events) {
	w := told{make(chan uint64, 10_000), make(chan struct{}, 1), make(chan []uint64, 1), make(chan error, 1)}
	return w, Events{
		Accepted: func(id uint64) { w.accepted <- id },
		Credit:   func() { wake(w.credit) },
		Leaving:  func(ids []uint64) { w.returned <- ids },
		Ended:    func(err error) { w.ended <- err },
	}
}

// get waits for what a channel gives.
func get[T any](t testing.TB, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(limit):
		t.Fatal("nothing comes")
	}
	return v
}

// admit lets the next applicant in.
func admit(t testing.TB, d *Desk, gives Kind, sockets int) (*Session, told, *Applicant) {
	t.Helper()
	a := applicant(t, d)
	w, e := newTold()
	s, err := a.Admit(gives, sockets, e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, w, a
}

// backend is a program that registers by hand, with so much credit.
func backend(t testing.TB, d *Desk, credit uint32) (stranger, *Session, told) {
	t.Helper()
	b := connect(t, d)
	b.says(helloFrame{"blog", "connections", credit, nil}.append(nil))
	s, w, _ := admit(t, d, Connection, 0)
	b.hearsType(typeWelcome)
	return b, s, w
}

func give(t testing.TB, s *Session, fd int) uint64 {
	t.Helper()
	id, err := s.Give(fd, Meta{})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func expectFull(t testing.TB, s *Session, fd int) {
	t.Helper()
	if id, err := s.Give(fd, Meta{}); !errors.Is(err, ErrFull) {
		t.Fatalf("it gave %d, %v without credit", id, err)
	}
}

func TestSessionCredit(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	_, fd := connection(t)
	b, s, w := backend(t, d, 2)
	one, two := give(t, s, fd), give(t, s, fd)
	expectFull(t, s, fd)
	if s.Credit() != 0 || !slices.Equal(s.Unaccepted(), []uint64{one, two}) {
		t.Error(s.Credit(), s.Unaccepted())
	}
	b.says(acceptedFrame{0, []uint64{two}}.append(nil))
	if id := get(t, w.accepted); id != two {
		t.Errorf("%d was accepted, not %d", id, two)
	}
	expectFull(t, s, fd) // accepted, but nothing more was granted
	b.says(acceptedFrame{1, []uint64{one}}.append(nil))
	get(t, w.credit)
	give(t, s, fd)
	expectFull(t, s, fd)
	b.says(appendCredit(nil, 3))
	get(t, w.credit)
	for range 3 {
		give(t, s, fd)
	}
	expectFull(t, s, fd)
	for range 6 {
		b.hearsType(typeConnection)
	}
	b.says(appendCredit(nil, 1<<32-1))
	get(t, w.credit)
	if s.Credit() != mostCredit {
		t.Error(s.Credit())
	}
}

// The dispatcher knows by id what a backend that died had not accepted.
func TestSessionDeath(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	client, fd := connection(t)
	b, s, w := backend(t, d, 10)
	one, two, three := give(t, s, fd), give(t, s, fd), give(t, s, fd)
	b.says(acceptedFrame{0, []uint64{two}}.append(nil))
	b.conn.close() // with messages that it has not read
	if err := get(t, w.ended); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Error(err)
	}
	if id := <-w.accepted; id != two {
		t.Error(id)
	}
	if left := s.Unaccepted(); !slices.Equal(left, []uint64{one, three}) {
		t.Error(left)
	}
	if _, err := s.Give(fd, Meta{}); !errors.Is(err, ErrAbsent) {
		t.Error(err)
	}
	answers(t, fd, client) // untouched
}

// What a backend that leaves did not accept is given back at once.
func TestSessionLeaving(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	_, fd := connection(t)
	b, s, w := backend(t, d, 10)
	one, two := give(t, s, fd), give(t, s, fd)
	b.says(acceptedFrame{0, []uint64{one}}.append(nil))
	b.says(head(nil, typeLeaving))
	if ids := get(t, w.returned); !slices.Equal(ids, []uint64{two}) {
		t.Error(ids)
	}
	if _, err := s.Give(fd, Meta{}); !errors.Is(err, ErrAbsent) || s.Credit() != 0 || len(s.Unaccepted()) != 0 {
		t.Error(err, s.Credit(), s.Unaccepted())
	}
	b.conn.close()
	if err := get(t, w.ended); err != nil {
		t.Error(err)
	}
}

// The dispatcher ends a session in order: what the backend accepts meanwhile is its own.
func TestSessionClose(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	_, fd := connection(t)
	b, s, w := backend(t, d, 10)
	one, two := give(t, s, fd), give(t, s, fd)
	s.Close()
	if _, err := s.Give(fd, Meta{}); !errors.Is(err, ErrAbsent) {
		t.Error(err)
	}
	b.hearsType(typeConnection)
	b.hearsType(typeConnection)
	b.hearsType(typeEnd)
	b.says(acceptedFrame{0, []uint64{one}}.append(nil))
	b.conn.close()
	if err := get(t, w.ended); err != nil || <-w.accepted != one || !slices.Equal(s.Unaccepted(), []uint64{two}) {
		t.Error(err, s.Unaccepted())
	}
	// One that does not answer is not waited for.
	_, s, w = backend(t, d, 1)
	s.Close()
	if err := get(t, w.ended); err != nil {
		t.Error(err)
	}
}

// A backend that breaks the protocol is told so, loses its session, and harms nobody.
func TestSessionWrongFrames(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	_, fd := connection(t)
	for name, c := range map[string]struct {
		word []byte
		why  string
	}{
		"nonsense":  {[]byte("nonsense"), "does not begin"},
		"stranger":  {acceptedFrame{0, []uint64{99}}.append(nil), "99"},
		"nothing":   {acceptedFrame{1, nil}.append(nil), "accepts nothing"},
		"misplaced": {head(nil, typeStatusRequest), "no place"},
		"long":      {append(appendCredit(nil, 1), 0), "too many"},
		"huge":      {make([]byte, mostWords+1), "longer"},
	} {
		b, s, w := backend(t, d, 10)
		id := give(t, s, fd)
		b.hearsType(typeConnection)
		b.says(c.word)
		if reason, err := parseEnd(b.hearsType(typeEnd)); err != nil || !strings.Contains(reason, c.why) {
			t.Errorf("%s: %q, %v", name, reason, err)
		}
		b.conn.close()
		if err := get(t, w.ended); !errors.Is(err, errFrame) {
			t.Errorf("%s: %v", name, err)
		}
		if left := s.Unaccepted(); !slices.Equal(left, []uint64{id}) {
			t.Errorf("%s: %v", name, left)
		}
	}
	// The same connection cannot be accepted twice; types of later versions and descriptors are ignored.
	b, s, w := backend(t, d, 10)
	id := give(t, s, fd)
	b.says(head(nil, 200), fd)
	b.says(acceptedFrame{0, []uint64{id}}.append(nil), fd, fd)
	get(t, w.accepted)
	b.says(acceptedFrame{0, []uint64{id}}.append(nil))
	b.hearsType(typeConnection)
	b.hearsType(typeEnd)
	b.conn.close()
	if err := get(t, w.ended); !errors.Is(err, errFrame) {
		t.Error(err)
	}
}

// A backend that talks without a reason is read slowly: its own queue fills, and the dispatcher does not work for it.
func TestSessionFlood(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	_, fd := connection(t)
	flood, _, _ := backend(t, d, 1)
	sent, begun := 0, time.Now()
	for flood.conn.send(appendCredit(nil, 1)) == nil && time.Since(begun) < limit {
		sent++
	}
	if took := time.Since(begun); took > limit {
		t.Errorf("%d messages were taken in %s", sent, took)
	}
	b, s, w := backend(t, d, 1)
	id := give(t, s, fd)
	b.hearsType(typeConnection)
	b.says(acceptedFrame{1, []uint64{id}}.append(nil))
	if got := get(t, w.accepted); got != id {
		t.Error(got)
	}
}

// A backend that reads nothing fills its queue; then nothing more is given until it reads.
func TestSessionFull(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	_, fd := connection(t)
	b, s, w := backend(t, d, 100_000)
	given := 0
	for ; ; given++ {
		if _, err := s.Give(fd, Meta{}); err != nil {
			if !errors.Is(err, ErrFull) {
				t.Fatal(err)
			}
			break
		}
	}
	if len(s.Unaccepted()) != given || s.Credit() != 0 {
		t.Errorf("%d given, %d not accepted, credit %d", given, len(s.Unaccepted()), s.Credit())
	}
	s.sockets[1<<40] = true
	if err := s.Withdraw(1 << 40); err != nil {
		t.Error(err)
	}
	b.skips(given)
	get(t, w.credit)
	give(t, s, fd)
	if id, err := parseWithdraw(b.hearsType(typeWithdraw)); id != 1<<40 || err != nil {
		t.Error(id, err)
	}
	b.hearsType(typeConnection)
}

func TestSessionMeta(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	client, fd := connection(t)
	r := register(t, d, RegisterOptions{Credit: 2})
	s, _, _ := admit(t, d, Connection, 0)
	want := Meta{
		Client: netip.MustParseAddrPort("[fe80::1%eth0]:1234"), Local: netip.MustParseAddrPort("192.0.2.1:443"),
		Name: "example.org", ALPN: []string{"h2", "http/1.1"}, Listener: "web", Route: "rule 7",
		At: time.Unix(1700000000, 123456789), Data: []byte("PROXY"),
	}
	if _, err := s.Give(fd, want); err != nil {
		t.Fatal(err)
	}
	a := next(t, r)
	if !reflect.DeepEqual(a.Meta, want) || a.Kind != Connection {
		t.Errorf("%+v", a)
	}
	answers(t, a.Number, client)
	if _, err := s.Give(fd, Meta{Data: make([]byte, mostBytes)}); err == nil || errors.Is(err, ErrFull) {
		t.Error(err)
	}
	if _, err := s.Give(fd, Meta{Name: "a\nb\xff"}); err != nil {
		t.Fatal(err)
	}
	if a := next(t, r); a.Meta.Name != "a\ufffdb\ufffd" {
		t.Errorf("%q", a.Meta.Name)
	}
}

// socketbox's protocol, byte for byte: 8 bytes, 4 bytes, 4 bytes and a descriptor.
func TestSessionSocketbox(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	client, fd := connection(t)
	b := connect(t, d)
	b.says([]byte{1, 0, 0, 0, 0, 0, 0, 5})
	a := applicant(t, d)
	if _, err := a.Admit(Listener, 0, Events{}); err == nil {
		t.Error("it was given a listener")
	}
	w, e := newTold()
	s, err := a.Admit(Connection, 0, e)
	if err != nil {
		t.Fatal(err)
	}
	if m := b.hears(); string(m.data) != "\x80\x00\x00\x00" || len(m.descriptors) != 0 {
		t.Fatalf("%x", m.data)
	}
	if s.Protocol() != "socketbox" || s.Credit() == 0 {
		t.Error(s.Protocol(), s.Credit())
	}
	id := give(t, s, fd)
	if got := get(t, w.accepted); got != id || len(s.Unaccepted()) != 0 {
		t.Error(got, s.Unaccepted())
	}
	m := b.hears()
	if string(m.data) != "\x03\x00\x00\x00" || len(m.descriptors) != 1 {
		t.Fatalf("%x", m.data)
	}
	answers(t, m.descriptors[0], client)
	given := 0
	for ; err == nil; given++ {
		_, err = s.Give(fd, Meta{})
	}
	if !errors.Is(err, ErrFull) || given < 100 || s.Credit() != 0 {
		t.Errorf("%d, %v", given, err)
	}
	b.skips(given - 1)
	get(t, w.credit)
	b.says([]byte{1, 0, 0, 0, 0, 0, 0, 5}) // a registered backend says nothing
	if err := get(t, w.ended); err == nil {
		t.Error("it may talk")
	}
	b.hearsEnd()
}

// Strangers who are not admitted get the words of socketbox's dispatcher: none.
func TestSocketboxRefused(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	b := connect(t, d)
	b.says([]byte{1, 0, 0, 0, 0, 0, 0, 5})
	applicant(t, d).Refuse("slot 5 is taken")
	b.hearsEnd()
	for _, wrong := range [][]byte{{1, 0, 0, 1, 0, 0, 0, 5}, {1, 0, 0, 0, 0, 0, 5}, {1, 0, 0, 0, 0, 0, 0, 0, 5}, {2, 0, 0, 0, 0, 0, 0, 5}} {
		b := connect(t, d)
		b.says(wrong)
		b.hearsEnd()
	}
}
