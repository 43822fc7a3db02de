package route

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

// Check refuses what no reader should let through, whoever made the Config.
func TestCheck(t *testing.T) {
	slot := uint32(1)
	for want, spoil := range map[string]func(*Config){
		`rules:3: web: there is a listener of this name already, at rules:1; choose another name`: func(c *Config) {
			c.Listeners = append(c.Listeners, Listener{Name: "web", At: Position{"rules", 3}})
		},
		`rules:3: listener: it has no name; give it one`:                                             func(c *Config) { c.Listeners = append(c.Listeners, Listener{At: Position{"rules", 3}}) },
		`rules:2: blog: there is no socket "/run/b" (did you mean /run/a?); add it, or name another`: func(c *Config) { c.Backends[0].Desk = "/run/b" },
		`rules:2: blog: a client cannot wait -1s; write 30s or another time`:                         func(c *Config) { c.Backends[0].Patience = -time.Second },
		`rules:2: blog: takes "all" is none of either, listener and connections; write one of them`:  func(c *Config) { c.Backends[0].Takes = "all" },
		`rules:2: blog: "hope" is no way to get connections; it is registers, handoff or connect`:    func(c *Config) { c.Backends[0].Way = "hope" },
		`rules:2: blog: there is no address to connect to; write connect = "HOST:PORT"`:              func(c *Config) { c.Backends[0].Way = Relayed },
		`rules:2: blog: the path "/a\x00" has a zero byte; take it out`: func(c *Config) {
			c.Backends[0].Way, c.Backends[0].Path = Datagrams, "/a\x00"
		},
		`rules:2: blog: the range 9-1 goes backwards; write 1-9`: func(c *Config) {
			c.Backends[0].Network = &Network{Listen: []Reach{{everywhere(), Ports{9, 1}}}}
		},
		`rules:4: other: slot 1 is that of blog already, at rules:2; choose another number`: func(c *Config) {
			c.Backends[0].Slot = &slot
			c.Backends = append(c.Backends, Backend{Name: "other", At: Position{"rules", 4}, Way: Registers, Takes: Either, Slot: &slot})
		},
		`rules:5: one: there is no listener "wep" (did you mean web?); add it, or name another`:   func(c *Config) { c.Routes[0].Listeners = []string{"wep"} },
		`rules:5: one: there is no backend "block" (did you mean blog?); add it, or name another`: func(c *Config) { c.Routes[0].Backend = "block" },
		`rules:5: one: it has to lead to a backend or to reject, one of both; name one`:           func(c *Config) { c.Routes[0].Reject = true },
		`rules:5: one: the prefix invalid IP of family 0 is none; its address has to be an IPv6 one without bits outside the mask`: func(c *Config) {
			c.Routes[0].Local = []Prefix{{}}
		},
		`rules:5: one: the prefix 2001:db8::1 of family 6 is none; its address has to be an IPv6 one without bits outside the mask`: func(c *Config) {
			c.Routes[0].Client = []Prefix{{Family: 6, Address: netip.MustParseAddr("2001:db8::1"), Mask: leading(64)}}
		},
		`rules:5: one: the range 9-1 goes backwards; write 1-9`:                               func(c *Config) { c.Routes[0].ClientPorts = []Ports{{9, 1}} },
		`rules:5: one: "a b" is no host name; write one such as example.org or *.example.org`: func(c *Config) { c.Routes[0].Names = []string{"a b"} },
		`rules:5: one: "" is no ALPN protocol; write one such as h2 or http/1.1`:              func(c *Config) { c.Routes[0].ALPN = []string{""} },
	} {
		c := Config{
			Listeners: []Listener{{Name: "web", At: Position{"rules", 1}}},
			Desks:     []Desk{{Path: "/run/a"}},
			Backends:  []Backend{{Name: "blog", At: Position{"rules", 2}, Way: Registers, Takes: Either, Desk: "/run/a"}},
			Routes:    []Route{{Name: "one", At: Position{"rules", 5}, Listeners: []string{"web"}, Backend: "blog"}},
		}
		if _, err := Compile(c); err != nil {
			t.Fatal(err)
		}
		spoil(&c)
		if _, err := Compile(c); err == nil || err.Error() != want {
			t.Errorf("%v\ninstead of %s", err, want)
		}
	}
}

// A problem of no file has no position in front.
func TestProblems(t *testing.T) {
	var p problems
	p.add(Position{}, "", "it is %d", 5)
	p.add(Position{File: "f"}, "word", "wrong")
	if got := p.err().Error(); got != "it is 5\nf: word: wrong" {
		t.Error(got)
	}
	for range 30 {
		p.add(Position{}, "x", "y")
	}
	if got := p.err().Error(); !strings.HasSuffix(got, "x: y\n… and 12 more") {
		t.Error(got)
	}
}
