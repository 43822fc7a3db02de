package handoff

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openDesk opens a desk that is closed with the test.
func openDesk(t testing.TB) *Desk {
	t.Helper()
	d, err := OpenDesk(filepath.Join(shortDir(t), "desk"), 0o600, -1, -1)
	if errors.Is(err, errNoSeqpacket) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func applicant(t testing.TB, d *Desk) *Applicant {
	t.Helper()
	a, err := d.Next(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// stranger is a program that speaks the protocol by hand.
type stranger struct {
	t      testing.TB
	conn   *packets
	buffer []byte // of the message heard last
}

func connect(t testing.TB, d *Desk) stranger {
	t.Helper()
	conn, err := dialPackets(d.Path())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.close)
	conn.file.SetDeadline(time.Now().Add(limit))
	return stranger{t, conn, make([]byte, mostBytes)}
}

func (s stranger) says(word []byte, descriptors ...int) {
	s.t.Helper()
	if err := s.conn.push(word, descriptors...); err != nil {
		s.t.Fatal(err)
	}
}

// hears returns the next message.
func (s stranger) hears() message {
	s.t.Helper()
	m, err := s.conn.receive(s.buffer, 1)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(m.close)
	return m
}

// skips hears so many messages, and closes what came with them.
func (s stranger) skips(count int) {
	s.t.Helper()
	for range count {
		m, err := s.conn.receive(s.buffer, 1)
		if err != nil {
			s.t.Fatal(err)
		}
		m.close()
	}
}

// hearsType returns what follows the head of the next frame, which has to be of the type.
func (s stranger) hearsType(want frameType) []byte {
	s.t.Helper()
	kind, rest, err := frameOf(s.hears().data)
	if err != nil || kind != want {
		s.t.Fatalf("a message of type %d (%v), not %d", kind, err, want)
	}
	return rest
}

// hearsEnd waits until the other side has closed.
func (s stranger) hearsEnd() {
	s.t.Helper()
	if m, err := s.conn.receive(s.buffer, 1); err != io.EOF {
		s.t.Fatalf("%q, %v instead of the end", m.data, err)
	}
}

func TestDeskRequests(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	listener := descriptor(t, listenTCP(t))
	for _, c := range []struct {
		name string
		word []byte
		held []int
		want Request
	}{
		{"hello", helloFrame{"blog", "listener", 7, []uint64{42}}.append(nil), []int{listener},
			Request{Kind: WantsRegister, Backend: "blog", Takes: "listener", Credit: 7}},
		{"socketbox", []byte{1, 0, 0, 0, 0, 0, 1, 2}, nil, Request{Kind: WantsRegister, Takes: "connections"}},
		{"status", head(nil, typeStatusRequest), nil, Request{Kind: WantsStatus}},
		{"network", appendNetworkHello(nil, "ftp"), nil, Request{Kind: WantsNetwork, Backend: "ftp"}},
	} {
		s := connect(t, d)
		s.says(c.word, c.held...)
		a := applicant(t, d)
		if a.Kind != c.want.Kind || a.Backend != c.want.Backend || a.Takes != c.want.Takes || a.Credit != c.want.Credit {
			t.Errorf("%s: %+v", c.name, a.Request)
		}
		if (c.name == "socketbox") != (a.Slot != nil) || a.Slot != nil && *a.Slot != 258 {
			t.Errorf("%s: slot %v", c.name, a.Slot)
		}
		if len(a.Held) != len(c.held) || len(a.Held) == 1 && a.Held[0].ID != 42 {
			t.Errorf("%s: held %v", c.name, a.Held)
		}
		if a.Peer.PID != unix.Getpid() || a.Peer.UID != uint32(unix.Getuid()) {
			t.Errorf("%s: peer %v", c.name, a.Peer)
		}
		a.Refuse("because")
		if a.Slot == nil {
			r, err := parseRefused(s.hearsType(typeRefused))
			if err != nil || r.again || r.reason != "because" {
				t.Errorf("%s: refusal %+v, %v", c.name, r, err)
			}
		}
		s.hearsEnd()
	}
}

// What does not follow the protocol is told so and closed; descriptors that came with it too.
func TestDeskWrongFrames(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	_, c := connection(t)
	listener := descriptor(t, listenTCP(t))
	good := helloFrame{"blog", "either", 1, nil}.append(nil)
	for name, w := range map[string]struct {
		word        []byte
		descriptors []int
		why         string
	}{
		"version":         {append([]byte{'R', 'H', 9}, good[3:]...), nil, "version 9"},
		"short":           {good[:len(good)-1], nil, "too early"},
		"long":            {append(bytes.Clone(good), 0), nil, "1 bytes too many"},
		"huge":            {append(bytes.Clone(good), make([]byte, mostWords)...), nil, "longer than"},
		"unknown":         {head(nil, 99), nil, "asks for nothing known"},
		"misplaced":       {appendCredit(nil, 1), nil, "asks for nothing known"},
		"nameless":        {helloFrame{"", "either", 1, nil}.append(nil), nil, "names no backend"},
		"takes":           {append(appendText(head(nil, typeHello), "x"), 9, 0, 0, 0, 0, 0, 0), nil, "9 is unknown"},
		"more sockets":    {good, []int{listener}, "0 sockets and holds 1"},
		"no socket":       {helloFrame{"blog", "either", 1, []uint64{1}}.append(nil), nil, "1 sockets and holds 0"},
		"no listener":     {helloFrame{"blog", "either", 1, []uint64{1}}.append(nil), []int{c}, "does not listen"},
		"status with one": {head(nil, typeStatusRequest), []int{c}, "holds descriptors"},
		"control":         {append(append(head(nil, typeNetworkHello), 0, 1), '\n'), nil, "plain UTF-8"},
	} {
		s := connect(t, d)
		s.says(w.word, w.descriptors...)
		r, err := parseRefused(s.hearsType(typeRefused))
		if err != nil || r.again || !strings.Contains(r.reason, w.why) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		s.hearsEnd()
	}
	// Who does not speak the protocol gets no word of it.
	for _, foreign := range []string{"GET / HTTP/1.0\r\n\r\n", "\x01\x00\x00\x01\x00\x00\x00\x05", "\x01\x00\x00\x00\x00\x00\x05", "R"} {
		s := connect(t, d)
		s.says([]byte(foreign), c)
		s.hearsEnd()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if a, err := d.Next(ctx); err == nil {
		t.Errorf("an applicant: %+v", a.Request)
	}
}

// Who connects and says nothing delays nobody, however many they are: the oldest have to go.
func TestDeskSilent(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	var silent []stranger
	for range mostSilent + 10 {
		silent = append(silent, connect(t, d))
	}
	s := connect(t, d)
	s.says(head(nil, typeStatusRequest))
	if err := applicant(t, d).AnswerStatus([]byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	s.hearsType(typeStatus)
	for _, one := range silent[:11] {
		one.hearsEnd()
	}
	last := silent[len(silent)-1]
	last.says(head(nil, typeStatusRequest))
	applicant(t, d).Later("no")
	d.Close()
	for _, one := range silent[11 : len(silent)-1] {
		one.hearsEnd()
	}
}

// Who offers many sockets at once, and is anybody, does not make the dispatcher take them all at once.
func TestDeskOffers(t *testing.T) {
	d := openDesk(t)
	listener := descriptor(t, listenTCP(t))
	held := make([]int, mostHeld)
	h := helloFrame{backend: "x", takes: "listener", held: make([]uint64, mostHeld)}
	for i := range held {
		held[i], h.held[i] = listener, uint64(i+1)
	}
	const many = 30
	before := openDescriptors()
	for range many {
		connect(t, d).says(h.append(nil), held...)
	}
	for count := range many {
		a := applicant(t, d)
		time.Sleep(time.Millisecond) // in which all others would come
		if open := openDescriptors() - before; open > 3*many+(mostSpeaking+1)*mostHeld {
			t.Fatalf("%d descriptors are open", open)
		}
		if len(a.Held) != mostHeld {
			t.Errorf("applicant %d holds %d", count, len(a.Held))
		}
		a.Refuse("no")
	}
}

func TestDeskClose(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	if other, err := OpenDesk(d.Path(), 0o600, -1, -1); err == nil {
		other.Close()
		t.Error("a second dispatcher took the path of one that lives")
	}
	d.Close()
	if _, err := d.Next(within(t)); err != net.ErrClosed {
		t.Error(err)
	}
	if _, err := dialPackets(d.Path()); err != unix.ENOENT {
		t.Error(err)
	}
}

func TestStatus(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	want := bytes.Repeat([]byte("status"), 50_000)
	go func() {
		a, err := d.Next(context.Background())
		if err == nil {
			err = a.AnswerStatus(want)
		}
		if err != nil {
			t.Error(err)
		}
		if a, err = d.Next(context.Background()); err == nil {
			a.Refuse("not for you")
		}
	}()
	if got, err := AskStatus(within(t), d.Path()); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	_, err := AskStatus(within(t), d.Path())
	expectError(t, "refused", err, d.Path(), "not for you")
	d.Close()
	_, err = AskStatus(within(t), d.Path())
	expectError(t, "absent", err, d.Path(), "no dispatcher")
}
