package route

import (
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/rouse-server/rouse/activation/handoff"
)

// readReach reads one as a file of rules has it, such as 192.0.2.0/24:20-30.
func readReach(t testing.TB, text string) Reach {
	t.Helper()
	i := strings.LastIndexByte(text, ':')
	prefix, _, err := parsePrefix(text[:i])
	if err != nil {
		t.Fatal(err)
	}
	ports := everyPort()
	if text[i+1:] != "*" {
		if ports, err = parsePorts(text[i+1:]); err != nil {
			t.Fatal(err)
		}
	}
	return Reach{prefix, ports}
}

func reachOf(t testing.TB, texts ...string) (all []Reach) {
	t.Helper()
	for _, text := range texts {
		all = append(all, readReach(t, text))
	}
	return all
}

func errnoOf(err error) syscall.Errno {
	errno, _ := errors.AsType[syscall.Errno](err)
	return errno
}

func at(text string) netip.AddrPort {
	if text == "" {
		return netip.AddrPort{}
	}
	return netip.MustParseAddrPort(text)
}

// The list decides what is bound and connected to; loopback is only meant by name.
func TestAllow(t *testing.T) {
	n := Network{
		Listen:  reachOf(t, "0.0.0.0/0:20000-20999", "192.0.2.1:20", "::1:5000"),
		Connect: reachOf(t, "any:25", "192.0.2.0/24:1024-65535", "127.0.0.0/8:587"),
	}
	for _, c := range []struct {
		local, remote string
		want          syscall.Errno
	}{
		{"0.0.0.0:20000", "", 0},
		{"0.0.0.0:0", "", 0},
		{"192.0.2.9:20999", "", 0},
		{"192.0.2.9:21000", "", syscall.EACCES},
		{"192.0.2.1:20", "", 0},
		{"192.0.2.2:20", "", syscall.EACCES},
		{"[::ffff:192.0.2.1]:20", "", 0},
		{"127.0.0.1:20000", "", syscall.EACCES},
		{"[::1]:5000", "", 0},
		{"[2001:db8::1]:20000", "", syscall.EACCES},
		{"", "198.51.100.1:25", 0},
		{"", "[2001:db8::1]:25", 0},
		{"", "[::ffff:198.51.100.1]:25", 0},
		{"", "198.51.100.1:26", syscall.EACCES},
		{"", "192.0.2.7:1024", 0},
		{"", "192.0.2.7:0", syscall.EACCES},
		{"", "127.0.0.1:25", syscall.EACCES},
		{"", "[::ffff:127.0.0.1]:25", syscall.EACCES},
		{"", "[::1]:25", syscall.EACCES},
		{"", "0.0.0.0:25", syscall.EACCES},
		{"", "[::]:25", syscall.EACCES},
		{"", "127.0.0.1:587", 0},
		{"192.0.2.1:20", "192.0.2.7:4000", 0},
		{"192.0.2.1:21", "192.0.2.7:4000", syscall.EACCES},
		{"198.51.100.1:0", "192.0.2.7:4000", 0},
	} {
		r := handoff.NetworkRequest{Operation: "listen", Family: 4, Type: "stream", Local: at(c.local), Remote: at(c.remote)}
		if c.remote != "" {
			r.Operation = "connect"
		}
		if !r.Local.Addr().Is4() && c.local != "" || !r.Remote.Addr().Is4() && c.remote != "" {
			r.Family = 6
		}
		var errno syscall.Errno
		if err := n.allow(&r); err != nil {
			errno = errnoOf(err)
		}
		if errno != c.want {
			t.Errorf("from %q to %q: %v, want %v", c.local, c.remote, errno, c.want)
		}
	}
}

// Where one family may be bound, an IPv6 wildcard is for that family alone.
func TestAllowWildcard(t *testing.T) {
	for _, c := range []struct {
		list []string
		want string
		six  bool
	}{
		{[]string{"any:*"}, "[::]:80", false},
		{[]string{"::/0:*", "0.0.0.0/0:80"}, "[::]:80", false},
		{[]string{"::/0:*"}, "[::]:80", true},
		{[]string{"0.0.0.0/0:*"}, "[::ffff:0.0.0.0]:80", false},
	} {
		r := handoff.NetworkRequest{Operation: "listen", Family: 6, Type: "stream", Local: at("[::]:80")}
		if err := (Network{Listen: reachOf(t, c.list...)}).allow(&r); err != nil || r.Local.String() != c.want || r.Only6 != c.six {
			t.Errorf("%q: %v, only IPv6 %t, %v", c.list, r.Local, r.Only6, err)
		}
	}
	r := handoff.NetworkRequest{Operation: "listen", Family: 6, Type: "stream", Local: at("[::]:80"), Only6: true}
	if err := (Network{Listen: reachOf(t, "0.0.0.0/0:*")}).allow(&r); errnoOf(err) != syscall.EACCES {
		t.Errorf("IPv6 alone, of a list that has none: %v", err)
	}
}

// What is no question is answered with an error, and makes nothing.
func TestAnswerNonsense(t *testing.T) {
	n := Network{Listen: reachOf(t, "any:*"), Connect: reachOf(t, "any:*")}
	for _, r := range []handoff.NetworkRequest{
		{},
		{Operation: "listen", Family: 4, Type: "stream"},
		{Operation: "connect", Family: 4, Type: "stream", Local: at("192.0.2.1:1")},
		{Operation: "listen", Family: 4, Type: "datagram", Local: at("192.0.2.1:1")},
		{Operation: "listen", Family: 5, Type: "stream", Local: at("192.0.2.1:1")},
		{Operation: "listen", Family: 4, Type: "stream", Local: at("[2001:db8::1]:1")},
		{Operation: "accept", Family: 4, Type: "stream", Local: at("192.0.2.1:1")},
	} {
		if a := n.answer(t.Context(), r); a.Errno == 0 || a.Number != -1 || a.Text == "" {
			t.Errorf("%+v: %+v", r, a)
		}
	}
}

// Whatever is asked, what is allowed has an address that the list has.
func FuzzAllow(f *testing.F) {
	f.Add("listen", 6, "[::]:0", "", true)
	f.Add("connect", 4, "192.0.2.1:20", "192.0.2.7:4000", false)
	n := Network{Listen: reachOf(f, "192.0.2.0/24:20-30"), Connect: reachOf(f, "2001:db8::/32:25", "192.0.2.0/24:25")}
	f.Fuzz(func(t *testing.T, operation string, family int, local, remote string, six bool) {
		r := handoff.NetworkRequest{Operation: operation, Family: family, Type: "stream", Only6: six}
		r.Local, _ = netip.ParseAddrPort(local)
		r.Remote, _ = netip.ParseAddrPort(remote)
		if n.allow(&r) != nil {
			return
		}
		inside := func(a netip.AddrPort, ports Ports, texts ...string) bool {
			for _, text := range texts {
				if netip.MustParsePrefix(text).Contains(a.Addr().Unmap().WithZone("")) && (ports.Has(a.Port()) || a.Port() == 0) {
					return true
				}
			}
			return false
		}
		switch {
		case operation == "listen" && inside(r.Local, Ports{20, 30}, "192.0.2.0/24"):
		case operation == "connect" && r.Remote.Port() == 25 && inside(r.Remote, Ports{25, 25}, "192.0.2.0/24", "2001:db8::/32") &&
			(r.Local.Port() == 0 || inside(r.Local, Ports{20, 30}, "192.0.2.0/24")):
		default:
			t.Errorf("%+v", r)
		}
	})
}
