package sklookup

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
)

// client is somebody who arrives at a front.
type client struct {
	family        Families
	client, local [16]byte
	port          uint16
}

// naive is where a client goes, rule by rule.
func (f Front) naive(c client) int {
	for _, r := range f.Rules {
		if r.Families&c.family != 0 && r.Client.has(c.client) && r.Local.has(c.local) && r.First <= c.port && c.port <= r.Last {
			return r.To
		}
	}
	return f.Otherwise
}

// find is where a client goes, as the program looks for it.
func (p Plan) find(c client) int {
	best, to := uint32(1<<32-1), p.front.Otherwise
	for i, g := range p.groups {
		if best <= g.first {
			break
		}
		if g.families&c.family == 0 {
			continue
		}
		key := makeKey(c.client, c.local, 0, c.port)
		for i := range key {
			key[i] &= g.masks[i]
		}
		found, ok := p.cells[makeKey([16]byte(key[keyClient:]), [16]byte(key[keyLocal:]), uint32(i), uint16(key[keyPort])<<8|uint16(key[keyPort+1]))]
		if ok && found.index < best {
			best, to = found.index, int(int32(found.to))
		}
	}
	return to
}

// randomRules are rules on few addresses and ports, so that they overlap.
func randomRules(r *rand.Rand, n, slots int) []Rule {
	rules := make([]Rule, n)
	for i := range rules {
		rules[i] = Rule{Families: Families(1 + r.IntN(3)), Last: 65535, To: r.IntN(slots+2) - 2, Counter: i % 7}
		rules[i].Client = randomBits(r, rules[i].Families)
		if r.IntN(2) == 0 {
			rules[i].Local = randomBits(r, rules[i].Families)
		}
		if r.IntN(3) == 0 {
			rules[i].First = uint16(r.IntN(64))
			rules[i].Last = rules[i].First + uint16(r.IntN(64))
		}
	}
	return rules
}

// randomBits is any mask over an address of randomAddress.
func randomBits(r *rand.Rand, f Families) (b Bits) {
	b.Address = randomAddress(r, f)
	whole := r.IntN(3) == 0
	for i := range b.Mask {
		switch {
		case whole, f == IPv4 && i < 12:
			b.Mask[i] = 0xff
		case r.IntN(3) == 0:
			b.Mask[i] = byte(r.Uint32())
		}
		b.Address[i] &= b.Mask[i]
	}
	return b
}

// randomAddress is one of few, of one of the families.
func randomAddress(r *rand.Rand, f Families) [16]byte {
	if f == IPv4 || f == Both && r.IntN(2) == 0 {
		return netip.AddrFrom4([4]byte{127, 0, byte(r.IntN(2)), byte(r.IntN(4))}).As16()
	}
	return [16]byte{0: 0xfd, 7: byte(r.IntN(2)), 15: byte(r.IntN(4))}
}

func randomClient(r *rand.Rand, f Families) client {
	if f == Both {
		f = Families(1 + r.IntN(2))
	}
	return client{f, randomAddress(r, f), randomAddress(r, f), uint16(r.IntN(128))}
}

func TestCompile(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		f := Front{Local: netip.MustParseAddrPort("[::]:1"), Dual: true, Otherwise: Drop, Rules: randomRules(r, 1+r.IntN(40), 5)}
		p, err := Compile(f)
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			c := randomClient(r, Both)
			if got, want := p.find(c), f.naive(c); got != want {
				t.Fatalf("%+v goes to %d, not to %d, of\n%+v", c, got, want, f.Rules)
			}
		}
	}
}

func TestCompileTakesOutWhatTheFrontDecides(t *testing.T) {
	here, there := netip.MustParseAddr("192.0.2.1").As16(), netip.MustParseAddr("192.0.2.2").As16()
	whole := [16]byte(slices.Repeat([]byte{0xff}, 16))
	f := Front{Local: netip.MustParseAddrPort("192.0.2.1:80"), Rules: []Rule{
		{Families: IPv6, Last: 65535, To: 1},
		{Families: IPv4, Local: Bits{there, whole}, Last: 65535, To: 2},
		{Families: Both, Local: Bits{here, whole}, Last: 65535, To: 3},
		{Families: IPv4, Last: 65535, To: 4},
	}}
	p, err := Compile(f)
	if err != nil || len(p.groups) != 1 || len(p.cells) != 1 {
		t.Fatalf("%v %+v", err, p)
	}
}

func TestCompileSplitsPorts(t *testing.T) {
	for _, c := range [][2]uint16{{0, 65535}, {1, 65535}, {0, 65534}, {1, 65534}, {80, 80}, {1000, 1999}, {65535, 65535}} {
		f := Front{Local: netip.MustParseAddrPort("[::]:1"), Otherwise: Drop, Rules: []Rule{{Families: Both, First: c[0], Last: c[1], To: 7}}}
		p, err := Compile(f)
		if err != nil || len(p.cells) > 30 {
			t.Fatal(err, len(p.cells))
		}
		for _, port := range []uint16{0, 1, 79, 80, 81, 999, 1000, 1001, 1023, 1024, 1999, 2000, 2047, 2048, 65534, 65535} {
			x := client{family: IPv6, port: port}
			if got, want := p.find(x), f.naive(x); got != want {
				t.Fatalf("port %d of %v goes to %d", port, c, got)
			}
		}
	}
}

func TestCompileRefusesTooMany(t *testing.T) {
	f := Front{Local: netip.MustParseAddrPort("[::]:1")}
	for i := range mostGroups + 1 {
		f.Rules = append(f.Rules, Rule{Families: IPv6, Last: 65535, Client: Bits{Mask: [16]byte{14: byte(i >> 8), 15: byte(i)}}})
	}
	if _, err := Compile(f); !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}
	f.Rules = nil
	for i := range mostCells + 1 {
		f.Rules = append(f.Rules, Rule{Families: IPv6, Last: 65535, Client: Bits{
			Address: [16]byte{12: byte(i >> 24), 13: byte(i >> 16), 14: byte(i >> 8), 15: byte(i)}, Mask: [16]byte(slices.Repeat([]byte{0xff}, 16)),
		}})
	}
	if _, err := Compile(f); !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}
}
