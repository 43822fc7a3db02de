package route

import (
	"io"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A client that was about to connect when the rules took its backend's socket away gets where the new rules send it. With
// TCP_DEFER_ACCEPT the kernel takes it for connected only with its first byte (tcp(7)).
func TestReloadWithinHandshakes(t *testing.T) {
	if _, inside := ownNetwork(t); !inside {
		return
	}
	t.Setenv("ROUTE_TEST_ENGINE", "kernel")
	before := "[backends.one]\n[backends.two]\n[[routes]]\nclient = '127.0.0.1'\nto = 'two'\n[[routes]]\nto = 'one'\n"
	after := strings.Replace(before, "to = 'two'", "to = 'one'", 1)
	s := play(t, "web", before, Options{})
	s.hold("late", "tcp:127.0.0.1:0")
	if err := unix.SetsockoptInt(s.sockets["late"][0].Number, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 20); err != nil {
		t.Fatal(err)
	}
	reload := func(rules string) {
		t.Helper()
		if err := s.d.Reload(s.rules(rules+"[listeners.web]\n[listeners.late]\n"), s.sockets); err != nil {
			t.Fatal(err)
		}
	}
	reload(before)
	s.serve("one")
	s.serve("two")
	client := s.dial("late")
	reload(after)
	client.Write([]byte("x"))
	if got, err := io.ReadAll(client); string(got) != "one" {
		t.Errorf("%q, %v", got, err)
	}
}
