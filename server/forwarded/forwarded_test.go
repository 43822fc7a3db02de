package forwarded

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

var proxies = Trusted{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:1::/48"), netip.MustParsePrefix("192.0.2.53/32")}

func address(t testing.TB, text string) netip.Addr {
	t.Helper()
	if text == "" {
		return netip.Addr{}
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// header reads lines such as "X-Forwarded-For: 192.0.2.1".
func header(lines ...string) http.Header {
	h := http.Header{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	return h
}

// Who asked is told by the nearest proxies, each as far as it is trusted; a client cannot make itself somebody else.
func TestClient(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, peer string
		lines      []string
		want       string
	}{
		{"no proxy, nothing said", "203.0.113.9", nil, "203.0.113.9"},
		{"a client that claims to be another", "203.0.113.9", []string{"X-Forwarded-For: 10.0.0.1", "Forwarded: for=10.0.0.1", "X-Real-IP: 10.0.0.1"}, "203.0.113.9"},
		{"a trusted proxy that says nothing", "10.0.0.1", nil, "10.0.0.1"},
		{"one proxy", "10.0.0.1", []string{"X-Forwarded-For: 203.0.113.9"}, "203.0.113.9"},
		{"a client before the proxy that made something up", "10.0.0.1", []string{"X-Forwarded-For: 127.0.0.1, 203.0.113.9"}, "203.0.113.9"},
		{"several trusted proxies", "10.0.0.1", []string{"X-Forwarded-For: 1.1.1.1, 203.0.113.9, 10.9.9.9,192.0.2.53"}, "203.0.113.9"},
		{"several lines are one list", "10.0.0.1", []string{"X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 203.0.113.9, 10.9.9.9", "X-Forwarded-For: 10.8.8.8"}, "203.0.113.9"},
		{"all are trusted: the farthest", "10.0.0.1", []string{"X-Forwarded-For: 10.3.3.3, 10.2.2.2"}, "10.3.3.3"},
		{"what cannot be read ends the walk", "10.0.0.1", []string{"X-Forwarded-For: 203.0.113.9, what, 10.2.2.2"}, "10.2.2.2"},
		{"nothing that can be read", "10.0.0.1", []string{"X-Forwarded-For: 203.0.113.9, unknown"}, "10.0.0.1"},
		{"empty elements", "10.0.0.1", []string{"X-Forwarded-For: ,203.0.113.9, ,\t,10.2.2.2,", "X-Forwarded-For: "}, "203.0.113.9"},
		{"ports", "10.0.0.1", []string{"X-Forwarded-For: 203.0.113.9:4711, 10.2.2.2:80"}, "203.0.113.9"},
		{"IPv6 in all its forms", "2001:db8:1::1", []string{"X-Forwarded-For: 2001:db8::9, [2001:db8:1::2]:80, [2001:db8:1::3]"}, "2001:db8::9"},
		{"IPv4 in IPv6", "::ffff:10.0.0.1", []string{"X-Forwarded-For: ::ffff:203.0.113.9, ::ffff:10.2.2.2"}, "203.0.113.9"},
		{"a zone is no part of it", "2001:db8:1::1%eth0", []string{"X-Forwarded-For: fe80::9%en0"}, "fe80::9"},
		{"Forwarded", "10.0.0.1", []string{`Forwarded: for=1.1.1.1, for="[2001:db8::9]:4711";proto=https;by=10.2.2.2, For=10.2.2.2`}, "2001:db8::9"},
		{"Forwarded on several lines", "10.0.0.1", []string{"Forwarded: for=203.0.113.9;host=a", "Forwarded: by=_x;for=10.2.2.2"}, "203.0.113.9"},
		{"Forwarded hides the client", "10.0.0.1", []string{"Forwarded: for=_hidden, for=10.2.2.2"}, "10.2.2.2"},
		{"Forwarded does not know the client", "10.0.0.1", []string{`Forwarded: for=unknown`}, "10.0.0.1"},
		{"Forwarded with a hidden port", "10.0.0.1", []string{`Forwarded: for="203.0.113.9:_secret"`}, "203.0.113.9"},
		{"Forwarded without for", "10.0.0.1", []string{`Forwarded: for=203.0.113.9, proto=http`}, "10.0.0.1"},
		{"Forwarded with for twice", "10.0.0.1", []string{`Forwarded: for=203.0.113.9;for=10.2.2.2`}, "10.0.0.1"},
		{"commas and semicolons in quotes", "10.0.0.1", []string{`Forwarded: host="a,b;for=1.1.1.1,\"";for=203.0.113.9`}, "203.0.113.9"},
		{"escapes in quotes", "10.0.0.1", []string{`Forwarded: for="203\.0.113.9"`}, "203.0.113.9"},
		{"a client leaves a quotation mark open", "10.0.0.1", []string{`Forwarded: for="1.1.1.1, for=203.0.113.9`}, "203.0.113.9"},
		{"a client leaves one open before a quoted address", "10.0.0.1", []string{`Forwarded: for=", for="[2001:db8::9]"`}, "2001:db8::9"},
		{"X-Forwarded-For counts where both are", "10.0.0.1", []string{"Forwarded: for=1.1.1.1", "X-Forwarded-For: 203.0.113.9"}, "203.0.113.9"},
		{"X-Forwarded-For of nonsense does not let Forwarded in", "10.0.0.1", []string{"Forwarded: for=1.1.1.1", "X-Forwarded-For: x"}, "10.0.0.1"},
		{"X-Real-IP where it is alone", "10.0.0.1", []string{"X-Real-IP: 203.0.113.9"}, "203.0.113.9"},
		{"X-Real-IP twice", "10.0.0.1", []string{"X-Real-IP: 203.0.113.9", "X-Real-IP: 1.1.1.1"}, "10.0.0.1"},
		{"a unix socket's peer is a proxy here", "", []string{"X-Forwarded-For: 203.0.113.9"}, "203.0.113.9"},
		{"a unix socket's peer that says nothing", "", nil, ""},
	} {
		if got := proxies.Client(address(t, c.peer), header(c.lines...)); got != address(t, c.want) {
			t.Errorf("%s: %s %q: the client is %s, want %s", c.name, c.peer, c.lines, got, c.want)
		}
	}
	for _, peer := range []string{"203.0.113.9", ""} {
		if got := Trusted(nil).Client(address(t, peer), header("X-Forwarded-For: 1.1.1.1", "X-Real-IP: 1.1.1.1")); got != address(t, peer) {
			t.Errorf("with no proxy trusted, %q is %s", peer, got)
		}
	}
}

// The log repeats what was claimed: of trusted proxies only, or of everybody where none is configured.
func TestClaimed(t *testing.T) {
	t.Parallel()
	lines := []string{"X-Forwarded-For: 198.51.100.1, 203.0.113.9, 10.2.2.2"}
	for _, c := range []struct {
		trusted    Trusted
		peer, want string
	}{
		{nil, "203.0.113.1", "198.51.100.1"},
		{nil, "", "198.51.100.1"},
		{proxies, "10.0.0.1", "203.0.113.9"},
		{proxies, "203.0.113.1", ""},
		{proxies, "", "203.0.113.9"},
	} {
		if got := c.trusted.Claimed(address(t, c.peer), header(lines...)); got != address(t, c.want) {
			t.Errorf("%v, %q: %s, want %s", c.trusted, c.peer, got, c.want)
		}
	}
}

// Only what is an address is taken for one.
func TestNode(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"192.0.2.1":            "192.0.2.1",
		" 192.0.2.1\t":         "192.0.2.1",
		"192.0.2.1:1":          "192.0.2.1",
		"192.0.2.1:65535":      "192.0.2.1",
		"192.0.2.1:":           "",
		"192.0.2.1:x":          "",
		"192.0.2.1:_":          "",
		"192.0.2.1:_a.b-C":     "192.0.2.1",
		"192.0.2.1:123456":     "",
		"192.0.2.01":           "",
		"192.0.2":              "",
		"2001:db8::1":          "2001:db8::1",
		"[2001:db8::1]":        "2001:db8::1",
		"[2001:db8::1]:80":     "2001:db8::1",
		"[2001:db8::1]80":      "",
		"[2001:db8::1":         "",
		"[192.0.2.1]:80":       "",
		"[::ffff:192.0.2.1]:1": "192.0.2.1",
		"::ffff:192.0.2.1":     "192.0.2.1",
		"fe80::1%\x1b[2J":      "fe80::1",
		"unknown":              "",
		"_hidden":              "",
		"localhost":            "",
		"":                     "",
		`"192.0.2.1"`:          "",
	} {
		if got := node(text); got != address(t, want) {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

// Finding the client costs a request next to nothing.
func BenchmarkClient(b *testing.B) {
	h, peer := header("X-Forwarded-For: 1.1.1.1, 203.0.113.9, 10.9.9.9"), address(b, "10.0.0.1")
	b.ReportAllocs()
	for b.Loop() {
		proxies.Client(peer, h)
	}
}
