package handoff

import (
	"bufio"
	"fmt"
	"net/netip"
	"slices"
	"testing"
)

// A client in another language, written from PROTOCOL.md: it gets no more than its credit, serves its clients, and what it
// leaves is known.
func TestClientPython(t *testing.T) {
	noLeak(t)
	d := openDesk(t)
	double(t, nil, "client.py", d.Path(), "python", "10")
	s, w, a := admit(t, d, Connection, 0)
	if a.Backend != "python" || a.Takes != "connections" || a.Credit != 4 {
		t.Errorf("%+v", a.Request)
	}
	for i := range 10 {
		client, fd := connection(t)
		from := netip.MustParseAddrPort([]string{"192.0.2.7:1024", "[2001:db8::1]:443", "[fe80::1%eth0]:22"}[i%3])
		id, err := s.Give(fd, Meta{Client: from, Listener: "web", Route: "rule"})
		if err != nil {
			t.Fatal(err)
		}
		if got := get(t, w.accepted); got != id {
			t.Errorf("%d was accepted, not %d", got, id)
		}
		line, err := bufio.NewReader(client).ReadString('\n')
		if want := fmt.Sprintf("hello %s by web and rule\n", from); err != nil || line != want {
			t.Errorf("%q, %v, not %q", line, err, want)
		}
	}
	get(t, w.returned)
	if err := get(t, w.ended); err != nil {
		t.Error(err)
	}

	double(t, nil, "client.py", d.Path(), "python", "1")
	s, w, _ = admit(t, d, Connection, 0)
	_, fd := connection(t)
	var given []uint64
	for range 4 {
		given = append(given, give(t, s, fd))
	}
	if got := get(t, w.accepted); got != given[0] {
		t.Error(got)
	}
	if returned := get(t, w.returned); !slices.Equal(returned, given[1:]) {
		t.Errorf("it gave back %v of %v", returned, given)
	}
}
